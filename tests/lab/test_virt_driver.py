"""The lab's hypervisor without Nova: what it takes from Nova is stood in for."""

from __future__ import annotations

import importlib
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest

if TYPE_CHECKING:
    from pathlib import Path

STOOD_IN = (
    *("nova", "nova.conf", "nova.exception", "nova.compute", "nova.compute.power_state"),
    *("nova.image", "nova.image.glance", "nova.virt", "nova.virt.fake"),
)
HARDWARE = {
    "vcpus": 4,
    "memory_mib": 4096,
    "disk_gib": 10,
    "bandwidth_mib_per_second": 1024,
    "downtime_ms": 1,
}


class Plain:
    """What Nova's fake driver does here: nothing."""

    def __init__(self, *_: object) -> None: ...


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    for name in STOOD_IN:
        monkeypatch.setitem(sys.modules, name, MagicMock(spec=ModuleType(name)))
    conf, fake = sys.modules["nova.conf"], sys.modules["nova.virt.fake"]
    conf.CONF = SimpleNamespace(host="node-01")  # type: ignore[attr-defined]
    fake.FakeDriverWithoutFakeNodes, fake.Resources = Plain, MagicMock()  # type: ignore[attr-defined]
    for name in STOOD_IN[1:]:
        above, _, own = name.rpartition(".")
        setattr(sys.modules[above], own, sys.modules[name])
    (tmp_path / "node-01").mkdir()
    (tmp_path / "node-01" / "hardware.json").write_text(json.dumps(HARDWARE))
    monkeypatch.setenv("ESCALATOR_LAB_HYPERVISORS", str(tmp_path))
    monkeypatch.delitem(sys.modules, "escalator.lab.virt.driver", raising=False)
    found = importlib.import_module("escalator.lab.virt.driver")
    yield found.LabDriver(None)
    sys.modules.pop("escalator.lab.virt.driver", None)


def move(driver: Any, guest: Any) -> str:
    """Move a guest and return how its move ended; it is not there to be handed over."""
    ended: list[str] = []
    driver._hand_over = lambda *_: None
    driver.live_migration(
        None,
        guest,
        "node-02",
        lambda *_: ended.append("moved"),
        lambda *_, migration_status: ended.append(migration_status),
        migrate_data=MagicMock(),
    )
    return ended[0]


@pytest.mark.timeout(300)
def test_an_order_that_comes_as_soon_as_nova_says_running_is_heeded(driver: Any) -> None:
    metadata = {"lab_migrate": "hang"}
    guest = MagicMock(uuid="g", display_name="g", metadata=metadata, flavor=MagicMock(memory_mb=512))
    driver.check_can_live_migrate_source(None, guest, None)
    driver.live_migration_abort(guest)
    assert move(driver, guest) == "cancelled"
    driver.check_can_live_migrate_source(None, guest, None)
    driver.live_migration_force_complete(guest)
    assert move(driver, guest) == "moved"


def test_an_order_that_came_too_late_is_not_for_the_next_move(driver: Any) -> None:
    guest = MagicMock(uuid="g", display_name="g", metadata={}, flavor=MagicMock(memory_mb=1))
    driver.live_migration_abort(guest)
    driver.check_can_live_migrate_source(None, guest, None)
    assert move(driver, guest) == "moved"
