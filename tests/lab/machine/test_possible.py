from __future__ import annotations

from dataclasses import replace

import pytest

from escalator.lab.errors import LabError
from escalator.lab.machine.possible import PROGRAMS, Computer, check_possible, check_rights

ABLE = Computer(
    user=0,
    architecture="x86_64",
    capabilities=(1 << 41) - 1,
    programs=frozenset(PROGRAMS),
    file_systems="nodev\tproc\nnodev\toverlay\n\text4\n",
    writable=True,
)


def test_a_computer_that_lacks_nothing_can_run_machines() -> None:
    assert ABLE.lacks() == ()
    check_possible(ABLE)


@pytest.mark.parametrize(
    ("computer", "missing"),
    [
        (replace(ABLE, user=1000, capabilities=0), "root"),
        (replace(ABLE, capabilities=0xA80425FB), "CAP_SYS_ADMIN (a container without the rights?)"),
        (replace(ABLE, architecture="aarch64"), "a processor of type x86_64 (this is aarch64)"),
        (replace(ABLE, programs=ABLE.programs - {"mmdebstrap"}), "the program mmdebstrap"),
        (replace(ABLE, file_systems="\text4\n"), "the file system overlay (modprobe overlay)"),
        (replace(ABLE, writable=False), "a writable /sys/fs/cgroup"),
    ],
)
def test_what_is_missing_is_named(computer: Computer, missing: str) -> None:
    assert computer.lacks() == (missing,)


def test_all_that_is_missing_is_said_in_one_sentence() -> None:
    computer = replace(ABLE, user=1000, programs=ABLE.programs - {"systemd-nspawn"})
    with pytest.raises(LabError) as refused:
        check_possible(computer)
    said = str(refused.value)
    assert "machines cannot run here: root; the program systemd-nspawn are missing" in said
    assert "\n" not in said


def test_a_program_can_be_installed_a_right_cannot() -> None:
    check_rights(replace(ABLE, programs=frozenset()))
    with pytest.raises(LabError, match="root is missing"):
        check_rights(replace(ABLE, user=1000, programs=frozenset()))


def test_this_computer_can_be_asked() -> None:
    assert Computer.this().architecture
