"""The bundle mechanism ``apt``: Debian packages in exact versions, and nothing else that nobody named."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from escalator.model.bundle import AptMechanism, Impact
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.model.wording import name_some
from escalator.system_support import remote_job
from escalator.system_support.mechanisms import apt_scripts
from escalator.system_support.mechanisms.apt_back import (
    Before,
    decide_way_back,
    find_unnamed,
    read_before,
    turn_back,
)
from escalator.system_support.mechanisms.apt_outlook import APT, Outlook
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.packages import LOOK_SECONDS, PackagesOnNode
from escalator.system_support.shell import Shell


class AptOnNode(PackagesOnNode[AptMechanism]):
    """Downloads packages into apt's cache, and installs them from there.

    :param impact: what the bundle says that it touches: what apt would touch is held against it.
    :param base: folder of the remote jobs on the nodes.
    :param state: folder of the records of what was begun.
    """

    def __init__(
        self,
        mechanism: AptMechanism,
        impact: Impact = Impact.CONTROL,
        *,
        base: str = remote_job.DEFAULT_BASE,
        state: str = apt_scripts.STATE,
    ) -> None:
        super().__init__(mechanism, impact, apt_scripts, APT, base=base, state=state)

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Read what an installation noted, or else what the node has now, and whether a source has that."""
        return decide_way_back(self._read_before(shell, version), self._mechanism, version)

    def roll_back(self, job: NodeJob) -> Effect:
        """Bring the versions of before by the same means, and under the same rules, as those of the bundle.

        What came along new may be removed for it; no other package may step back.
        """
        read = partial(self._read_before, version=job.version)
        before = remote_job.reach(job.connect, read, deadline=job.deadline, clock=job.clock, sleep=job.sleep)
        if not before.noted and before.now != job.version:
            return Effect.ALREADY_BACK
        way = decide_way_back(before, self._mechanism, job.version)
        if way.is_one_way:
            raise NodeFaultError(
                f"{self._name(job)} has no way back: {way.reason}",
                remedy="put the packages of before into a source of the node, or restore it from a backup",
            )
        mechanism = turn_back(self._mechanism, before)
        back = _Backwards(mechanism, self._impact, base=self._base, state=self._state)
        version = mechanism.compute.version
        back.stage(replace(job, version=version, job_id=f"{job.job_id}-stage"))
        done = back.activate(replace(job, version=version, job_id=f"{job.job_id}-activate"))
        return Effect.ALREADY_BACK if done is Effect.ALREADY_ACTIVE else Effect.ROLLED_BACK

    def _read_before(self, shell: Shell, version: str) -> Before:
        script = apt_scripts.write_way_back_script(self._mechanism, version, self._state)
        result = shell.run_as_root(script, LOOK_SECONDS)
        if not result.ok:
            raise NodeFaultError(
                f"node {shell.host}: cannot look for what was there before: {result.last_words}",
                remedy="see that apt works on the node",
            )
        return read_before(result.stdout)


class _Backwards(AptOnNode):
    """Brings the packages of before; a step back of any other one is refused."""

    def _judge(self, host: str, outlook: Outlook) -> tuple[Verdict, ...]:
        found = super()._judge(host, outlook)
        unnamed = find_unnamed(outlook.down, self._mechanism)
        if not unnamed:
            return found
        said = f"apt would go back to an older version of {name_some(unnamed)}"
        refused = Verdict(
            code=Code.NODE_PACKAGES_REFUSED,
            message=f"{said}, which the bundle did not bring",
            subject=Subject.of_node(host),
            remedy="find out why apt wants it, and bring these packages back by hand",
        )
        return (*found, refused)
