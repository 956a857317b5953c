"""The bundle mechanism ``none``: nothing is brought to the node, and the node is not asked for anything."""

from __future__ import annotations

from escalator.model.verdict import Verdict
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, UnitState
from escalator.system_support.shell import Shell


class NothingOnNode:
    """Brings nothing: every answer is given without a connection."""

    @property
    def brings_software(self) -> bool:
        """Return False."""
        return False

    def check(self, _shell: Shell, /) -> tuple[Verdict, ...]:
        """Find nothing: nothing is needed."""
        return ()

    def check_source(self, _shell: Shell, _version: str, /) -> tuple[Verdict, ...]:
        """Find nothing: nothing is brought."""
        return ()

    def installed(self, _shell: Shell, /) -> InstalledVersion | None:
        """Return None: which version the node has is not known."""
        return None

    def service_state(self, _shell: Shell, /) -> UnitState | None:
        """Return None: no service is restarted."""
        return None

    def stage(self, _job: NodeJob, /) -> Effect:
        """Say that nothing is left to stage."""
        return Effect.ALREADY_STAGED

    def activate(self, _job: NodeJob, /) -> Effect:
        """Say that nothing is left to activate."""
        return Effect.ALREADY_ACTIVE

    def way_back(self, _shell: Shell, _version: str, /) -> WayBack:
        """Say that nothing is to be undone."""
        return WayBack.to_previous({})

    def roll_back(self, _job: NodeJob, /) -> Effect:
        """Say that nothing is left to undo."""
        return Effect.ALREADY_BACK
