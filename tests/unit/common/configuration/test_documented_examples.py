"""What the pages tell operators to write can be written."""

import re
import textwrap
from pathlib import Path

import pytest

from gateway_common.configuration.loading import load_configuration

DOCS = Path(__file__).parents[4] / "docs"
#: An indented block, or a fenced one, that begins with the values' first key.
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
FENCED = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def examples() -> list[str]:
    introduction = (DOCS / "configuration_introduction.md").read_text()
    blocks = [textwrap.dedent(block) for block in INDENTED.findall(introduction)]
    blocks += FENCED.findall((DOCS / "limits.md").read_text())
    return [block for block in blocks if block.startswith("gateway:")]


def test_there_are_examples() -> None:
    assert len(examples()) > 5


@pytest.mark.parametrize("example", examples())
def test_an_example_is_a_right_values_file(tmp_path: Path, example: str) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(example)
    assert load_configuration([values], {}, instance="test").sources
