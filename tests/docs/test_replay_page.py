import re
from pathlib import Path

from escalator.replay import ViolationCode

PAGE = Path(__file__).parents[2] / "docs" / "replay.md"


def test_the_page_has_every_violation_once() -> None:
    documented = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert documented == [str(code) for code in ViolationCode]
