"""Which class carries out which mechanism."""

from __future__ import annotations

from typing import assert_never

from escalator.model.bundle import CommandMechanism, Mechanism, NoMechanism, VenvMechanism
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.mechanisms.protocol import NodeMechanism
from escalator.system_support.mechanisms.venv import VenvOnNode


def choose_mechanism(mechanism: Mechanism) -> NodeMechanism:
    """Return what carries a bundle's mechanism out; a type without its case here does not pass mypy."""
    match mechanism:
        case VenvMechanism():
            return VenvOnNode(mechanism)
        case CommandMechanism():
            return CommandOnNode(mechanism)
        case NoMechanism():
            return NothingOnNode()
        case _:
            assert_never(mechanism)
