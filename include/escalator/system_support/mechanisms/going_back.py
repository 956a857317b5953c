"""A mechanism in reverse: what is activated is what the node had before the version that a bundle brought.

So the steps of an upgrade carry out its way back, and know nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from escalator.model.bundle import COMPUTE, AptMechanism, Bundle, DnfMechanism, Mechanism
from escalator.model.campaign import RunOf
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, NodeMechanism, UnitState
from escalator.system_support.node_software import read_software
from escalator.system_support.shell import Shell


def find_brought(bundle: Bundle, undoes: RunOf | None) -> Mechanism:
    """Return a bundle's mechanism as it brought what is to be undone; that of an upgrade as it is.

    What it noted on a node is found by what it brought, not by what the node goes back to.
    """
    mechanism = bundle.mechanism
    if undoes is None or not isinstance(mechanism, AptMechanism | DnfMechanism):
        return mechanism
    brought = {COMPUTE: undoes.version, **undoes.components}
    packages = (replace(p, version=brought.get(p.component or "", p.version)) for p in mechanism.packages)
    return replace(mechanism, packages=tuple(packages))


def turn_around(forward: NodeMechanism, bundle: Bundle, undoes: RunOf | None) -> NodeMechanism:
    """Return what takes a run back to what a bundle says; of an upgrade the mechanism as it is."""
    if undoes is None:
        return forward
    before = {one.name: one.to for one in bundle.components if one.name != COMPUTE}
    return GoingBack(forward=forward, undone=undoes.version, before=before)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingBack:
    """A mechanism that takes back what another one brought.

    :ivar forward: the mechanism that brought it, with the versions that it brought.
    :ivar undone: the version that it brought of nova-compute.
    :ivar before: the other components of the bundle -> the versions that the node goes back to.
    """

    forward: NodeMechanism
    undone: str
    before: Mapping[str, str] = field(default_factory=dict)

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
        wanted = {COMPUTE: version, **self.before}
        others = [f"{name} {one}" for name, one in wanted.items() if way.versions.get(name, one) != one]
        if not way.is_one_way and not others:
            return ()
        plain = version if set(wanted) == {COMPUTE} else ", ".join(others)
        verdict = Verdict(
            code=Code.NO_WAY_BACK,
            message=f"its way back from {self.undone} is {way}"
            + ("" if way.is_one_way else f", and not to {plain}"),
            subject=Subject.of_node(shell.host),
            remedy="leave the node out, or bring it back by hand from a backup",
        )
        return (verdict,)

    def installed(self, shell: Shell) -> InstalledVersion | None:
        """Read what is installed and runs; what the mechanism does not tell of is asked of the node."""
        found = self.forward.installed(shell)
        if found is None or self.before.keys() <= found.components.keys():
            return found
        told = read_software(shell)
        besides = {name: told[name] for name in self.before if name in told}
        return replace(found, components={**besides, **found.components})

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
