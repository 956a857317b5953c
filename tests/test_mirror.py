"""Every module of the pure core has its tests at the mirrored path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT

CORE = ROOT / "include" / "escalator"
ROOMS = ("upgrade_manager", "model", "orders", "simulator")
DECLARATIONS = {
    "model/backup.py": "names and a dataclass without a method",
    "model/approval.py": "names and a dataclass without a method",
    "model/constraints.py": "dataclasses without a method",
    "model/vnfm.py": "names and dataclasses without a method",
    "model/decisions.py": "names and a dataclass without a method",
    "model/feature.py": "a list of names",
    "model/migration_settings.py": "a dataclass without a method",
    "model/occasion.py": "names and a dataclass without a method",
    "model/quota.py": "names and dataclasses without a method",
    "model/step.py": "two lists of names",
    "model/unread.py": "names and a dataclass without a method",
    "model/vnf_means.py": "dataclasses without a method",
}
"""Module without tests of its own -> why."""
MODULES = sorted(
    str(path.relative_to(CORE))
    for room in ROOMS
    for path in (CORE / room).rglob("*.py")
    if path.name != "__init__.py"
)


def find_tests(module: str) -> Path:
    path = ROOT / "tests" / module
    return path.with_name(f"test_{path.name}")


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_of_the_core_has_its_tests_beside_the_mirrored_path(room: str) -> None:
    wanted = {m for m in MODULES if m.startswith(f"{room}/")} - set(DECLARATIONS)
    assert wanted, "the room has moved"
    assert sorted(m for m in wanted if "def test_" not in _read(find_tests(m))) == []


def test_what_is_left_out_is_there_and_has_no_function() -> None:
    for module in DECLARATIONS:
        assert "def " not in (CORE / module).read_text(encoding="utf-8")
        assert not find_tests(module).exists()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
