"""Comments name rows of docs/compatibility.md: whoever looks one up finds it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"\b(?:[RSKUC]-\d{3}|E-\d{2})\b")


def test_every_row_that_is_named_is_on_the_page() -> None:
    sources = [*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")]
    named = {row for source in sources for row in ROW.findall(source.read_text())}
    assert named
    assert named <= set(ROW.findall((ROOT / "docs/compatibility.md").read_text()))
