from __future__ import annotations

from typing import TYPE_CHECKING

from escalator.lab.machine.node_disk import NodeDisk

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lab_keeps_the_layers_that_it_was_brought_up_with(tmp_path: Path) -> None:
    assert NodeDisk.read(tmp_path).layers == ()
    disk = NodeDisk(layers=(tmp_path / "top", tmp_path / "root"))
    disk.write(tmp_path)
    assert NodeDisk.read(tmp_path) == disk
