"""A node is put back from its backup: what is activated is configuration, units, environment and packages.

So the steps of an upgrade carry out a restore, and know nothing of it. The archive goes to the node as it is
in the store, and is unpacked there by root; a backup that is not whole is refused before that.
"""

from __future__ import annotations

import base64
import logging
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import IO, Any, Protocol, TypeVar

from escalator.model.backup import ANOTHER_BACKUP
from escalator.model.bundle import (
    AnsibleMechanism,
    AptMechanism,
    Bundle,
    CommandMechanism,
    Component,
    DnfMechanism,
    KollaAnsibleMechanism,
    PackageMechanism,
    VenvMechanism,
)
from escalator.model.errors import (
    EscalatorError,
    InvalidRequestError,
    LoginRefusedError,
    NodeFaultError,
    TransientError,
)
from escalator.model.verdict import Code, Severity, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.model.wording import name_some
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.ansible import AnsibleOnWorker
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, NodeMechanism, UnitState
from escalator.system_support.mechanisms.questions import find_lacking
from escalator.system_support.mechanisms.restore_packages import DPKG, RPM, PackageTool
from escalator.system_support.mechanisms.restore_plan import (
    find_changed,
    find_packages,
    find_target,
    list_files,
)
from escalator.system_support.mechanisms.restore_scripts import (
    STATE,
    Putting,
    write_activate_script,
    write_check_script,
    write_end_script,
    write_files_script,
    write_stage_script,
    write_sums_script,
)
from escalator.system_support.playbooks.worker import WorkerSide
from escalator.system_support.shell import Shell

T = TypeVar("T")
log = logging.getLogger(__name__)
_CHUNK = 45_000
"""Bytes of the archive that one command takes: its line may have 128 KiB."""
_AT_ONCE = 400
UNKNOWN = "unknown"
"""The version of a node that does not say what it has."""
_LOOK_SECONDS = 60.0


class SavedNode(Protocol):
    """A backup of a node in its store; what reads raises an EscalatorError where it cannot."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of its archive."""

    def prove(self) -> None:
        """Read all of it and compare every checksum."""

    def read_manifest(self) -> Mapping[str, Any]:
        """Read what is in it."""

    def open_archive(self) -> AbstractContextManager[IO[bytes]]:
        """Open its archive."""


class OwnSoftware(Protocol):
    """What an operator's own commands or playbooks bring."""

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find what keeps them from working."""

    def put_back(self, job: NodeJob, token: str) -> None:
        """Bring the version of the job, for the run of the token, and have it proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPutBack(InstalledVersion):
    """What is on a node that was not put back by this run yet: it is behind, whatever its versions are."""

    backup: str

    def find_behind(self, wanted: Iterable[Component]) -> tuple[str, ...]:
        """Say that it is not put back, beside what else is behind."""
        return (*InstalledVersion.find_behind(self, wanted), f"backup {self.backup} not put back")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """A mechanism that puts a node back to a backup.

    :ivar forward: reads what the node runs, as for the bundle that the backup was taken for.
    :ivar service: restarted once all is back. :ivar token: of the run: another one puts it back again.
    :ivar link: names the environment; empty: there is none. :ivar packages: named by the bundle.
    :ivar tool: puts packages back; None: there are none.
    :ivar own: the operator's own means, which bring the software and restart the service; None: none.
    :ivar base: folder of the remote jobs; :ivar state: of the backups; :ivar root: in place of ``/``.
    """

    forward: NodeMechanism
    saved: SavedNode
    service: str
    token: str
    link: str = ""
    packages: tuple[str, ...] = ()
    tool: PackageTool | None = None
    own: OwnSoftware | None = None
    base: str = remote_job.DEFAULT_BASE
    state: str = STATE
    root: str = ""

    @property
    def brings_software(self) -> bool:
        """Return True."""
        return True

    @property
    def folder(self) -> str:
        """Return the folder of the backup on the node."""
        return f"{self.state}/{self.saved.id}"

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find the programs that lack."""
        lacking = find_lacking(shell, write_check_script(self.tool))
        return lacking if self.own is None else tuple(dict.fromkeys((*lacking, *self.own.check(shell))))

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Prove the backup, and say what is lost with it; nothing is left on the node."""
        del version
        subject = Subject.of_node(shell.host)
        try:
            self.saved.prove()
            manifest = self.saved.read_manifest()
        except EscalatorError as exc:
            said = f"the backup {self.saved.id} cannot be used: {exc.message}"
            return (
                Verdict(
                    code=Code.BACKUP_FAILED,
                    message=said,
                    subject=subject,
                    remedy=exc.remedy or ANOTHER_BACKUP,
                ),
            )
        putting, files = self._find_putting(shell, manifest), list_files(manifest)
        changed = find_changed(files, self._sum(shell, files))
        lost = [f"{p.name} {p.now or 'which is not whole'} -> {p.version}" for p in putting.packages]
        said = f"backup {self.saved.id} of {manifest['taken_at']}: {len(files)} file(s)"
        told = Verdict(
            code=Code.RESTORE_LOSES,
            message=f"{said}; changed since, and lost: {name_some([*changed, *lost]) or 'nothing'}"
            + ("; then what the bundle says under restore is run" if self.own is not None else ""),
            subject=subject,
            severity=Severity.INFO,
        )
        nowhere = [f"{p.name} {p.version}" for p in putting.packages if not (p.place or p.url)]
        if not nowhere:
            return (told,)
        lacking = f"neither the backup nor a source that it knows has {name_some(nowhere)}"
        return (
            told,
            Verdict(code=Code.BACKUP_FAILED, message=lacking, subject=subject, remedy=ANOTHER_BACKUP),
        )

    def installed(self, shell: Shell) -> InstalledVersion | None:
        """Read which version is installed and which runs, and whether this run has put the node back.

        A node that does not say what it has is one that a restore is for: its version counts as unknown.
        """
        done = shell.run_as_root(f"cat {shlex.quote(self.folder)}/done 2>/dev/null; true").stdout.strip()
        if done == self.token:
            return self.forward.installed(shell)
        known = self._read_known(shell)
        if known["running"] is None and known["version"] is None:
            known["version"] = UNKNOWN
        return NotPutBack(**known, backup=self.saved.id)

    def _read_known(self, shell: Shell) -> dict[str, Any]:
        try:
            found = self.forward.installed(shell)
        except LoginRefusedError:
            raise
        except NodeFaultError as exc:
            if exc.code is Code.NODE_NO_PRIVILEGE:
                raise
            log.warning("%s does not say what it has: %s", shell.host, exc)
            found = None
        if found is not None:
            return {field.name: getattr(found, field.name) for field in fields(found)}
        nothing = dict.fromkeys(("target", "version", "running", "previous", "main_pid"))
        return {**nothing, "package": self.service, "place": "the node", "active": False}

    def service_state(self, shell: Shell) -> UnitState | None:
        """Read how systemd has the service."""
        return self.forward.service_state(shell)

    def stage(self, job: NodeJob) -> Effect:
        """Bring the proved backup to the node, and the packages that are put back; a second run proves them.

        :raises NodeFaultError: it is not whole, or something of it is nowhere.
        """
        with _no_other_attempt():
            self.saved.prove()
            putting = self._reach_putting(job)
            _reach(job, self._send)
        return job.run(write_stage_script(putting), trouble=self._say("cannot be laid down"), base=self.base)

    def activate(self, job: NodeJob) -> Effect:
        """Put all of it back and restart the service; a second run restarts nothing."""
        putting, trouble = self._reach_putting(job), self._say("cannot be put back")
        if self.own is None:
            return job.run(write_activate_script(putting), trouble=trouble, base=self.base)
        files = replace(job, job_id=f"{job.job_id}-files")
        if files.run(write_files_script(putting), trouble=trouble, base=self.base) is Effect.ALREADY_ACTIVE:
            return Effect.ALREADY_ACTIVE
        self.own.put_back(replace(job, job_id=f"{job.job_id}-own"), self.token)
        end = replace(job, job_id=f"{job.job_id}-end")
        return end.run(write_end_script(putting), trouble=trouble, base=self.base)

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Say that a restore is not taken back: another backup may be put back, or the node upgraded."""
        del shell, version
        return WayBack.one_way("what was put back from a backup goes forward with an upgrade")

    def roll_back(self, job: NodeJob) -> Effect:
        """Refuse.

        :raises NodeFaultError: always.
        """
        del job
        raise NodeFaultError("there is no way back from a restore", remedy="upgrade the node again")

    def _say(self, what: str) -> str:
        return f"backup {self.saved.id} {what}"

    def _reach_putting(self, job: NodeJob) -> Putting:
        with _no_other_attempt():
            manifest = self.saved.read_manifest()
        return _reach(job, partial(self._find_putting, manifest=manifest))

    def _find_putting(self, shell: Shell, manifest: Mapping[str, Any]) -> Putting:
        target = find_target(manifest, self.link) if self.link else ""
        putting = Putting(
            folder=self.folder,
            sha256=self.saved.sha256,
            token=self.token,
            service=self.service,
            link=self.link,
            target=target,
            root=self.root,
            tool=self.tool,
        )
        if self.tool is None:
            return putting
        told = shell.run_as_root(self.tool.look, _LOOK_SECONDS).stdout
        rows = [line.split("|") for line in told.splitlines()]
        now = self.tool.read_now(row[1:4] for row in rows if row[0] == "package")
        names = (*self.packages, *(row[1] for row in rows if row[0] == "noted"))
        return replace(putting, packages=find_packages(manifest, names, now, self.tool))

    def _sum(self, shell: Shell, files: Mapping[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        paths = sorted(files)
        for start in range(0, len(paths), _AT_ONCE):
            script = write_sums_script(paths[start : start + _AT_ONCE], self.root)
            for line in shell.run_as_root(script, _LOOK_SECONDS).stdout.splitlines():
                sha256, _, path = line.partition("  ")
                found[f"/{path}"] = sha256
        return found

    def _send(self, shell: Shell) -> None:
        """Send the archive, from its begin; one that is there is not sent again."""
        folder = shlex.quote(self.folder)
        place, part = f"{folder}/archive.tar.gz", f"{folder}/archive.part"
        whole = f'[ "$(sha256sum <FILE 2>/dev/null | cut -d" " -f1)" = {self.saved.sha256} ]'
        if shell.run_as_root(whole.replace("FILE", place)).ok:
            return
        self._must(shell, f"umask 077; mkdir -p {folder} && : >{part}")
        offset = 0
        with self.saved.open_archive() as file:
            while data := file.read(_CHUNK):
                text = base64.b64encode(data).decode()
                self._must(shell, f"truncate -s {offset} {part} && echo {text} | base64 -d >>{part}")
                offset += len(data)
        self._must(shell, f"{whole.replace('FILE', part)} && mv -T {part} {place}")

    def _must(self, shell: Shell, command: str) -> None:
        result = shell.run_as_root(command)
        if not result.ok:
            raise NodeFaultError(
                f"{self._say('cannot be brought to the node')}: {result.last_words}",
                remedy=f"see whether {self.state} on the node can be written and has room",
            )


@contextmanager
def _no_other_attempt() -> Iterator[None]:
    """Say of what is wrong with a backup for good that no other attempt mends it."""
    try:
        yield
    except (NodeFaultError, TransientError):
        raise
    except EscalatorError as exc:
        code = exc.code or Code.BACKUP_FAILED
        raise NodeFaultError(exc.message, remedy=exc.remedy or ANOTHER_BACKUP, code=code) from exc


def _reach(job: NodeJob, action: Callable[[Shell], T]) -> T:
    return remote_job.reach(job.connect, action, deadline=job.deadline, clock=job.clock, sleep=job.sleep)


def make_restoring(
    forward: NodeMechanism,
    bundle: Bundle,
    saved: SavedNode,
    token: str,
    *,
    worker: WorkerSide | None = None,
) -> Restoring:
    """Return what puts a node back to a backup that was taken for a bundle.

    :param worker: for what the worker itself runs.
    :raises InvalidRequestError: nobody knows how to put back what its mechanism brings.
    """
    mechanism = bundle.mechanism
    make = partial(Restoring, forward=forward, saved=saved, token=token)
    match mechanism:
        case VenvMechanism() as venv:
            return make(service=venv.service, link=venv.venv)
        case AptMechanism():
            return make(tool=DPKG, **_name_packages(mechanism))
        case DnfMechanism():
            return make(tool=RPM, **_name_packages(mechanism))
        case CommandMechanism(restore=str()):
            return make(service=mechanism.service, own=CommandOnNode(mechanism))
        case AnsibleMechanism() | KollaAnsibleMechanism() if mechanism.restore and worker:
            return make(service=mechanism.service, own=AnsibleOnWorker(mechanism, worker))
        case CommandMechanism() | AnsibleMechanism() | KollaAnsibleMechanism():
            said = f"bundle {bundle.name} does not say under restore what brings the version of before"
        case _:
            said = f"what {mechanism.type} brings is not put back: it is nothing, or done by hooks"
    by_hand = "bring the node back by hand: escalator backups show says what the backup has"
    raise InvalidRequestError(said, remedy=by_hand)


def _name_packages(mechanism: PackageMechanism) -> dict[str, Any]:
    compute = mechanism.compute
    return {
        "service": compute.service or compute.name,
        "packages": tuple(package.name for package in mechanism.packages),
    }
