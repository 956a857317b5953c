"""The small Masakari and Alertmanager of these tests take what the real ones take."""

from __future__ import annotations

import inspect

import pytest
from tests.alerts.fake_source import FakeSource
from tests.steps.fake_instance_ha import FakeInstanceHa

from escalator.alerts.alertmanager import Alertmanager
from escalator.alerts.source import AlertSource
from escalator.cloud_manager.instance_ha import InstanceHa


def shape(owner: type, name: str) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(getattr(owner, name)).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


def methods(owner: type) -> list[str]:
    return sorted(name for name, found in vars(owner).items() if inspect.isfunction(found) and name[0] != "_")


@pytest.mark.parametrize("name", methods(InstanceHa))
def test_the_small_masakari_takes_the_same(name: str) -> None:
    assert shape(FakeInstanceHa, name) == shape(InstanceHa, name)


@pytest.mark.parametrize("name", methods(AlertSource))
def test_all_sources_of_alerts_take_the_same(name: str) -> None:
    assert shape(FakeSource, name) == shape(Alertmanager, name) == shape(AlertSource, name)
