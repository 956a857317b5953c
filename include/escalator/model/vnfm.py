"""Managers of VNFs, as the operator registers them, and what is done when one does not cooperate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LONGEST_REPLY_SECONDS = 1500
"""How long a node is out at most while its managers think."""


class VnfmKind(StrEnum):
    """How a manager is spoken to.

    fenix-a: one notice a project and node, ``instance_ids`` is a URL, one reply with all actions.
    fenix-b: one notice an instance, ``instance_ids`` is a list of one, the reply has one action.
    webhook: plain JSON with real lists, one notice a project and node.
    """

    FENIX_A = "fenix-a"
    FENIX_B = "fenix-b"
    WEBHOOK = "webhook"


class ManagerRole(StrEnum):
    """A VNFM answers for its instances; an NFVO is only told what happens to the infrastructure."""

    VNFM = "vnfm"
    NFVO = "nfvo"


class OnSilence(StrEnum):
    """What is done when a manager has not answered at its deadline, or its answer proves to be untrue."""

    MIGRATE = "migrate"
    HOLD = "hold"
    FAIL = "fail"


class OnNack(StrEnum):
    """What is done when a manager refuses.

    ask-again: the node gives way to the others and is asked for again at the end; then a person decides.
    migrate: its servers are moved all the same.
    """

    ASK_AGAIN = "ask-again"
    MIGRATE = "migrate"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSelector:
    """Which servers of its projects a manager manages; what is None or empty selects all.

    :ivar name: name of the server; ``*``, ``?`` and ``[...]`` as in a shell.
    :ivar metadata: every pair must be in the server's metadata.
    """

    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vnfm:
    """One manager of the registry (``escalator.vnfms/1``). Times are seconds.

    :ivar cloud: name of the cloud that it manages servers of.
    :ivar projects: ids of its projects.
    :ivar selectors: a server of its projects that any of them selects is its own; none: all.
    :ivar conn_id: Airflow connection with the credentials of its URL; None: it needs none.
    :ivar reply_seconds: how long it may take to answer PLANNED_MAINTENANCE and PREPARE_MAINTENANCE.
    :ivar session_reply_seconds: the same for MAINTENANCE, SCALE_IN and MAINTENANCE_COMPLETE.
    :ivar nack_deadline_seconds: after so long of refusals its servers are moved all the same; None: never.
    :ivar strict_migrate: MIGRATE means a cold migration, as in Fenix; else the admin's choice, live first.
    :ivar scale_lock: it knows the messages that lock and unlock scaling.
    """

    id: str
    cloud: str
    kind: VnfmKind
    url: str
    projects: tuple[str, ...]
    role: ManagerRole = ManagerRole.VNFM
    selectors: tuple[InstanceSelector, ...] = ()
    conn_id: str | None = None
    reply_seconds: float = 300.0
    session_reply_seconds: float = 600.0
    on_silence: OnSilence = OnSilence.MIGRATE
    on_nack: OnNack = OnNack.ASK_AGAIN
    nack_deadline_seconds: float | None = None
    health_url: str | None = None
    strict_migrate: bool = False
    scale_lock: bool = False
