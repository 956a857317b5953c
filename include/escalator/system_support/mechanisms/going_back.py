"""A mechanism in reverse: what is activated is what the node had before the version that a bundle brought.

So the steps of an upgrade carry out its way back, and know nothing of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from escalator.model.bundle import COMPUTE
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, NodeMechanism, UnitState
from escalator.system_support.shell import Shell


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingBack:
    """A mechanism that takes back what another one brought.

    :ivar forward: the mechanism that brought it.
    :ivar undone: the version that it brought.
    """

    forward: NodeMechanism
    undone: str

    @property
    def brings_software(self) -> bool:
        """Tell whether going back changes anything on the node."""
        return self.forward.brings_software

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find what keeps the mechanism from working there."""
        return self.forward.check(shell)

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Find out whether the node would go back to that version: what blocks says why not."""
        way = self.forward.way_back(shell, self.undone)
        to = way.versions.get(COMPUTE)
        if not way.is_one_way and to in {None, version}:
            return ()
        verdict = Verdict(
            code=Code.NO_WAY_BACK,
            message=f"its way back from {self.undone} is {way}"
            + ("" if way.is_one_way else f", and not to {version}"),
            subject=Subject.of_node(shell.host),
            remedy="leave the node out, or bring it back by hand from a backup",
        )
        return (verdict,)

    def installed(self, shell: Shell) -> InstalledVersion | None:
        """Read which version is installed and which runs."""
        return self.forward.installed(shell)

    def service_state(self, shell: Shell) -> UnitState | None:
        """Read how systemd has the service that going back restarts."""
        return self.forward.service_state(shell)

    def stage(self, job: NodeJob) -> Effect:
        """See that what the node goes back to is there: nothing is laid down for it.

        :raises NodeFaultError: it is not.
        """
        with job.connect() as shell:
            found = self.check_source(shell, job.version)
        for verdict in found:
            raise NodeFaultError(verdict.message, remedy=verdict.remedy, code=verdict.code)
        return Effect.ALREADY_STAGED

    def activate(self, job: NodeJob) -> Effect:
        """Bring the node back; a second run restarts nothing."""
        done = self.forward.roll_back(replace(job, version=self.undone))
        return Effect.ACTIVATED if done is Effect.ROLLED_BACK else Effect.ALREADY_ACTIVE

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Say that who went back is not taken back in turn: another upgrade is."""
        del shell, version
        return WayBack.one_way("what was taken back comes again with another upgrade")

    def roll_back(self, job: NodeJob) -> Effect:
        """Refuse: there is no way back from a way back.

        :raises NodeFaultError: always.
        """
        del job
        raise NodeFaultError("there is no way back from a way back", remedy="upgrade the node again")
