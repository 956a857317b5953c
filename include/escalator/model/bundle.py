"""A bundle, the "version files" of an upgrade: ``escalator.bundle/1``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from escalator.model.artefact import ARTEFACTS_FOLDER as ARTEFACTS_FOLDER  # noqa: PLC0414  of this vocabulary
from escalator.model.artefact import KEYRING as KEYRING  # noqa: PLC0414
from escalator.model.artefact import Artefact as Artefact  # noqa: PLC0414
from escalator.model.artefact import is_archive as is_archive  # noqa: PLC0414
from escalator.model.canary import CanaryWish
from escalator.model.failed_nodes import OnFailedNode

SCHEMA = "escalator.bundle/1"
COMPUTE = "nova-compute"
"""The component whose version tells first whether a node is upgraded."""


class MechanismType(StrEnum):
    """How a bundle is brought to a node."""

    VENV = "venv"
    APT = "apt"
    DNF = "dnf"
    KOLLA_ANSIBLE = "kolla-ansible"
    ANSIBLE = "ansible"
    COMMAND = "command"
    NONE = "none"


class Impact(StrEnum):
    """What an upgrade touches: the agent only, the data plane, or the whole machine."""

    CONTROL = "control"
    DATA = "data"
    REBOOT = "reboot"


class RebootPolicy(StrEnum):
    """Whether the machine restarts once the bundle was brought: never, if something asks for it, always."""

    NEVER = "never"
    IF_REQUIRED = "if-required"
    ALWAYS = "always"


class ConffilePolicy(StrEnum):
    """What becomes of a configuration file of a package that was edited on the node."""

    KEEP = "keep"
    REPLACE = "replace"


class HookTime(StrEnum):
    """When a bundle's own commands are run on a node: before the switch, after it, and to prove the node."""

    PRE = "pre"
    POST = "post"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One piece of software the bundle brings; ``to`` in the order of ``scheme`` (pbr, deb or rpm)."""

    name: str
    to: str
    scheme: str = "pbr"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvMechanism:
    """A version is a virtual environment; a link says which one the service uses.

    :ivar venv: absolute path of the symbolic link; each version lives beside it in ``<venv>-<version>``.
    :ivar package: the Python package that is installed.
    :ivar service: the systemd service that is restarted.
    :ivar installer: pip, uv or a path of uv.
    :ivar python: the interpreter that makes the environment.
    :ivar extras: of the package, as in ``nova[osprofiler]``.
    :ivar requirements: what is installed beside the package.
    :ivar constraints: a file of versions: its URL, its path on the node, or an artefact of the bundle.
    :ivar index: URL of the index in place of the installer's own; ``extra_indexes`` are asked beside it.
    :ivar wheels: a folder or archive (tar) of packages in place of indexes: on the node, or artefacts.
    :ivar system_site_packages: the environment sees the packages of the interpreter, too.
    :ivar imports: modules that must load in the environment before it counts as staged.
    """

    type: ClassVar[MechanismType] = MechanismType.VENV
    venv: str
    package: str
    service: str
    installer: str = "pip"
    python: str = "python3"
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    constraints: str | None = None
    index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    wheels: str | None = None
    system_site_packages: bool = False
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandMechanism:
    """The operator's own commands bring the bundle; each is run by ``sh -e`` as root and may be run again.

    :ivar version: prints, as its last line, the version that the service runs.
    :ivar activate: switches to the staged version and has ``service``, of systemd, run it.
    :ivar stage: lays the version beside the one in use; None: nothing has to be laid down before.
    :ivar source: succeeds where the version could be staged, and changes nothing; None: nobody can say.
    :ivar rollback: undoes what ``activate`` did, and has the service run what it did before.
    :ivar restore: brings a version whatever is there, after the files of a backup were put back.
    :ivar stage_seconds: how long ``stage`` may take (s); the others likewise.
    """

    type: ClassVar[MechanismType] = MechanismType.COMMAND
    version: str
    activate: str
    service: str
    stage: str | None = None
    source: str | None = None
    rollback: str | None = None
    restore: str | None = None
    version_seconds: float = 30.0
    activate_seconds: float = 600.0
    stage_seconds: float = 900.0
    rollback_seconds: float = 600.0
    restore_seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package of the operating system that a bundle brings, in one exact version.

    :ivar version: in the words of the packager, epoch and revision included.
    :ivar component: the component of the bundle that it carries; None: none that is looked at.
    :ivar service: the systemd service that has to run it afterwards; None: nothing of it has to run.
    """

    name: str
    version: str
    component: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageMechanism:
    """Packages of the operating system in exact versions; whatever else its tool would do has to be named.

    :ivar packages: one of them carries ``COMPUTE``, and says its service.
    :ivar lift_holds: packages whose hold, or versionlock, does not count; they are held again afterwards.
    :ivar removes: packages that may be removed, or replaced by another one.
    :ivar restarts: services, of packages that are not among ``packages``, that may be restarted.
    :ivar downgrade: packages may go back to an older version.
    :ivar lock_seconds: how long another program may hold the locks of the tool, or of the packages.
    """

    packages: tuple[Package, ...]
    lift_holds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    downgrade: bool = False
    lock_seconds: float = 600.0

    @property
    def compute(self) -> Package:
        """Return the package that carries nova-compute."""
        return next(package for package in self.packages if package.component == COMPUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AptMechanism(PackageMechanism):
    """Packages of Debian or Ubuntu, by apt.

    :ivar sources: file on the node with the only sources of apt's that count; None: those that the node has.
    :ivar keyring: file on the node with the keys of those of ``sources`` that name none; its suffix says its
        form, ``gpg`` or ``asc``.
    :ivar conffiles: what becomes of configuration files that were edited on the node.
    """

    type: ClassVar[MechanismType] = MechanismType.APT
    sources: str | None = None
    keyring: str | None = None
    conffiles: ConffilePolicy = ConffilePolicy.KEEP


@dataclass(frozen=True, slots=True, kw_only=True)
class DnfMechanism(PackageMechanism):
    """RPM packages, by dnf.

    :ivar repositories: ids of the only repositories that count; empty: those that the node has enabled.
    """

    type: ClassVar[MechanismType] = MechanismType.DNF
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybookRun:
    """A playbook, and the part of it that is run.

    :ivar playbook: path in the playbook folder of the worker.
    :ivar tags: what is run; empty: all of it. :ivar skip_tags: what is not.
    """

    playbook: str
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KollaRun:
    """A command of ``kolla-ansible``, such as ``pull`` or ``upgrade``, and the part of it that is run."""

    action: str
    tags: tuple[str, ...] = ()
    skip_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsibleMechanism:
    """Playbooks bring the bundle, run by the worker for one node at a time.

    :ivar service: the systemd service that ``activate`` restarts.
    :ivar version: a command on the node; its last line is the version that the service runs.
    :ivar activate: switches to the version; :ivar stage: lays it down before; :ivar rollback: undoes it.
    :ivar restore: brings a version whatever is there, after the files of a backup were put back.
    :ivar inventory: file or folder, in the playbook folder or absolute; None: one of the node alone.
    :ivar inventory_host: what the inventory calls a node; ``{host}`` stands for its name in Nova.
    :ivar extra_vars: variables of Ansible's; no secrets, they stand in the ledger.
    :ivar vault: id of the connection whose password opens the vault; None: there is none.
    :ivar check_mode: try the playbook in Ansible's check mode before a campaign begins.
    :ivar version_seconds: how long ``version`` may take; the others likewise.
    """

    type: ClassVar[MechanismType] = MechanismType.ANSIBLE
    service: str
    version: str
    activate: PlaybookRun
    stage: PlaybookRun | None = None
    rollback: PlaybookRun | None = None
    restore: PlaybookRun | None = None
    inventory: str | None = None
    inventory_host: str = "{host}"
    extra_vars: Mapping[str, object] = field(default_factory=dict)
    vault: str | None = None
    check_mode: bool = True
    version_seconds: float = 30.0
    activate_seconds: float = 900.0
    stage_seconds: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KollaAnsibleMechanism:
    """``kolla-ansible`` brings the bundle, run by the worker for one node at a time.

    :ivar inventory: of kolla-ansible's, as :class:`AnsibleMechanism` has it, and so are the other keys.
    :ivar program: the command, or its path on the worker.
    :ivar config_dir: folder on the worker with ``globals.yml`` and ``passwords.yml``.
    """

    type: ClassVar[MechanismType] = MechanismType.KOLLA_ANSIBLE
    service: str
    version: str
    inventory: str
    activate: KollaRun = KollaRun(action="upgrade", tags=("nova",))
    stage: KollaRun | None = KollaRun(action="pull", tags=("nova",))
    rollback: KollaRun | None = None
    restore: KollaRun | None = None
    inventory_host: str = "{host}"
    extra_vars: Mapping[str, object] = field(default_factory=dict)
    vault: str | None = None
    check_mode: bool = False
    program: str = "kolla-ansible"
    config_dir: str = "/etc/kolla"
    version_seconds: float = 30.0
    activate_seconds: float = 1800.0
    stage_seconds: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoMechanism:
    """The bundle brings nothing to a node."""

    type: ClassVar[MechanismType] = MechanismType.NONE


Mechanism = (
    VenvMechanism
    | CommandMechanism
    | AptMechanism
    | DnfMechanism
    | AnsibleMechanism
    | KollaAnsibleMechanism
    | NoMechanism
)
"""How a bundle is brought: one dataclass for each type that this release can carry out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What to bring, how, with which impact, and how long it is expected to take.

    :ivar reboot: whether each node is rebooted, empty, after what the mechanism brings was activated.
    :ivar reboot_limit_seconds: how long after the order a node may stay away.
    :ivar expected_reboot_seconds: of a reboot; :ivar expected_changes: of a node in Placement, by names.
    :ivar on_failed_node: what becomes of nodes that fail where the run does not say it; None: no word on it.
    """

    name: str
    components: tuple[Component, ...]
    mechanism: Mechanism
    impact: Impact = Impact.CONTROL
    reboot: RebootPolicy = RebootPolicy.NEVER
    reboot_limit_seconds: float = 1200.0
    artefacts: tuple[Artefact, ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hook_seconds: float = 300.0
    expected_upgrade_seconds: float = 120.0
    expected_reboot_seconds: float = 300.0
    rollback_supported: bool = False
    canary: CanaryWish = field(default_factory=CanaryWish)
    expected_changes: tuple[str, ...] = ()
    on_failed_node: OnFailedNode | None = None

    @property
    def members_stay(self) -> bool:
        """Tell whether members of HA groups stay on their node while it is upgraded.

        An upgrade of the agent alone does not touch the guests. One that touches the data plane or restarts
        the machine stops them: members are moved then, like any server.
        """
        return self.impact is Impact.CONTROL and not self.restarts_machine

    @property
    def restarts_machine(self) -> bool:
        """Tell whether the machine may restart: no guest on it may run then."""
        return self.impact is Impact.REBOOT or self.may_reboot

    @property
    def may_reboot(self) -> bool:
        """Tell whether its nodes are rebooted, or those that ask for it."""
        return self.reboot is not RebootPolicy.NEVER

    @property
    def changes_nodes(self) -> bool:
        """Tell whether anything is left on a node that was not there before: software, or what hooks do."""
        hooks = self.hooks.get(HookTime.PRE) or self.hooks.get(HookTime.POST)
        return bool(hooks) or not isinstance(self.mechanism, NoMechanism)

    @property
    def only_reboots(self) -> bool:
        """Tell whether a reboot is all that it does to a node."""
        return self.may_reboot and not self.changes_nodes

    @property
    def expected_seconds(self) -> float:
        """Return how long a node is expected to be worked on (s), with its reboot: it may be required."""
        return self.expected_upgrade_seconds + (self.expected_reboot_seconds if self.may_reboot else 0.0)

    @property
    def has_hooks(self) -> bool:
        """Tell whether it has commands of its own for any time."""
        return any(self.hooks.values())

    @property
    def command_limit_seconds(self) -> float:
        """Return the longest that one of its own commands or playbooks may take (s); 0.0: it has none."""
        if not isinstance(self.mechanism, CommandMechanism | AnsibleMechanism | KollaAnsibleMechanism):
            return 0.0
        own = self.mechanism
        back = (own.rollback_seconds, own.restore_seconds) if isinstance(own, CommandMechanism) else ()
        return max(own.stage_seconds, own.activate_seconds, *back)

    @property
    def lock_seconds(self) -> float:
        """Return how long its mechanism waits for another program's lock before it begins (s)."""
        return self.mechanism.lock_seconds if isinstance(self.mechanism, PackageMechanism) else 0.0

    def target_version(self, component: str = COMPUTE) -> str | None:
        """Return the version the bundle brings of a component."""
        return next((c.to for c in self.components if c.name == component), None)
