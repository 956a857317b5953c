"""What the mechanisms of packages have in common: stage into a cache, look, judge, install, prove.

Each has scripts of its own, which speak in the same lines; what they say is judged in one place.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Generic, Protocol, TypeVar

from escalator.model.bundle import COMPUTE, AptMechanism, DnfMechanism, Impact
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Severity, Subject, Verdict, find_blockers
from escalator.model.way_back import WayBack
from escalator.model.wording import name_some
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.apt_outlook import Outlook, Words, judge_outlook, read_outlook
from escalator.system_support.mechanisms.apt_rows import NO_COMPONENT, read_row
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.packages_back import (
    Before,
    decide_way_back,
    find_unnamed,
    read_before,
    turn_back,
)
from escalator.system_support.mechanisms.protocol import InstalledVersion, UnitState
from escalator.system_support.mechanisms.questions import ask_service_state, find_lacking
from escalator.system_support.shell import Shell

LOOK_SECONDS = 120.0
"""How long the tool may think about what it would do."""
SOURCE_SECONDS = 300.0
"""How long the sources may take to be read."""

_PAUSE_SECONDS = 2.0

log = logging.getLogger(__name__)
M = TypeVar("M", AptMechanism, DnfMechanism)
M_contra = TypeVar("M_contra", contravariant=True)


class Scripts(Protocol[M_contra]):
    """The scripts of a mechanism of packages: a module of this package."""

    def write_stage_script(self, mechanism: M_contra, version: str, state: str, /) -> str:
        """Write what downloads the packages."""

    def write_activate_script(
        self, mechanism: M_contra, version: str, approved: Iterable[str], state: str, /
    ) -> str:
        """Write what installs them where nothing would be done that is not approved."""

    def write_check_script(self, mechanism: M_contra, jobs: str, state: str, /) -> str:
        """Write what says, as ``kind|message`` lines, what the node lacks."""

    def write_outlook_script(self, mechanism: M_contra, version: str, state: str, /) -> str:
        """Write what says what would be done, in lines of an outlook."""

    def write_source_script(self, mechanism: M_contra, version: str, state: str, /) -> str:
        """Write what says that once the sources are read."""

    def write_read_script(self, mechanism: M_contra, state: str, /) -> str:
        """Write what says a row for each package."""

    def write_way_back_script(self, mechanism: M_contra, version: str, state: str, /) -> str:
        """Write what says what was noted of the packages of before, and what of that a source has."""


class PackagesOnNode(Generic[M]):
    """Downloads packages into the cache of their tool, and installs them from there.

    :param impact: what the bundle says that it touches: what would be touched is held against it.
    :param scripts: of the mechanism; :param words: how its tool is called, and what mends it.
    :param base: folder of the remote jobs on the nodes.
    :param state: folder of the records of what was begun.
    """

    def __init__(
        self, mechanism: M, impact: Impact, scripts: Scripts[M], words: Words, *, base: str, state: str
    ) -> None:
        self._mechanism: M = mechanism
        self._impact = impact
        self._scripts: Scripts[M] = scripts
        self._words = words
        self._base = base
        self._state = state

    @property
    def brings_software(self) -> bool:
        """Return True."""
        return True

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find what lacks, states of packages, holds, locks, disk space, and what would be done unasked."""
        lacking = find_lacking(
            shell, self._scripts.write_check_script(self._mechanism, self._base, self._state)
        )
        return lacking or self.check_outlook(shell)

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Read the sources where the node's lists do not know a version yet, and tell what would be done."""
        script = self._scripts.write_source_script(self._mechanism, version, self._state)
        outlook: Outlook = self._ask(shell, script, SOURCE_SECONDS)
        if not outlook.trouble:
            return (*self._judge(shell.host, outlook), *self._tell(shell.host, outlook))
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
        """Read what the data base has, and what the service runs: a process from before runs the old version.

        A package that was not brought to its end counts as the one before it.
        """
        result = shell.run_as_root(self._scripts.write_read_script(self._mechanism, self._state))
        if not result.ok:
            raise NodeFaultError(
                f"node {shell.host}: cannot read what is installed: {result.last_words}",
                remedy=f"see that {self._words.database} works on the node",
            )
        rows = [read_row(line) for line in result.stdout.splitlines()]
        own = next(row for row in rows if row.component == COMPUTE)
        return InstalledVersion(
            package=own.package,
            place=f"{self._words.database}, and the process of its service",
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
        script = self._scripts.write_stage_script(self._mechanism, job.version, self._state)
        return job.run(script, trouble=f"{self._name(job)} cannot be staged", base=self._base)

    def activate(self, job: NodeJob) -> Effect:
        """Look at what would be done, judge it, and have that done and nothing else; restart what is old."""
        outlook = self._look_for(job)
        blockers = find_blockers(self._judge("", outlook))
        trouble = f"{self._name(job)} cannot be installed"
        if blockers:
            raise NodeFaultError(
                f"{trouble}: {'; '.join(v.message for v in blockers)}",
                remedy=blockers[0].remedy,
                code=blockers[0].code,
            )
        script = self._scripts.write_activate_script(self._mechanism, job.version, outlook.lines, self._state)
        return job.run(script, trouble=trouble, base=self._base)

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Read what an installation noted, or else what the node has now, and whether a source has that.

        Of a node that has something to undo the tool is asked as well whether it would do that, and no more.
        """
        before = self._read_before(shell, version)
        way = decide_way_back(before, self._mechanism, version)
        if way.is_one_way or not before.noted:
            return way
        back = self._turn_back(before)
        blockers = find_blockers(back.check_outlook(shell))
        return WayBack.one_way("; ".join(v.message for v in blockers)) if blockers else way

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
        back = self._turn_back(before)
        version = before.versions[self._mechanism.compute.name]
        back.stage(replace(job, version=version, job_id=f"{job.job_id}-stage"))
        done = back.activate(replace(job, version=version, job_id=f"{job.job_id}-activate"))
        return Effect.ALREADY_BACK if done is Effect.ALREADY_ACTIVE else Effect.ROLLED_BACK

    def check_outlook(self, shell: Shell) -> tuple[Verdict, ...]:
        """Ask the tool what it would do now for what is named, and judge that."""
        return self._judge(shell.host, self._look(shell, self._mechanism.compute.version))

    def _turn_back(self, before: Before) -> PackagesOnNode[M]:
        mechanism = turn_back(self._mechanism, before)
        return _Backwards(
            mechanism, self._impact, self._scripts, self._words, base=self._base, state=self._state
        )

    def _read_before(self, shell: Shell, version: str) -> Before:
        script = self._scripts.write_way_back_script(self._mechanism, version, self._state)
        result = shell.run_as_root(script, LOOK_SECONDS)
        if not result.ok:
            raise NodeFaultError(
                f"node {shell.host}: cannot look for what was there before: {result.last_words}",
                remedy=f"see that {self._words.tool} works on the node",
            )
        return read_before(result.stdout)

    def _name(self, job: NodeJob) -> str:
        return f"{self._mechanism.compute.name} {job.version}"

    def _look_for(self, job: NodeJob) -> Outlook:
        """Look until there is something to see, or the job's deadline: under a lock there may be nothing."""
        look = partial(self._look, version=job.version)
        while True:
            outlook = remote_job.reach(
                job.connect, look, deadline=job.deadline, clock=job.clock, sleep=job.sleep
            )
            if self._words.sees_under_lock or not outlook.locked or job.clock() >= job.deadline:
                return outlook
            job.sleep(_PAUSE_SECONDS)

    def _look(self, shell: Shell, version: str) -> Outlook:
        script = self._scripts.write_outlook_script(self._mechanism, version, self._state)
        outlook = self._ask(shell, script, LOOK_SECONDS)
        log.info("%s: %s would do: %s", shell.host, self._words.tool, outlook.describe())
        return outlook

    def _tell(self, host: str, outlook: Outlook) -> tuple[Verdict, ...]:
        """Tell what would be installed, removed and restarted; that is in nobody's way."""
        if not (outlook.changes or outlook.removed):
            return ()
        told = Verdict(
            code=Code.WOULD_CHANGE,
            message=f"{self._words.tool} would do: {outlook.describe()}",
            subject=Subject.of_node(host),
            severity=Severity.INFO,
        )
        return (told,)

    def _judge(self, host: str, outlook: Outlook) -> tuple[Verdict, ...]:
        return judge_outlook(outlook, self._mechanism, self._impact, Subject.of_node(host), self._words)

    def _ask(self, shell: Shell, script: str, seconds: float) -> Outlook:
        result = shell.run_as_root(script, seconds)
        if not result.ok:
            tool, database = self._words.tool, self._words.database
            raise NodeFaultError(
                f"node {shell.host}: cannot look at what {tool} would do: {result.last_words}",
                remedy=f"see that {tool} and {database} work on the node",
            )
        return read_outlook(result.stdout)


class _Backwards(PackagesOnNode[M]):
    """Brings the packages of before; a step back of any other one is refused."""

    def _judge(self, host: str, outlook: Outlook) -> tuple[Verdict, ...]:
        found: tuple[Verdict, ...] = super()._judge(host, outlook)
        unnamed = find_unnamed(outlook.down, self._mechanism)
        if not unnamed:
            return found
        said = f"{self._words.tool} would go back to an older version of {name_some(unnamed)}"
        refused = Verdict(
            code=Code.NODE_PACKAGES_REFUSED,
            message=f"{said}, which the bundle did not bring",
            subject=Subject.of_node(host),
            remedy=f"find out why {self._words.tool} wants it, and bring these packages back by hand",
        )
        return (*found, refused)
