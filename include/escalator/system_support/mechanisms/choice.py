"""Which class carries out which mechanism."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from escalator.model.bundle import (
    COMPUTE,
    AnsibleMechanism,
    AptMechanism,
    Artefact,
    CommandMechanism,
    DnfMechanism,
    Impact,
    KollaAnsibleMechanism,
    Mechanism,
    NoMechanism,
    VenvMechanism,
)
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.ansible import AnsibleOnWorker
from escalator.system_support.mechanisms.apt import AptOnNode
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.dnf import DnfOnNode
from escalator.system_support.mechanisms.extras import WithExtras
from escalator.system_support.mechanisms.none import NothingOnNode
from escalator.system_support.mechanisms.protocol import NodeMechanism
from escalator.system_support.mechanisms.venv import VenvOnNode
from escalator.system_support.playbooks.worker import WorkerSide

_UNITS = (COMPUTE, f"openstack-{COMPUTE}")
"""What Debian and Ubuntu call the unit, and what RPM packages do."""


def choose_mechanism(
    mechanism: Mechanism,
    artefacts: Sequence[Artefact] = (),
    *,
    impact: Impact = Impact.CONTROL,
    runs_hooks: bool = False,
    reboots: bool = False,
    worker: WorkerSide | None = None,
) -> NodeMechanism:
    """Return what carries a bundle's mechanism out, with the files, hooks and reboots of the bundle.

    :param worker: for what the worker itself runs.
    :raises InvalidRequestError: the mechanism is run by a worker, and none is given.

    A type without its case here does not pass mypy.
    """
    chosen = _choose(mechanism, artefacts, impact, worker)
    if not (artefacts or runs_hooks or reboots):
        return chosen
    units = _list_units(mechanism) if reboots else ()
    return WithExtras(chosen, artefacts, runs_hooks=runs_hooks, reboots=reboots, units=units)


def _list_units(mechanism: Mechanism) -> tuple[str, ...]:
    """Return how nova-compute's unit may be called: by the bundle, else by the packages there are of it."""
    match mechanism:
        case NoMechanism():
            return _UNITS
        case AptMechanism() | DnfMechanism():
            return (mechanism.compute.service or COMPUTE,)
        case _:
            return (mechanism.service,)


def _choose(
    mechanism: Mechanism, artefacts: Sequence[Artefact], impact: Impact, worker: WorkerSide | None
) -> NodeMechanism:
    match mechanism:
        case VenvMechanism():
            return VenvOnNode(mechanism, artefacts)
        case CommandMechanism():
            return CommandOnNode(mechanism)
        case AptMechanism():
            return AptOnNode(mechanism, impact)
        case DnfMechanism():
            return DnfOnNode(mechanism, impact)
        case AnsibleMechanism() | KollaAnsibleMechanism():
            if worker is None:
                raise InvalidRequestError(f"{mechanism.type} is run by a worker, which this is not")
            return AnsibleOnWorker(mechanism, worker)
        case NoMechanism():
            return NothingOnNode()
        case _:
            assert_never(mechanism)
