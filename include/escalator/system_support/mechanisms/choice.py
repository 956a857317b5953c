"""Which class carries out which mechanism."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from escalator.model.bundle import (
    AptMechanism,
    Artefact,
    CommandMechanism,
    Impact,
    Mechanism,
    NoMechanism,
    VenvMechanism,
)
from escalator.system_support.mechanisms.apt import AptOnNode
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.extras import WithExtras
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.mechanisms.protocol import NodeMechanism
from escalator.system_support.mechanisms.venv import VenvOnNode


def choose_mechanism(
    mechanism: Mechanism,
    artefacts: Sequence[Artefact] = (),
    *,
    impact: Impact = Impact.CONTROL,
    runs_hooks: bool = False,
    reboots: bool = False,
) -> NodeMechanism:
    """Return what carries a bundle's mechanism out, with the files, hooks and reboots of the bundle.

    A type without its case here does not pass mypy.
    """
    chosen = _choose(mechanism, artefacts, impact)
    if not (artefacts or runs_hooks or reboots):
        return chosen
    return WithExtras(chosen, artefacts, runs_hooks=runs_hooks, reboots=reboots)


def _choose(mechanism: Mechanism, artefacts: Sequence[Artefact], impact: Impact) -> NodeMechanism:
    match mechanism:
        case VenvMechanism():
            return VenvOnNode(mechanism, artefacts)
        case CommandMechanism():
            return CommandOnNode(mechanism)
        case AptMechanism():
            return AptOnNode(mechanism, impact)
        case NoMechanism():
            return NothingOnNode()
        case _:
            assert_never(mechanism)
