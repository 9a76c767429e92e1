"""Every test that docs/security.md names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs/security.md").read_text())))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_is_said_to_show_a_claim_is_there(file: str, test: str) -> None:
    text = (ROOT / file).read_text()
    assert f"def {test}(" in text if test else "def test_" in text


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 20
