from __future__ import annotations

from typing import TYPE_CHECKING

from escalator.demo.demo_world import offer_bundles
from escalator.settings.places import find_own_bundle_dir

if TYPE_CHECKING:
    from pathlib import Path


def test_the_bundles_that_came_along_are_offered_with_those_that_are_given(tmp_path: Path) -> None:
    own = {path.name: path.read_text() for path in find_own_bundle_dir().iterdir()}
    for text in ("name: first\n", "name: second\n"):
        offer_bundles(tmp_path / "bundles", {"given.yaml": text})
        found = {path.name: path.read_text() for path in (tmp_path / "bundles").iterdir()}
        assert found == own | {"given.yaml": text}
