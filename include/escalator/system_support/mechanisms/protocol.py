"""What a step may ask of a mechanism, whatever its type.

A mechanism is asked over a shell that connects at its first command: one that needs nothing from the node
opens no connection. Whether a node has to reboot is no mechanism's to say: the node itself is asked
(:mod:`escalator.system_support.boots`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, Self

from escalator.model.bundle import COMPUTE, Component
from escalator.model.verdict import Verdict
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.shell import Shell


class UnitState(StrEnum):
    """How systemd has a service, in the words that it prints."""

    ACTIVE = "active"
    RELOADING = "reloading"
    ACTIVATING = "activating"
    DEACTIVATING = "deactivating"
    INACTIVE = "inactive"
    FAILED = "failed"

    @classmethod
    def read(cls, printed: str) -> Self | None:
        """Read what ``systemctl is-active`` printed; None: it does not say."""
        words = printed.split()
        return cls(words[-1]) if words and words[-1] in set(cls) else None

    @property
    def has_ended(self) -> bool:
        """Tell whether no process of the service is left, and systemd will start none."""
        return self in {UnitState.INACTIVE, UnitState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledVersion:
    """What is on the node, read at one moment.

    :ivar package: what was looked for.
    :ivar place: where a person looks for it on the node.
    :ivar target: what the service is started from, such as the environment that a link points to.
    :ivar version: version of the package there.
    :ivar running: version that the service has loaded; None when it does not run or this cannot be told.
    :ivar previous: target before the last switch.
    :ivar components: component of the bundle -> the version that the node counts as having, nova-compute
        among them; None: it has none, or nobody can say. Empty: the mechanism brings nova-compute alone.
    """

    package: str
    place: str
    target: str | None
    version: str | None
    running: str | None
    previous: str | None
    main_pid: int | None
    active: bool
    components: Mapping[str, str | None] = field(default_factory=dict)

    def find_behind(self, wanted: Iterable[Component]) -> tuple[str, ...]:
        """Say which components, nova-compute aside, the mechanism tells of and are not what is wanted."""
        return tuple(
            f"{one.name} {self.components[one.name] or 'missing'}"
            for one in wanted
            if one.name != COMPUTE and self.components.get(one.name, one.to) != one.to
        )


class NodeMechanism(Protocol):
    """A bundle's mechanism on the nodes: reads over a shell, changes by jobs that may be run twice.

    What reads raises TransientError when the node cannot be reached or the connection is lost. What changes
    connects again until the job's deadline, and raises NodeFaultError after it or when the node cannot do it.
    """

    @property
    def brings_software(self) -> bool:
        """Tell whether an upgrade changes anything on the node."""

    def check(self, shell: Shell, /) -> tuple[Verdict, ...]:
        """Find everything on the node that would keep the mechanism from working; empty: it will work."""

    def check_source(self, shell: Shell, version: str, /) -> tuple[Verdict, ...]:
        """Find out whether a version that is not staged can be: what blocks says why not.

        Nothing does when it is there, or its source has it. What would come of it may be told as well.
        Nothing is left on the node.
        """

    def installed(self, shell: Shell, /) -> InstalledVersion | None:
        """Read which version is installed and which runs; None when the mechanism brings no version.

        :raises NodeFaultError: when the node cannot say.
        """

    def service_state(self, shell: Shell, /) -> UnitState | None:
        """Read how systemd has the service that an activation restarts.

        :return: None when systemd does not say, or no service is restarted.
        """

    def stage(self, job: NodeJob, /) -> Effect:
        """Lay the version beside the one in use and touch no service; a second run only verifies it.

        What is said to be staged was proved whole. What could not be made to the end is removed.
        """

    def activate(self, job: NodeJob, /) -> Effect:
        """Switch to the staged version and have the service run it; a second run restarts nothing."""

    def way_back(self, shell: Shell, version: str, /) -> WayBack:
        """Say to what the node would return if a version that the bundle brings were undone. Changes nothing.

        Of a node that does not have it yet: what it would return to once it has.

        :raises NodeFaultError: when the node cannot say.
        """

    def roll_back(self, job: NodeJob, /) -> Effect:
        """Bring the node back to what it had before the bundle's version, and have the service run it.

        What the bundle did not bring is left alone. A second run changes nothing, and one that was killed
        goes on.

        :raises NodeFaultError: there is no way back; nothing was touched then. Or the service does not start.
        """
