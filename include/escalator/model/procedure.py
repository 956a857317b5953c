"""Procedures: the stages of a node's life in a campaign, as data.

The DAG builder reads which tasks a node has, in which order and with which priorities; the running of the
steps reads how long each may take. Another procedure is another tuple, named in ``PROCEDURES``, and a
DAG file like ``dags/upgrade.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from escalator.model.errors import InvalidRequestError
from escalator.model.step import Step

_LAST_RESORT = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step as a procedure has it.

    :ivar priority: of the nodes that could go on, the one with the highest goes first.
    :ivar hard_limit_seconds: what the step may take in any case before it counts as hung.
    :ivar wait_seconds: what it may wait for others beside that, without a worker.
    """

    step: Step
    priority: int
    hard_limit_seconds: float
    wait_seconds: float = 0.0

    @property
    def last_resort_seconds(self) -> float:
        """Return after how many seconds the step is ended from outside: it hangs where it cannot say so."""
        return _LAST_RESORT * self.hard_limit_seconds + self.wait_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """What is done to the nodes of a campaign, stage by stage.

    The first stage takes a node's lease and the last one gives it back, whatever came between.

    :ivar name: how plans name it, and how the ids of its DAGs begin.
    :ivar purpose: what its DAGs do, as a command: "Upgrade the compute nodes".
    :ivar stages: in the order in which a node goes through them.
    :ivar in_windows: maintenance windows begin it; else only a person does.
    :raises ValueError: the stages do not run from admit to release, or one comes twice.
    """

    name: str
    purpose: str
    stages: tuple[Stage, ...]
    in_windows: bool = False

    def __post_init__(self) -> None:
        """Refuse a procedure that would take no lease, or keep one."""
        steps = self.steps
        if len(steps) < len((Step.ADMIT, Step.RELEASE)) or (steps[0], steps[-1]) != (
            Step.ADMIT,
            Step.RELEASE,
        ):
            raise ValueError(f"procedure {self.name} does not run from {Step.ADMIT} to {Step.RELEASE}")
        if len(set(steps)) < len(steps):
            raise ValueError(f"procedure {self.name} has a step twice")

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps in order."""
        return tuple(stage.step for stage in self.stages)

    def stage(self, step: Step) -> Stage:
        """Return the stage of a step.

        :raises InvalidRequestError: the procedure has no such step.
        """
        for stage in self.stages:
            if stage.step is step:
                return stage
        raise InvalidRequestError(
            f"the procedure {self.name} has no step {step}", remedy=f"its steps are {', '.join(self.steps)}"
        )


UPGRADE = Procedure(
    name="upgrade",
    purpose="Upgrade the compute nodes",
    in_windows=True,
    stages=(
        # How long a node may wait at the door.
        Stage(step=Step.ADMIT, priority=1, hard_limit_seconds=14 * 24 * 3600.0),
        Stage(step=Step.PRECHECK, priority=10, hard_limit_seconds=30 * 60.0),
        # A node that VNF managers refuse waits for the others, and then for a person.
        Stage(step=Step.SWITCHOVER, priority=20, hard_limit_seconds=30 * 60.0, wait_seconds=13 * 24 * 3600.0),
        Stage(step=Step.MIGRATE, priority=30, hard_limit_seconds=12 * 3600.0),
        Stage(step=Step.UPGRADE, priority=40, hard_limit_seconds=3 * 3600.0),
        Stage(step=Step.VERIFY, priority=90, hard_limit_seconds=30 * 60.0),
        Stage(step=Step.RELEASE, priority=100, hard_limit_seconds=15 * 60.0),
    ),
)
"""The upgrade of a node; what is nearer to giving it back goes first."""
ROLLBACK = replace(
    UPGRADE, name="rollback", purpose="Bring back the upgraded compute nodes", in_windows=False
)
"""The way back of a node that an upgrade changed: the same steps, with what it had before as the bundle."""
RESTORE = replace(
    UPGRADE, name="restore", purpose="Put back a compute node from its backup", in_windows=False
)
"""The way back of a node whose rollback failed: the same steps, with its backup as the bundle."""
PROCEDURES: Mapping[str, Procedure] = MappingProxyType({p.name: p for p in (UPGRADE, ROLLBACK, RESTORE)})
"""Every procedure that a plan may name."""


def find_procedure(name: str) -> Procedure:
    """Return the procedure that a plan names.

    :raises InvalidRequestError: this release has none of that name.
    """
    try:
        return PROCEDURES[name]
    except KeyError:
        raise InvalidRequestError(
            f"this release has no procedure {name!r}, it has {', '.join(PROCEDURES)}",
            remedy="finish the campaign with the release that began it",
        ) from None
