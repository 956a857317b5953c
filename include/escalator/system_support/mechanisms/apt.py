"""The bundle mechanism ``apt``: packages in exact versions, and nothing else that nobody named."""

from __future__ import annotations

import logging
from functools import partial

from escalator.model.bundle import COMPUTE, AptMechanism, Impact
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, Verdict, find_blockers
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.apt_outlook import Outlook, judge_outlook, read_outlook
from escalator.system_support.mechanisms.apt_rows import NO_COMPONENT, read_row
from escalator.system_support.mechanisms.apt_scripts import (
    STATE,
    write_activate_script,
    write_check_script,
    write_outlook_script,
    write_read_script,
    write_source_script,
    write_stage_script,
)
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, UnitState
from escalator.system_support.mechanisms.questions import ask_service_state, find_lacking
from escalator.system_support.shell import Shell

LOOK_SECONDS = 120.0
"""How long apt may think about what it would do."""
SOURCE_SECONDS = 300.0
"""How long the sources may take to be read."""

log = logging.getLogger(__name__)


class AptOnNode:
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
        state: str = STATE,
    ) -> None:
        self._mechanism = mechanism
        self._impact = impact
        self._base = base
        self._state = state

    @property
    def brings_software(self) -> bool:
        """Return True."""
        return True

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find what lacks, dpkg's state, holds, its lock, disk space, and what apt would do unasked."""
        lacking = find_lacking(shell, write_check_script(self._mechanism, self._base, self._state))
        return lacking or self._judge(shell.host, self._look(shell, self._mechanism.compute.version))

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Read the sources where apt does not know a version yet, in a folder that is removed again."""
        script = write_source_script(self._mechanism, version, self._state)
        outlook = _read(shell, script, SOURCE_SECONDS)
        if not outlook.trouble:
            return self._judge(shell.host, outlook)
        there = "; ".join(f"{name}: {versions or 'none'}" for name, versions in outlook.known.items())
        name = self._mechanism.compute.name
        verdict = Verdict(
            code=Code.STAGE_FAILED,
            message=f"{name} {version} is not staged, and no source has it: {outlook.trouble}",
            subject=Subject.of_node(shell.host),
            remedy=f"put these versions into a source of the node, or name others; there are {there}"
            if there
            else "see that the node reaches its sources, and that it has their keys",
        )
        return (verdict,)

    def installed(self, shell: Shell) -> InstalledVersion:
        """Read what dpkg has, and what the service runs: a process from before the package runs the old one.

        A package that dpkg did not bring to its end counts as the one before it.
        """
        result = shell.run_as_root(write_read_script(self._mechanism))
        if not result.ok:
            raise NodeFaultError(
                f"node {shell.host}: cannot read what is installed: {result.last_words}",
                remedy="see that dpkg works on the node",
            )
        rows = [read_row(line) for line in result.stdout.splitlines()]
        own = next(row for row in rows if row.component == COMPUTE)
        return InstalledVersion(
            package=own.package,
            place="dpkg, and the process of its service",
            target=None,
            version=own.whole,
            running=own.running,
            previous=None,
            main_pid=own.main_pid,
            active=own.active,
            components={row.component: row.counts_as for row in rows if row.component != NO_COMPONENT},
        )

    def service_state(self, shell: Shell) -> UnitState | None:
        """Read what systemd prints of nova-compute's service."""
        return ask_service_state(shell, self._mechanism.compute.service or COMPUTE)

    def stage(self, job: NodeJob) -> Effect:
        """Download the packages and what they need; a second run proves what is in the cache."""
        script = write_stage_script(self._mechanism, job.version, self._state)
        return job.run(script, trouble=f"{self._name(job)} cannot be staged", base=self._base)

    def activate(self, job: NodeJob) -> Effect:
        """Look at what apt would do, judge it, and have it do that and nothing else; restart what is old."""
        look = partial(self._look, version=job.version)
        outlook = remote_job.reach(job.connect, look, deadline=job.deadline, clock=job.clock, sleep=job.sleep)
        blockers = find_blockers(self._judge("", outlook))
        trouble = f"{self._name(job)} cannot be installed"
        if blockers:
            raise NodeFaultError(
                f"{trouble}: {'; '.join(v.message for v in blockers)}",
                remedy=blockers[0].remedy,
                code=blockers[0].code,
            )
        script = write_activate_script(self._mechanism, job.version, outlook.lines, self._state)
        return job.run(script, trouble=trouble, base=self._base)

    def _name(self, job: NodeJob) -> str:
        return f"{self._mechanism.compute.name} {job.version}"

    def _look(self, shell: Shell, version: str) -> Outlook:
        outlook = _read(shell, write_outlook_script(self._mechanism, version, self._state), LOOK_SECONDS)
        log.info("%s: apt would do: %s", shell.host, outlook.describe())
        return outlook

    def _judge(self, host: str, outlook: Outlook) -> tuple[Verdict, ...]:
        return judge_outlook(outlook, self._mechanism, self._impact, Subject.of_node(host))


def _read(shell: Shell, script: str, seconds: float) -> Outlook:
    result = shell.run_as_root(script, seconds)
    if not result.ok:
        raise NodeFaultError(
            f"node {shell.host}: cannot look at what apt would do: {result.last_words}",
            remedy="see that apt and dpkg work on the node",
        )
    return read_outlook(result.stdout)
