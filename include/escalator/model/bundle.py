"""A bundle, the "version files" of an upgrade: ``escalator.bundle/1``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SCHEMA = "escalator.bundle/1"


class MechanismType(StrEnum):
    """How a bundle is brought to a node."""

    VENV = "venv"
    APT = "apt"
    DNF = "dnf"
    KOLLA_ANSIBLE = "kolla-ansible"
    ANSIBLE = "ansible"
    COMMAND = "command"
    NONE = "none"


SUPPORTED_MECHANISMS = (MechanismType.VENV, MechanismType.NONE)
"""The mechanisms that this release can carry out."""


class Impact(StrEnum):
    """What an upgrade touches: the agent only, the data plane, or the whole machine."""

    CONTROL = "control"
    DATA = "data"
    REBOOT = "reboot"


class RebootPolicy(StrEnum):
    """Whether the machine restarts."""

    NEVER = "never"
    IF_REQUIRED = "if-required"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One piece of software the bundle brings; ``to`` in the order of ``scheme`` (pbr, deb or rpm)."""

    name: str
    to: str
    scheme: str = "pbr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """How the bundle is brought: for ``venv``, the link that is switched, the package and the service.

    ``venv`` is the absolute path of a symbolic link; each version lives beside it in ``<venv>-<version>``.
    ``installer`` is pip (default) or uv; ``python`` the interpreter that makes the environment.
    """

    type: MechanismType
    venv: str = ""
    package: str = ""
    service: str = ""
    installer: str = "pip"
    python: str = "python3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What to bring, how, with which impact, and how long it is expected to take."""

    name: str
    components: tuple[Component, ...]
    mechanism: Mechanism
    impact: Impact = Impact.CONTROL
    reboot: RebootPolicy = RebootPolicy.NEVER
    artefacts: tuple[Mapping[str, str], ...] = ()
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expected_upgrade_seconds: float = 120.0
    rollback_supported: bool = False

    @property
    def members_stay(self) -> bool:
        """Tell whether members of HA groups stay on their node while it is upgraded.

        An upgrade of the agent alone does not touch the guests. One that touches the data plane or restarts
        the machine stops them: members are moved then, like any server.
        """
        return self.impact is Impact.CONTROL

    def target_version(self, component: str = "nova-compute") -> str | None:
        """Return the version the bundle brings of a component."""
        return next((c.to for c in self.components if c.name == component), None)
