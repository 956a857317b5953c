from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from escalator.lab.errors import LabError
from escalator.lab.machine.layers import Layers, run_inside
from escalator.lab.machine.store import MachineStore
from escalator.lab.processes import wait_until
from escalator.lab.progress import Progress, silent
from escalator.lab.settings import LabSettings

pytestmark = [pytest.mark.lab, pytest.mark.proof]


@pytest.fixture(scope="module")
def layers() -> tuple[Path, ...]:
    return MachineStore(settings=LabSettings(), progress=Progress()).ensure_base()


def test_what_a_script_writes_is_in_its_layer_and_in_no_other(
    layers: tuple[Path, ...], tmp_path: Path
) -> None:
    run_inside(layers, upper=tmp_path / "upper", script="echo new >/etc/new; id -un >/etc/who; dpkg --audit")
    assert (tmp_path / "upper/etc/new").read_text() == "new\n"
    assert (tmp_path / "upper/etc/who").read_text() == "root\n"
    assert not any((layer / "etc/new").exists() for layer in layers)
    assert [path.name for path in tmp_path.iterdir()] == ["upper"]


def test_a_script_that_fails_says_why_and_leaves_no_mount(layers: tuple[Path, ...], tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no such package"):
        run_inside(
            layers, upper=tmp_path / "upper", script="echo no such package >&2; exit 3; touch /etc/after"
        )
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert not (tmp_path / "upper/etc/after").exists()


def test_nothing_goes_on_when_the_builder_is_killed(layers: tuple[Path, ...], tmp_path: Path) -> None:
    given = [str(tmp_path / "upper"), *map(str, layers)]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    builder = subprocess.Popen(
        [sys.executable, "-c", _BUILDER, *given], env={**os.environ, "PYTHONPATH": path}
    )
    assert wait_until((tmp_path / "upper/etc/begun").exists, timeout_seconds=20)
    builder.kill()
    builder.wait()
    assert wait_until(lambda: mentions(str(tmp_path)) == [], timeout_seconds=5), mentions(str(tmp_path))
    run_inside(layers, upper=tmp_path / "upper", script="touch /etc/again")
    assert (tmp_path / "upper/etc/again").exists()


_BUILDER = """
import sys
from pathlib import Path
from escalator.lab.machine.layers import run_inside
upper, *layers = map(Path, sys.argv[1:])
run_inside(tuple(layers), upper=upper, script="touch /etc/begun; sleep 300; touch /etc/ended")
"""


def mentions(folder: str) -> list[str]:
    """Return the command lines of this computer's processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if folder in words:
            found.append(words)
    return found


def test_a_suite_that_does_not_exist_is_an_error_and_no_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escalator.lab.machine.layers.SUITE", "no-such-suite")
    with pytest.raises(LabError, match="failed with"):
        Layers(folder=tmp_path, progress=silent()).ensure_root()
    assert not list(tmp_path.glob("rootfs-no-such-suite-*[!t]"))
