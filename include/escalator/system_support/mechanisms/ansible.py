"""The bundle mechanisms ``ansible`` and ``kolla-ansible``: run by the worker, proved on the node.

Records and proofs are those of the mechanism ``command``, on the node. Between them the worker runs Ansible,
while it holds the node's lock.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import BoundedSemaphore

from escalator.model.bundle import PlaybookRun
from escalator.model.errors import InvalidRequestError, NodeFaultError
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.ansible_scripts import (
    STATE,
    ask_service,
    write_activate_begin,
    write_activate_end,
    write_node_check,
    write_restore_begin_script,
    write_restore_end_script,
    write_roll_back_begin,
    write_roll_back_end,
    write_stage_begin,
    write_stage_end,
    write_staged_question,
    write_way_back_script,
)
from escalator.system_support.mechanisms.node_job import PREFIX, Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, UnitState
from escalator.system_support.mechanisms.questions import ask_service_state, ask_way_back, find_lacking
from escalator.system_support.playbooks.command_lines import name_host
from escalator.system_support.playbooks.holding import HeldNode, hold_node
from escalator.system_support.playbooks.node_lock import NodeLock
from escalator.system_support.playbooks.outcome import Outcome, find_trouble
from escalator.system_support.playbooks.worker import (
    Part,
    WorkerSide,
    WorkersMechanism,
    find_worker_faults,
    prepare_run,
)
from escalator.system_support.playbooks.worker_run import run_ansible
from escalator.system_support.shell import Shell, parse_pairs

CHECK_SECONDS = 300.0
"""How long a try in check mode may take."""
_AT_ONCE = BoundedSemaphore(4)
"""Tries in check mode side by side: each is a process of its own on the worker."""

_NO_RUN = "the bundle names nothing that goes back, under rollback"

log = logging.getLogger(__name__)


class AnsibleOnWorker:
    """Runs a bundle's playbooks for one node at a time.

    :param worker: the programs, playbooks and secrets of the worker.
    :param base: folder of the remote jobs on the nodes; :param state: that of the records.
    :param lock: makes the lock of a node for an owner.
    """

    def __init__(
        self,
        mechanism: WorkersMechanism,
        worker: WorkerSide,
        *,
        base: str = remote_job.DEFAULT_BASE,
        state: str = STATE,
        lock: Callable[[str], NodeLock] = lambda owner: NodeLock(owner=owner),
    ) -> None:
        self._mechanism = mechanism
        self._worker = worker
        self._base = base
        self._state = state
        self._lock = lock

    @property
    def brings_software(self) -> bool:
        """Return True."""
        return True

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find what the node lacks, and what the worker does: programs, playbooks, inventory, the vault."""
        lacking = find_lacking(shell, write_node_check(self._mechanism, self._base, self._state))
        faults = find_worker_faults(self._mechanism, self._worker)
        subject = Subject.of_node(shell.host)
        return (
            *lacking,
            *(
                Verdict(code=Code.WORKER_NOT_READY, message=f.message, subject=subject, remedy=f.remedy)
                for f in faults
            ),
        )

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Try, in Ansible's check mode, what comes next: the stage run until that is staged, then the other.

        What would change is told, and in nobody's way.
        """
        mechanism = self._mechanism
        if not mechanism.check_mode:
            return ()
        staged = shell.run_as_root(write_staged_question(mechanism, version, self._state)).ok
        part = mechanism.activate if staged or mechanism.stage is None else mechanism.stage
        try:
            outcome = self._try(shell.host, part, version)
        except InvalidRequestError as exc:
            return (_refuse(shell.host, version, exc.message, exc.remedy),)
        if trouble := find_trouble(outcome, name_host(mechanism, shell.host), CHECK_SECONDS):
            remedy = "correct it or what it needs; or set check_mode: false, where it cannot be tried"
            return (_refuse(shell.host, version, f"{_say(part)}, in check mode, {trouble}", remedy),)
        would = ", ".join(dict.fromkeys(outcome.changed)) or "nothing"
        told = Verdict(
            code=Code.WOULD_CHANGE,
            message=f"{_say(part)} would change: {would}",
            subject=Subject.of_node(shell.host),
            severity=Severity.INFO,
        )
        return (told,)

    def installed(self, shell: Shell) -> InstalledVersion:
        """Ask the version command on the node, as the mechanism ``command`` does.

        :raises NodeFaultError: the command fails, takes too long, or prints what is no version.
        """
        return ask_service(self._mechanism, self._state).read(shell)

    def service_state(self, shell: Shell) -> UnitState | None:
        """Read what systemd prints of the service."""
        return ask_service_state(shell, self._mechanism.service)

    def stage(self, job: NodeJob) -> Effect:
        """Run what lays the version down; so does a second run: that it changes nothing is its author's."""
        mechanism, trouble = self._mechanism, f"{job.version} cannot be staged"
        begin = write_stage_begin(mechanism, job.version, self._state)
        status = _name_part(job, "begin").run_to_status(begin, trouble=trouble, base=self._base)
        found = parse_pairs(status.output)
        end = write_stage_end(mechanism, job.version, self._state, was=found.get("was", ""))
        if mechanism.stage is None:
            return _name_part(job, "end").run(end, trouble=trouble, base=self._base)
        with self._hold(job) as held:
            self._run(job, held, mechanism.stage, found.get("artefacts", ""), trouble)
            return _name_part(job, "end").run(end, trouble=trouble, base=self._base)

    def activate(self, job: NodeJob) -> Effect:
        """Run what switches, unless this bundle has brought that version and it runs; then have it proved."""
        mechanism = self._mechanism
        trouble = f"{mechanism.service} cannot be brought to {job.version}"
        found = self._begin(job, trouble)
        if found is None:
            return Effect.ALREADY_ACTIVE
        with self._hold(job) as held:
            if held.waited and self._begin(job, trouble) is None:  # whoever had the lock has done it
                return Effect.ALREADY_ACTIVE
            self._run(job, held, mechanism.activate, found.get("artefacts", ""), trouble)
            end = write_activate_end(mechanism, job.version, self._state)
            return _name_part(job, "end").run(end, trouble=trouble, base=self._base)

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Read what this bundle replaced, or what the service runs; without a rollback run there is none.

        :raises NodeFaultError: the version command fails.
        """
        if self._mechanism.rollback is None:
            return WayBack.one_way(_NO_RUN)
        script = write_way_back_script(self._mechanism, version, self._state)
        return ask_way_back(shell, script, version, self._mechanism.version_seconds)

    def roll_back(self, job: NodeJob) -> Effect:
        """Run what goes back, unless nothing of this bundle is left; then have it proved.

        :raises NodeFaultError: the bundle names no such run.
        """
        rollback = self._mechanism.rollback
        trouble = f"{self._mechanism.service} cannot be brought back from {job.version}"
        if rollback is None:
            raise NodeFaultError(f"{trouble}: {_NO_RUN}", remedy="go back by hand, or from a backup")
        if self._begin_back(job, trouble) is None:
            return Effect.ALREADY_BACK
        with self._hold(job) as held:
            previous = self._begin_back(job, trouble)
            if previous is None:  # whoever had the lock has done it
                return Effect.ALREADY_BACK
            self._run(job, held, rollback, "", trouble, previous=previous)
            end = write_roll_back_end(self._mechanism, job.version, self._state)
            return _name_part(job, "end").run(end, trouble=trouble, base=self._base)

    def put_back(self, job: NodeJob, token: str) -> None:
        """Run what brings the version of a backup, after its files are back; then have it proved.

        :param job: its version is what the node had as the backup was taken.
        :param token: of the run that puts the node back.
        :raises NodeFaultError: the bundle names no such run, or it failed.
        """
        mechanism = self._mechanism
        trouble = f"{mechanism.service} cannot be put back to {job.version}"
        if mechanism.restore is None:
            raise NodeFaultError(f"{trouble}: the bundle names no restore run", remedy="go back by hand")
        with self._hold(job) as held:
            begin = write_restore_begin_script(mechanism, job.version, token, self._state)
            _name_part(job, "begin").run_to_status(begin, trouble=trouble, base=self._base)
            self._run(job, held, mechanism.restore, "", trouble, previous=job.version)
            end = write_restore_end_script(mechanism, job.version, token, self._state)
            _name_part(job, "end").run(end, trouble=trouble, base=self._base)

    def _begin_back(self, job: NodeJob, trouble: str) -> str | None:
        """Record that going back begins; return what ran before the bundle, None where nothing is left."""
        script = write_roll_back_begin(self._mechanism, job.version, self._state)
        status = _name_part(job, "begin").run_to_status(script, trouble=trouble, base=self._base)
        done = f"{PREFIX}{Effect.ALREADY_BACK}" in status.output.splitlines()
        return None if done else parse_pairs(status.output).get("previous", "")

    def _begin(self, job: NodeJob, trouble: str) -> dict[str, str] | None:
        """Record what runs before; None: the version runs already, by this bundle."""
        script = write_activate_begin(self._mechanism, job.version, self._state)
        status = _name_part(job, "begin").run_to_status(script, trouble=trouble, base=self._base)
        done = f"{PREFIX}{Effect.ALREADY_ACTIVE}" in status.output.splitlines()
        return None if done else parse_pairs(status.output)

    def _hold(self, job: NodeJob) -> AbstractContextManager[HeldNode]:
        """Hold the node's lock, for this one run: the next try of the same work is another owner."""
        lock = self._lock(f"{self._worker.name}, {job.job_id}, run {uuid.uuid4().hex[:12]}")
        return hold_node(lock, job.connect, deadline=job.deadline, clock=job.clock, sleep=job.sleep)

    def _run(
        self, job: NodeJob, held: HeldNode, part: Part, artefacts: str, trouble: str, *, previous: str = ""
    ) -> None:
        """Run a part to its good end, while the node's lock is held.

        :param previous: what the service ran before the bundle, where that is wanted back.
        :raises NodeFaultError: it failed, was ended at its limit, or the lock was lost.
        """
        mechanism, host = self._mechanism, held.host
        own = mechanism.stage_seconds if part is mechanism.stage else mechanism.activate_seconds
        limit = max(0.0, min(own, (job.deadline - job.clock()).total_seconds()))
        try:
            run = prepare_run(
                mechanism,
                part,
                self._worker,
                host=host,
                version=job.version,
                limit_seconds=limit,
                artefacts=artefacts,
                previous=previous,
            )
        except InvalidRequestError as exc:
            raise NodeFaultError(f"{trouble}: {exc.message}", remedy=exc.remedy) from exc
        outcome = run_ansible(run, go_on=held.renew, say=log.info)
        if found := find_trouble(outcome, name_host(mechanism, host), limit):
            raise NodeFaultError(
                f"{trouble}: {_say(part)} {found}",
                remedy="read the task's log, which has a line for each result of Ansible's; then try again",
            )

    def _try(self, host: str, part: Part, version: str) -> Outcome:
        """Run a part in check mode; nothing is changed, so nothing is locked."""
        with _AT_ONCE:
            run = prepare_run(
                self._mechanism,
                part,
                self._worker,
                host=host,
                version=version,
                limit_seconds=CHECK_SECONDS,
                check=True,
            )
            return run_ansible(run, go_on=lambda: True, say=log.debug)


def _name_part(job: NodeJob, name: str) -> NodeJob:
    """Return the job of one script among several: what one says is not taken for what the other does."""
    before = job.before if name == "begin" else ""
    return replace(job, job_id=f"{job.job_id}-{name}", before=before)


def _say(part: Part) -> str:
    """Name a part as messages call it."""
    return f"playbook {part.playbook}" if isinstance(part, PlaybookRun) else f"kolla-ansible {part.action}"


def _refuse(host: str, version: str, said: str, remedy: str | None) -> Verdict:
    return Verdict(
        code=Code.STAGE_FAILED,
        message=f"{version} is not staged, and cannot be: {said}",
        subject=Subject.of_node(host),
        remedy=remedy,
    )
