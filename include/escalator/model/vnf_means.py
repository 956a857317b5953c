"""By what means a VNF without a manager is switched over, and where its service is probed.

As the operator declares it for a group in a VNF file (``escalator.vnf/1``). Times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from escalator.model.interruption import ProbeMethod as ProbeMethod  # noqa: PLC0414  part of this vocabulary
from escalator.model.switch import SwitchMethod


class SwitchSide(StrEnum):
    """Which member is told to switch: the one that takes over, or the one that has the role."""

    STANDBY = "standby"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatingIpMeans:
    """A floating IP of Neutron's, which is moved to a port of the standby.

    :ivar address: the floating IP.
    """

    method: ClassVar[SwitchMethod] = SwitchMethod.FLOATING_IP
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VipPortMeans:
    """An address that Neutron's port security lets one member use: the pair on that member's port.

    :ivar port: id of the port that reserves the address; None: ``address`` says it.
    :ivar address: the address; None: that of the port.
    """

    method: ClassVar[SwitchMethod] = SwitchMethod.VIP_PORT
    port: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OctaviaMeans:
    """Members of a pool of Octavia's, whose weight becomes 0 until their node is given back.

    Exactly one of the two is there.

    :ivar pool: id of the pool.
    :ivar load_balancer: id of the load balancer: all of its pools.
    :ivar drain_seconds: for how long open connections are waited for.
    """

    method: ClassVar[SwitchMethod] = SwitchMethod.OCTAVIA
    pool: str | None = None
    load_balancer: str | None = None
    drain_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMeans:
    """Members that tell their role over HTTP, and change it when they are told to.

    :ivar url: address of a member, with ``{id}``, ``{name}`` or ``{address}`` in it.
    :ivar urls: id or name of a member -> its address, before ``url``.
    :ivar switch_path: is appended, and gets a POST.
    :ivar switch_at: the member that gets it.
    :ivar role_path: is appended, and answers with the role of the member.
    :ivar active_word: the role of the member that has the service.
    :ivar timeout_seconds: how long one request may take.
    """

    method: ClassVar[SwitchMethod] = SwitchMethod.HTTP
    url: str | None = None
    urls: Mapping[str, str] = field(default_factory=dict)
    switch_path: str = "/switchover"
    switch_at: SwitchSide = SwitchSide.STANDBY
    role_path: str = "/role"
    active_word: str = "active"
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandMeans:
    """A program on the machine that runs the task, without a shell.

    Words of both may have ``{group}``, ``{from_id}``, ``{from_name}``, ``{to_id}`` and ``{to_name}`` in them.

    :ivar argv: program and arguments that switch over.
    :ivar role_argv: prints id or name of the member that has the service; empty: there is none.
    :ivar timeout_seconds: how long each may take.
    """

    method: ClassVar[SwitchMethod] = SwitchMethod.COMMAND
    argv: tuple[str, ...]
    role_argv: tuple[str, ...] = ()
    timeout_seconds: float = 60.0


SwitchoverMeans = FloatingIpMeans | VipPortMeans | OctaviaMeans | HttpMeans | CommandMeans


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """Where the service of a group is probed while a node of its VNF is worked on.

    :ivar group: id of the group.
    :ivar address: what is probed; that of the URL for http.
    :ivar port: of tcp and http; None for icmp.
    :ivar url: of http only.
    """

    group: str
    method: ProbeMethod
    address: str
    port: int | None = None
    url: str | None = None
