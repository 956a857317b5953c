"""The items of ``escalator.snapshot/1`` as pydantic models: each becomes a dataclass of the model at once.

What objects have in common is kept once: a large cloud says the same few texts and amounts over and over.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, Field, Strict, ValidationInfo

from escalator.documents.document_model import DocumentModel, Moment, Word
from escalator.model.cloud import (
    HaGroup,
    Migration,
    MigrationStatus,
    NetworkAgent,
    Node,
    ResourceInventory,
    Server,
    ServerGroup,
    ServiceState,
    ServiceStatus,
)
from escalator.model.feature import Feature
from escalator.model.unread import CloudPart

T = TypeVar("T")
SCHEMA: Final = "escalator.snapshot/1"
_NO_METADATA: Mapping[str, str] = MappingProxyType({})
_LARGEST = 10**15
"""Far above what Placement keeps of anything (2**31 - 1), and still exact as a float."""
_LARGEST_RATIO = 1e39
"""Above what Placement keeps of a ratio (3.4e38)."""
_LONGEST_SECONDS = 10**9


def _share(value: T, info: ValidationInfo) -> T:
    """Return the equal value that was read before, when there is one, so that it is kept once."""
    if info.context is None:
        return value
    found: T = info.context.setdefault(tuple(value.items()) if isinstance(value, dict) else value, value)
    return found


AnyText = Annotated[str, Field(min_length=0)]
"""A text, blank or not; pydantic looks for half a character in texts that have a limit only."""
Common = Annotated[AnyText, AfterValidator(sys.intern)]
"""A text that many objects have."""
Amount = Annotated[int, Field(ge=0, le=_LARGEST)]
Ratio = Annotated[float, Field(ge=0, le=_LARGEST_RATIO, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_SECONDS, allow_inf_nan=False)]
Amounts = Annotated[dict[AnyText, Amount], AfterValidator(_share)]
Texts = Annotated[tuple[AnyText, ...], Strict(False)]
Microversion = Annotated[str, Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,6}$")]
CommonTexts = Annotated[frozenset[Common], Strict(False), AfterValidator(_share)]


class ControlPlaneItem(DocumentModel):
    """What Nova tells of its control plane."""

    lowest: Microversion
    highest: Microversion
    apart: Annotated[tuple[Texts, ...], Strict(False)] = ()


class UnreadItem(DocumentModel):
    """A list that the cloud did not let us read."""

    part: Word[CloudPart]
    message: AnyText
    partly: bool = False


class SnapshotDocument(DocumentModel):
    """The document itself, its lists read already: item by item, as they stand in :data:`ITEMS`."""

    schema_: Literal["escalator.snapshot/1"] = Field(alias="schema")
    cloud: AnyText
    taken_at: Moment
    nodes: list[Any]
    servers: list[Any] = Field(default=[])
    migrations: list[Any] = Field(default=[])
    server_groups: list[Any] = Field(default=[])
    ha_groups: list[Any] = Field(default=[])
    agents: list[Any] = Field(default=[])
    control_plane: ControlPlaneItem | None = None
    unread: Annotated[tuple[UnreadItem, ...], Strict(False)] = ()


class InventoryItem(DocumentModel):
    """What a node has of one resource class."""

    total: Amount
    reserved: Amount = 0
    allocation_ratio: Ratio = 1.0
    max_unit: Amount | None = None


def _inventory(item: InventoryItem) -> ResourceInventory:
    return ResourceInventory(**vars(item))


class NodeItem(DocumentModel):
    """One node."""

    host: AnyText
    domain: Common
    cell: Common = "cell1"
    zone: Common = "nova"
    aggregates: Texts = ()
    service_id: AnyText | None = None
    hypervisor_hostname: AnyText | None = None
    hypervisor_type: Common | None = None
    provider_id: AnyText | None = None
    state: Word[ServiceState] = ServiceState.UP
    status: Word[ServiceStatus] = ServiceStatus.ENABLED
    disabled_reason: AnyText | None = None
    forced_down: bool = False
    upgraded: bool = False
    target: bool = False
    inventory: dict[Common, Annotated[InventoryItem, AfterValidator(_inventory)]] = Field(default={})
    usage: Amounts = Field(default={})
    traits: CommonTexts = frozenset()
    versions: dict[Common, Common] = Field(default={})


class ServerItem(DocumentModel):
    """One server; its metadata is no part of the format."""

    id: AnyText
    name: AnyText
    host: Common | None = None
    vm_state: Common
    project_id: Common = ""
    status: Common = ""
    task_state: Common | None = None
    power_state: Common = "running"
    locked: bool = False
    resources: Amounts = Field(default={})
    required_traits: CommonTexts = frozenset()
    forbidden_traits: CommonTexts = frozenset()
    features: Annotated[frozenset[Word[Feature]], Strict(False), AfterValidator(_share)] = frozenset()
    pinned_zone: Common | None = None
    migration: Literal["live", "cold", "none"] = "live"
    server_group: Common | None = None
    ha_group: Common | None = None
    ha_role: Literal["active", "standby", "member"] | None = None
    lead_seconds: Seconds = 0.0
    max_interruption_seconds: Seconds | None = None


class MigrationItem(DocumentModel):
    """One migration."""

    id: Amount
    uuid: AnyText
    server_id: AnyText
    type: AnyText
    status: Word[MigrationStatus]
    source_host: AnyText
    dest_host: AnyText | None = None
    created_at: Moment
    updated_at: Moment | None = None


class RulesItem(DocumentModel):
    """The rules of a server group's policy."""

    max_server_per_host: Annotated[int, Field(ge=1, le=_LARGEST)] = 1


class ServerGroupItem(DocumentModel):
    """One server group."""

    id: AnyText
    policy: AnyText
    members: Texts = ()
    rules: RulesItem = Field(default=RulesItem())


def _server_group(*, rules: RulesItem, **fields: Any) -> ServerGroup:  # noqa: ANN401 - as read
    return ServerGroup(**fields, **vars(rules))


class HaGroupItem(DocumentModel):
    """One HA group."""

    id: AnyText
    mode: Literal["active-standby", "load-balanced", "none"]
    members: Texts = ()
    max_impacted: Amount | None = None
    min_preserved: Amount | None = None
    recovery_seconds: Seconds = 0.0
    lead_seconds: Seconds = 0.0


class AgentItem(DocumentModel):
    """One of Neutron's agents."""

    id: AnyText
    binary: Common
    host: Common
    alive: bool = False
    admin_state_up: bool = False


class Kind(NamedTuple):
    """One kind of item: how it is written, what it becomes, and the key that no two of them share."""

    model: type[DocumentModel]
    make: Callable[..., object]
    key: str | None = None


ITEMS: Final[Mapping[str, Kind]] = {
    "nodes": Kind(NodeItem, Node, "host"),
    "servers": Kind(ServerItem, partial(Server, metadata=_NO_METADATA), "id"),
    "migrations": Kind(MigrationItem, Migration),
    "server_groups": Kind(ServerGroupItem, _server_group),
    "ha_groups": Kind(HaGroupItem, HaGroup),
    "agents": Kind(AgentItem, NetworkAgent),
}
"""The lists of the document."""
