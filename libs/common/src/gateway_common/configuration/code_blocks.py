"""Runs blocks of Python configuration code, and says where in them something went wrong."""

import ast
import builtins
import importlib
import json
import linecache
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path as FilePath
from types import CodeType
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from gateway_common.errors import InvalidConfig

logger = logging.getLogger(__name__)

#: On lines with these words, what stands in quotes may be a secret.
_SECRET_LINE = re.compile(r"token|password|passwd|secret|credential|api_?key", re.IGNORECASE)
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
_HIDDEN = "***"


@dataclass(frozen=True)
class CodeBlock:
    """Some code. `name` is what errors call it; `file` the file that it is or stands in."""

    name: str
    source: str = field(repr=False)
    file: FilePath | None = None

    def line_of(self, section: str, trait: str) -> int | None:
        """The last line that has `c.section.trait`."""
        return max(self._lines.get((section, trait), ()), default=None)

    @cached_property
    def _lines(self) -> Mapping[tuple[str, str], list[int]]:
        lines: dict[tuple[str, str], list[int]] = {}
        try:
            nodes = list(ast.walk(ast.parse(self.source)))
        except (SyntaxError, ValueError):
            return lines
        for node in nodes:
            if isinstance(node, ast.Attribute):
                below = node.value.attr if isinstance(node.value, ast.Attribute) else ""
                lines.setdefault((below, node.attr), []).append(node.lineno)
                lines.setdefault((node.attr, ""), []).append(node.lineno)
        return lines


class CodeRunner:
    """Runs blocks one after another: they share their names and one `c`."""

    def __init__(self, config: Config, get_property: Callable[..., Any], secrets: Callable[[], Iterable[str]]) -> None:
        self._config = config
        self._secrets = secrets
        # `os`, `json` and `sys` because the file into which blocks used to be pasted imports them
        self._names: dict[str, Any] = {"get_property": get_property, "os": os, "json": json, "sys": sys}

    def run(self, block: CodeBlock) -> None:
        """Run one block; raises InvalidConfig where it raises, and logs the traceback."""
        folder = None if block.file is None else str(block.file.absolute().parent)
        if folder is not None:
            make_importable(folder)
        loader = PyFileConfigLoader(str(block.file or ""), path=folder, log=logger)
        loader.config = self._config
        self._names.update(c=self._config, get_config=lambda: self._config, load_subconfig=loader.load_subconfig)
        if block.file is not None:
            self._names["__file__"] = str(block.file)
        else:
            self._names.pop("__file__", None)
        # so that tracebacks show the lines of what is no file
        linecache.cache[block.name] = (len(block.source), None, block.source.splitlines(keepends=True), block.name)
        try:
            exec(_compile(block), self._names)  # noqa: S102 - that is what the operator wrote it for
        except (Exception, SystemExit) as error:
            raise self._translate(block, error) from None

    def _translate(self, block: CodeBlock, error: BaseException) -> InvalidConfig:
        secrets = [secret for secret in self._secrets() if secret]
        logger.error("%s failed\n%s", block.name, _hide(_traceback(error), secrets))
        line = _line(block, error)
        where = block.name if line is None else f"{block.name}, line {line}"
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        what = f"{type(error).__name__}: {message}" if message else type(error).__name__
        return InvalidConfig(f"{where}: {_hide(what, secrets)}")


def make_importable(folder: str) -> None:
    """Let code import modules that lie in the folder, for as long as the process lives: handlers import late."""
    if folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()


def _compile(block: CodeBlock) -> CodeType:
    return builtins.compile(block.source, block.name, "exec", dont_inherit=True)


def _line(block: CodeBlock, error: BaseException) -> int | None:
    """The block's own line at which it went wrong."""
    if isinstance(error, SyntaxError) and error.filename == block.name:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == block.name]
    return lines[-1] if lines else None


def _traceback(error: BaseException) -> str:
    """From the operator's code on."""
    if isinstance(error, SyntaxError):
        # it would show the line, with whatever is on it
        error.text = None
    below = error.__traceback__
    while below is not None and below.tb_frame.f_code.co_filename == __file__:
        below = below.tb_next
    return "".join(traceback.format_exception(type(error), error, below))


def _hide(text: str, secrets: Iterable[str]) -> str:
    """Without what could be a secret: values that are known to be, and texts on lines that speak of one."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return "\n".join(
        _QUOTED.sub(_HIDDEN, line) if _SECRET_LINE.search(line) and not line.startswith("  File ") else line
        for line in text.split("\n")
    )
