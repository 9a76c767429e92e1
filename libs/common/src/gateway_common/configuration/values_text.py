"""The text of a values file, read as Helm reads it."""

import json
import logging
import re
from pathlib import Path as FilePath
from typing import Any

import yaml

from gateway_common.config_types import name_of_type
from gateway_common.configuration.problems import Problem

logger = logging.getLogger(__name__)


class _HelmLoader(yaml.SafeLoader):
    """YAML without what Helm does not know: dates are text, and so are numbers of base 60, such as `1:30`."""

    file = ""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Of a key that is there twice the last counts, which is hardly what was meant."""
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                logger.warning(
                    "%s, line %d: %s is there a second time: what stands at the first counts for nothing",
                    self.file,
                    key.start_mark.line + 1,
                    key.value,
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


_TIMESTAMP, _FLOAT, _INT = (f"tag:yaml.org,2002:{name}" for name in ("timestamp", "float", "int"))
_HelmLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in {_TIMESTAMP, _FLOAT, _INT}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_HelmLoader.add_implicit_resolver(
    _INT, re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)$"), list("-+0123456789")
)
_HelmLoader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def parse_values(file: FilePath) -> tuple[dict[str, Any], list[Problem]]:
    """The mapping in a file, or why there is none. An empty file is an empty mapping."""
    try:
        tree = _read(file)
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        line, reason = _fault(error)
        return {}, [Problem(f"{file}, line {line}" if line else str(file), "", reason)]
    if tree is None:
        return {}, []
    if not isinstance(tree, dict):
        return {}, [Problem(str(file), "", f"expected an object with keys such as `gateway`, got {name_of_type(tree)}")]
    return _with_text_keys(tree), []


def read_text(file: FilePath) -> tuple[str, list[Problem]]:
    """The text of a file, or why there is none."""
    try:
        return file.read_text(encoding="utf-8"), []
    except (OSError, ValueError) as error:
        return "", [Problem(str(file), "", _fault(error)[1])]


def _read(file: FilePath) -> Any:
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        return json.loads(text)
    loader = _HelmLoader(text)
    loader.file = str(file)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _fault(error: Exception) -> tuple[int | None, str]:
    """The line, and what is wrong in it. Nothing of the text itself: it may be a secret."""
    match error:
        case OSError():
            return None, f"can't be read: {(error.strerror or str(error)).lower()}"
        case UnicodeDecodeError():
            return None, "is no text in UTF-8"
        case json.JSONDecodeError():
            return error.lineno, f"is not JSON: {error.msg}"
        case yaml.MarkedYAMLError():
            mark = error.problem_mark or error.context_mark
            problem = re.sub(r" *'(?!<)[^']{2,}'", "", str(error.problem or error.context))
            return mark.line + 1 if mark else None, f"is not YAML: {problem}"
        case RecursionError():
            return None, "is nested too deep"
    return None, f"is not YAML: {str(error).splitlines()[0]}"


def _with_text_keys(value: Any) -> Any:
    """Keys are text, whatever they look like, as in JSON."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else json.dumps(key, default=str): _with_text_keys(entry)
            for key, entry in value.items()
        }
    return [_with_text_keys(entry) for entry in value] if isinstance(value, list) else value
