from __future__ import annotations

from escalator.model.bundle import CommandMechanism, NoMechanism, VenvMechanism
from escalator.system_support.mechanisms import choose_mechanism
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.mechanisms.venv import VenvOnNode


def test_the_dataclass_of_the_bundle_chooses() -> None:
    venv = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute")
    assert isinstance(choose_mechanism(venv), VenvOnNode)
    command = CommandMechanism(version="true", activate="true", service="nova-compute")
    assert isinstance(choose_mechanism(command), CommandOnNode)
    assert isinstance(choose_mechanism(NoMechanism()), NothingOnNode)
