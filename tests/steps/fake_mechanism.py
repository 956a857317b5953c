"""A fake mechanism, and the software on its nodes; faults wait there to be raised."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.steps.fake_boots import FakeBoots
from tests.steps.fake_records import Fuse

from escalator.model.errors import EscalatorError
from escalator.model.verdict import Code, Subject, SubjectType, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms import Effect, InstalledVersion, NodeJob, UnitState
from escalator.system_support.node_software import SCRIPT as VERSIONS
from escalator.system_support.nova_settings import SCRIPT
from escalator.system_support.shell import CommandResult, Shell

CHECK, SOURCE, READ, ACTIVE, BEFORE = "check", "source", "read", "active", "before"


@dataclass
class NodeSoftware:
    """What is on a node: a shell on it knows the three questions of the fake mechanism."""

    host: str
    fuse: Fuse
    running: str | None
    installed: str
    before: str | None = None
    staged: set[str] = field(default_factory=set)
    unit: str = "active"
    switched: int = 0
    stage_faults: list[EscalatorError] = field(default_factory=list)
    activate_faults: list[EscalatorError] = field(default_factory=list)
    unreachable: list[EscalatorError] = field(default_factory=list)
    starts_as: str | None = None
    lacks: tuple[str, ...] = ()
    no_source: str = ""
    nova_conf: str = ""
    components: dict[str, str | None] = field(default_factory=dict)
    brings: dict[str, str | None] = field(default_factory=dict)
    components_before: dict[str, str | None] = field(default_factory=dict)
    versions: str = ""
    boots: FakeBoots = field(default_factory=FakeBoots)

    def stage(self, version: str) -> Effect:
        self.fuse.burn()
        if self.stage_faults:
            raise self.stage_faults.pop(0)
        done = version in self.staged
        self.staged.add(version)
        self.fuse.burn()
        return Effect.ALREADY_STAGED if done else Effect.STAGED

    def activate(self, version: str) -> Effect:
        self.fuse.burn()
        whole = self.brings.items() <= self.components.items()
        if whole and (self.installed, self.running) == (version, version):
            return Effect.ALREADY_ACTIVE
        self.components_before = dict(self.components)
        self.components |= self.brings
        self.switched += 1
        self.before = self.installed if self.installed != version else self.before
        self.installed = version
        if self.activate_faults:
            self.running = None
            raise self.activate_faults.pop(0)
        self.running = self.starts_as or version
        self.fuse.burn()
        return Effect.ACTIVATED

    def roll_back(self, version: str) -> Effect:
        self.fuse.burn()
        if self.installed != version:
            return Effect.ALREADY_BACK
        assert self.before is not None
        self.switched += 1
        self.installed = self.before
        self.components = dict(self.components_before)
        if self.activate_faults:
            self.running = None
            raise self.activate_faults.pop(0)
        self.running = self.installed
        self.fuse.burn()
        return Effect.ROLLED_BACK

    def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
        del timeout_seconds
        answer = self.boots.answer(command, self.fuse)
        if answer is not None:
            return CommandResult(exit_code=0, stdout=answer, stderr="")
        stdout = {
            CHECK: "\n".join(self.lacks),
            SOURCE: self.no_source,
            READ: json.dumps([self.installed, self.running, self.components]),
            ACTIVE: f"{self.unit}\n",
            BEFORE: self.before or "",
            SCRIPT: self.nova_conf,
            VERSIONS: self.versions.format(installed=self.installed),
        }[command]
        return CommandResult(exit_code=0, stdout=stdout, stderr="")


class FakeMechanism:
    """A mechanism whose nodes are NodeSoftware."""

    brings_software = True

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        node = Subject(type=SubjectType.NODE, id=shell.host)
        lacking = shell.run_as_root(CHECK).stdout.splitlines()
        return tuple(Verdict(code=Code.NODE_TOOL_MISSING, message=m, subject=node) for m in lacking)

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        node = Subject(type=SubjectType.NODE, id=shell.host)
        lacking = shell.run_as_root(SOURCE).stdout.splitlines()
        return tuple(
            Verdict(code=Code.STAGE_FAILED, message=f"{version}: {m}", subject=node) for m in lacking
        )

    def installed(self, shell: Shell) -> InstalledVersion:
        version, running, components = json.loads(shell.run_as_root(READ).stdout)
        active = self.service_state(shell) is UnitState.ACTIVE
        return InstalledVersion(
            package="nova",
            place="/opt/nova/venv",
            target=f"/opt/nova/venv-{version}",
            version=version,
            running=running,
            previous=None,
            main_pid=1 if active else None,
            active=active,
            components=components,
        )

    def service_state(self, shell: Shell) -> UnitState | None:
        return UnitState.read(shell.run_as_root(ACTIVE).stdout)

    def stage(self, job: NodeJob) -> Effect:
        with job.connect() as node:
            assert isinstance(node, NodeSoftware)
            return node.stage(job.version)

    def activate(self, job: NodeJob) -> Effect:
        with job.connect() as node:
            assert isinstance(node, NodeSoftware)
            return node.activate(job.version)

    def way_back(self, shell: Shell, version: str) -> WayBack:
        found = self.installed(shell)
        before = shell.run_as_root(BEFORE).stdout or None
        to = before if found.version == version else found.version
        return WayBack.one_way("x") if to is None else WayBack.to_previous({"nova-compute": to})

    def roll_back(self, job: NodeJob) -> Effect:
        with job.connect() as node:
            assert isinstance(node, NodeSoftware)
            return node.roll_back(job.version)
