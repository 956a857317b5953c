"""What could not be looked at: each list is named, and nothing that needs it is judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from escalator.model.check_report import Condition
from escalator.model.unread import CloudPart
from escalator.model.verdict import Code, Severity, Subject
from escalator.upgrade_manager.conditions.question import Question, unmet

POLICIES: Mapping[CloudPart, tuple[str, ...]] = {
    CloudPart.SERVICES: ("os_compute_api:os-services:list",),
    CloudPart.AGGREGATES: ("os_compute_api:os-aggregates:index",),
    CloudPart.HYPERVISORS: ("os_compute_api:os-hypervisors:list-detail",),
    CloudPart.PLACEMENT: (
        "placement:allocation_candidates:list",
        "placement:resource_providers:list",
        "placement:resource_providers:inventories:list",
        "placement:resource_providers:usages",
        "placement:resource_providers:traits:list",
    ),
    CloudPart.SERVER_GROUPS: (
        "os_compute_api:os-server-groups:index",
        "os_compute_api:os-server-groups:index:all_projects",
        "context_is_admin",
    ),
    CloudPart.SERVERS: (
        "os_compute_api:servers:detail",
        "os_compute_api:servers:detail:get_all_tenants",
        "os_compute_api:servers:allow_all_filters",
        "os_compute_api:os-extended-server-attributes",
        "os_compute_api:os-flavor-extra-specs:index",
    ),
    CloudPart.MIGRATIONS: (
        "os_compute_api:os-migrations:index",
        "os_compute_api:os-migrations:index:all_projects",
        "os_compute_api:os-migrations:index:host",
    ),
    CloudPart.AGENTS: ("get_agent",),
    CloudPart.PORTS: ("context_is_advsvc",),
    CloudPart.SHARES: ("os_compute_api:os-server-shares:index",),
}
"""The policies of Nova, Placement and Neutron that let a user read each list."""
_UNKNOWN: Mapping[CloudPart, str] = {
    CloudPart.SERVICES: "who has disabled or leased a node, and whether it was forced down, is not known",
    CloudPart.AGGREGATES: "the drain domains are not known",
    CloudPart.HYPERVISORS: "what the nodes have room for is not known",
    CloudPart.PLACEMENT: "what the nodes have room for is not known",
    CloudPart.SERVER_GROUPS: "which servers must stay apart is not known",
    CloudPart.SERVERS: "what stands on the nodes, and whether it can be moved, is not known",
    CloudPart.MIGRATIONS: "whether servers are on their way is not known",
    CloudPart.AGENTS: "whether the network works on the nodes is not known",
    CloudPart.PORTS: "which servers have network cards that do not move is not known",
    CloudPart.SHARES: "which servers have a share of Manila, and are not moved for it, is not known",
}
_WARNED_OF = frozenset({CloudPart.AGENTS, CloudPart.SHARES})
"""What a campaign goes on without; all else blocks, as what is not known is not free of blockers. Nova
refuses the move of a server with a share before it has begun."""
OF_PLACES = frozenset(
    {
        CloudPart.SERVERS,
        CloudPart.AGGREGATES,
        CloudPart.HYPERVISORS,
        CloudPart.PLACEMENT,
        CloudPart.SERVER_GROUPS,
    }
)
"""What has to be known to say where servers find places."""

_LATER = "nothing: the precheck of each node asks for all servers of its own, before one is moved"


def _name_policies(part: CloudPart) -> str:
    return f"allow this user {', '.join(POLICIES[part])}"


def find_unread(question: Question) -> frozenset[CloudPart]:
    """Return the lists that were refused as a whole."""
    return frozenset(unread.part for unread in question.snapshot.unread if not unread.partly)


def check_unread(question: Question) -> Iterator[Condition]:
    """Name every list that was refused or shown in part, what is not known, and policies that allow it."""
    subject = Subject.of_cloud(question.snapshot.cloud)
    for unread in sorted(question.snapshot.unread, key=lambda unread: unread.part):
        how = "may lack something: of that" if unread.partly else "may not be read:"
        yield unmet(
            Code.NOT_LOOKED_AT,
            subject,
            f"the list of {unread.part.replace('_', ' ')} {how} {_UNKNOWN[unread.part]} ({unread.message})",
            _LATER if unread.partly and unread.part is CloudPart.SHARES else _name_policies(unread.part),
            Severity.WARNING if unread.partly or unread.part in _WARNED_OF else Severity.BLOCKER,
        )


def is_incomplete(question: Question) -> bool:
    """Tell whether something was refused that a campaign must know."""
    return not find_unread(question) <= _WARNED_OF
