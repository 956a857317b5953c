from __future__ import annotations

from pathlib import Path

import pytest

from escalator.documents.bundle_list import describe_bundles

GOOD = """\
schema: escalator.bundle/1
name: nova-34
components: [{name: nova-compute, to: "34.0.0"}, {name: hypervisor, to: "9.0.0"}]
mechanism: {type: none}
"""


def test_every_bundle_says_what_it_brings_and_by_which_mechanism(tmp_path: Path) -> None:
    (tmp_path / "nova-34.yaml").write_text(GOOD)
    assert describe_bundles(tmp_path) == {"nova-34": "nova-compute 34.0.0, hypervisor 9.0.0 by none"}


@pytest.mark.parametrize(
    "wrong", ["schema: escalator.bundle/1\nname: [", "- a list", "schema: escalator.bundle/9", "", "\x00\xff"]
)
def test_one_that_cannot_be_read_is_named_beside_the_good_ones(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "nova-34.yaml").write_text(GOOD)
    (tmp_path / "odd.yaml").write_bytes(wrong.encode("latin-1"))
    (tmp_path / "folder.yaml").mkdir()
    found = describe_bundles(tmp_path)
    assert found["nova-34"].startswith("nova-compute 34.0.0")
    assert found["odd"].startswith("cannot be read")
    assert found["folder"].startswith("cannot be read")


def test_without_a_folder_there_is_no_bundle(tmp_path: Path) -> None:
    assert describe_bundles(tmp_path / "missing") == {}
