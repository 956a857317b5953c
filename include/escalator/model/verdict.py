"""Verdicts: what a check says, with the reason and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a verdict matters: a blocker stops what it is about."""

    BLOCKER = "blocker"
    WARNING = "warning"
    INFO = "info"


class SubjectType(StrEnum):
    """What kind of thing a verdict is about."""

    CLOUD = "cloud"
    CAMPAIGN = "campaign"
    DOMAIN = "domain"
    NODE = "node"
    SERVER = "server"
    MIGRATION = "migration"
    BUNDLE = "bundle"
    SERVER_GROUP = "server_group"
    HA_GROUP = "ha_group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The thing a verdict is about: its kind, its id (host name, UUID, bundle name) and a readable name."""

    type: SubjectType
    id: str
    name: str | None = None

    @classmethod
    def of_cloud(cls, cloud: str) -> Subject:
        """Name a cloud."""
        return cls(type=SubjectType.CLOUD, id=cloud)

    @classmethod
    def of_bundle(cls, name: str) -> Subject:
        """Name a bundle."""
        return cls(type=SubjectType.BUNDLE, id=name)

    @classmethod
    def of_node(cls, host: str) -> Subject:
        """Name a compute node by its nova-compute service host."""
        return cls(type=SubjectType.NODE, id=host)

    @classmethod
    def of_server(cls, server_id: str, name: str) -> Subject:
        """Name a server by its id and its name."""
        return cls(type=SubjectType.SERVER, id=server_id, name=name)

    def __str__(self) -> str:
        """Say kind and name: ``server web-1 (3f…)``."""
        return f"{self.type} {self.name} ({self.id})" if self.name else f"{self.type} {self.id}"


class Code(StrEnum):
    """The closed catalogue of reasons; documented in docs/codes.md."""

    # requests
    REQUEST_NO_HOST = "request_no_host"
    REQUEST_PARALLEL_IMPOSSIBLE = "request_parallel_impossible"
    # the cloud
    SERVICE_DOWN = "service_down"
    MIGRATION_UNFINISHED = "migration_unfinished"
    # admission
    ADMITTED = "admitted"
    PARALLEL_LIMIT = "parallel_limit"
    CAPACITY = "capacity"
    WINDOW_CLOSED = "window_closed"
    FAILURE_BUDGET = "failure_budget"
    SOAKING = "soaking"
    SOAK_FAILED = "soak_failed"
    APPROVAL = "approval"
    APPROVAL_REFUSED = "approval_refused"
    ORDER_PAUSE = "order_pause"
    ORDER_STOP = "order_stop"
    ORDER_SKIP = "order_skip"
    ORDER_HOLD = "order_hold"
    ORDER_ABORT_MOVES = "order_abort_moves"
    NOT_SELECTED = "not_selected"
    ALREADY_UPGRADED = "already_upgraded"
    DISABLED_BY_OTHERS = "disabled_by_others"
    DISABLED_BY_NOVA = "disabled_by_nova"
    LEASED_BY_OTHERS = "leased_by_others"
    LEASE_ORPHANED = "lease_orphaned"
    RUN_DELETED = "run_deleted"
    NODE_NO_DAG = "node_no_dag"
    LEASE_LOST = "lease_lost"
    NODE_DOWN = "node_down"
    NODE_UNKNOWN = "node_unknown"
    NODE_BARE_METAL = "node_bare_metal"
    DRY_RUN = "dry_run"
    HA_GROUP = "ha_group"
    HA_NOTICE = "ha_notice"
    VNF_SILENT = "vnf_silent"
    VNF_REFUSED = "vnf_refused"
    VNF_UNTRUE = "vnf_untrue"
    VNF_UNREGISTERED = "vnf_unregistered"
    VNF_NO_STANDBY = "vnf_no_standby"
    VNF_NOT_SWITCHED = "vnf_not_switched"
    # interruptions of services
    INTERRUPTION_SWITCH = "interruption_switch"
    INTERRUPTION_YEAR = "interruption_year"
    INTERRUPTION_UNKNOWN = "interruption_unknown"
    # who watches the cloud
    RECOVERY_RUNS = "recovery_runs"
    ALERTS = "alerts"
    WATCHER_SILENT = "watcher_silent"
    ACTS_ALONE = "acts_alone"
    # servers
    SERVER_ERROR = "server_error"
    SERVER_BUSY = "server_busy"
    SERVER_SUSPENDED = "server_suspended"
    SERVER_RESCUED = "server_rescued"
    SERVER_UNCONFIRMED_RESIZE = "server_unconfirmed_resize"
    SERVER_UNKNOWN_STATE = "server_unknown_state"
    SERVER_SOFT_DELETED = "server_soft_deleted"
    SERVER_PINNED = "server_pinned"
    SERVER_POWER_STATE = "server_power_state"
    SERVER_REFUSED = "server_refused"
    SERVER_LOCKED = "server_locked"
    SERVER_NOT_STOPPED = "server_not_stopped"
    SERVER_NOT_STARTED = "server_not_started"
    SERVER_GROUP = "server_group"
    SERVERS_UNSETTLED = "servers_unsettled"
    NO_DESTINATION = "no_destination"
    # moves
    MIGRATION_FAILED = "migration_failed"
    MOVE_TOO_LONG = "move_too_long"
    MIGRATION_SETTINGS = "migration_settings"
    MOVE_INTERRUPTS = "move_interrupts"
    FIT_UNSURE = "fit_unsure"
    MIGRATION_HUNG = "migration_hung"
    NODE_NOT_EMPTY = "node_not_empty"
    # upgrade and verification
    BACKUP_FAILED = "backup_failed"
    STAGE_FAILED = "stage_failed"
    UPGRADE_FAILED = "upgrade_failed"
    HOOK_FAILED = "hook_failed"
    REBOOT_FAILED = "reboot_failed"
    REBOOT_OVERDUE = "reboot_overdue"
    REBOOT_UNSURE = "reboot_unsure"
    NODE_UNREACHABLE = "node_unreachable"
    NODE_NO_PRIVILEGE = "node_no_privilege"
    NODE_PATH_UNUSABLE = "node_path_unusable"
    NODE_TOOL_MISSING = "node_tool_missing"
    NODE_UNIT_NOT_ENABLED = "node_unit_not_enabled"
    NODE_PACKAGES_BROKEN = "node_packages_broken"
    NODE_PACKAGES_LOCKED = "node_packages_locked"
    NODE_PACKAGES_REFUSED = "node_packages_refused"
    NODE_PACKAGE_HELD = "node_package_held"
    NODE_DISK_FULL = "node_disk_full"
    IMPACT_CONTRADICTED = "impact_contradicted"
    WORKER_NOT_READY = "worker_not_ready"
    SERVICE_NOT_UP = "service_not_up"
    VERSION_MISMATCH = "version_mismatch"
    HYPERVISOR_DOWN = "hypervisor_down"
    INVENTORY_MISSING = "inventory_missing"
    PROVIDER_CHANGED = "provider_changed"
    ALLOCATION_LEFT = "allocation_left"
    AGENT_DOWN = "agent_down"
    AGENT_STALE = "agent_stale"
    AGENT_UNMATCHED = "agent_unmatched"
    CANARY_FAILED = "canary_failed"
    CANARY_NOT_MOVED = "canary_not_moved"
    CANARY_UNREADY = "canary_unready"
    NOT_VERIFIED = "not_verified"
    STEP_HUNG = "step_hung"
    CUT_OFF = "cut_off"
    # conditions that are met, by what was looked at
    TARGETS_KNOWN = "targets_known"
    NODES_REACHABLE = "nodes_reachable"
    SYSTEM_NORMAL = "system_normal"
    SERVERS_MOVABLE = "servers_movable"
    SERVER_METHOD = "server_method"
    PARALLEL_CARRIED = "parallel_carried"
    VNF_REDUNDANCY = "vnf_redundancy"
    CONTROL_PLANE = "control_plane"
    NOT_LOOKED_AT = "not_looked_at"
    VERSIONS_COMPATIBLE = "versions_compatible"
    VERSION_STEP = "version_step"
    VERSIONS_ALIKE = "versions_alike"
    BUNDLE_COMPLETE = "bundle_complete"
    BACKUP_READY = "backup_ready"
    REBOOTS = "reboots"
    WAY_BACK = "way_back"
    WOULD_CHANGE = "would_change"
    RESTORE_LOSES = "restore_loses"
    DURATION = "duration"
    NOT_CHECKED = "not_checked"
    # conditions that are not met
    HA_MEMBER_MISSING = "ha_member_missing"
    HA_NO_REDUNDANCY = "ha_no_redundancy"
    HA_NEVER = "ha_never"
    HA_TOGETHER = "ha_together"
    GROUP_DEADLOCK = "group_deadlock"
    SERVER_TOO_LARGE = "server_too_large"
    VERSION_DOWNGRADE = "version_downgrade"
    VERSION_TOO_FAR = "version_too_far"
    VERSION_UNREADABLE = "version_unreadable"
    CONTROL_PLANE_BEHIND = "control_plane_behind"
    CONTROL_PLANE_NOT_READY = "control_plane_not_ready"
    CELLS_UNKNOWN = "cells_unknown"
    MIXED_RELEASES = "mixed_releases"
    VERSIONS_DIFFER = "versions_differ"
    BUNDLE_INCOMPLETE = "bundle_incomplete"
    BUNDLE_UNSERVED = "bundle_unserved"
    BACKUP_MISSING = "backup_missing"
    SPARE_NODES = "spare_nodes"
    HYPERVISOR_OLDER = "hypervisor_older"
    NO_WAY_BACK = "no_way_back"
    POINT_OF_NO_RETURN = "point_of_no_return"
    NOTHING_UPGRADED = "nothing_upgraded"
    # anything else
    CLOUD_UNREACHABLE = "cloud_unreachable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One finding of one check; every finding names its subject and, when it blocks, its remedy."""

    code: Code
    message: str
    subject: Subject
    severity: Severity = Severity.BLOCKER
    remedy: str | None = None

    @property
    def blocks(self) -> bool:
        """Tell whether this finding stops its subject."""
        return self.severity is Severity.BLOCKER

    def __str__(self) -> str:
        """Say the finding on one line: ``server web-1 (3f…): message -> remedy [code]``."""
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return f"{self.subject}: {self.message}{remedy} [{self.code}]"


def find_blockers(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Return the findings that stop their subject."""
    return tuple(v for v in verdicts if v.blocks)
