"""The forms: JSON schema makes the fields, Airflow refuses what does not fit with HTTP 400."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.sdk import Param

from escalator.documents.bundle_file import find_bundle_dir
from escalator.documents.requests import (
    LONGEST_CANARY_MOVE_SECONDS,
    LONGEST_MIGRATION_SECONDS,
    LONGEST_SOAK_SECONDS,
    MOST_NODES,
)
from escalator.model.approval import Approval
from escalator.model.campaign import OnBlocked, OnInterruption, OnSlowMove, UpgradeMode
from escalator.model.failed_nodes import OnFailedNode


def make_campaign_params(
    hosts: tuple[str, ...], bundles: Mapping[str, str], *, in_windows: bool = False
) -> dict[str, Param]:
    """Make the form of a campaign, for a domain's hosts and the bundles that are there.

    It is what a person asks for: a run that a maintenance window begins asks for what the window says.

    :param bundles: name -> what it brings, in words.
    :param in_windows: windows begin runs as well. Airflow wants a default then that the schema allows: it is
        check_conditions that refuses a trigger without a bundle.
    """
    return {
        "bundle": _bundle(bundles, may_be_null=in_windows),
        "hosts": _hosts(hosts, everything="every node of the domain"),
        "mode": _mode(),
        "max_parallel": _max_parallel(hosts),
        "on_failed_node": _on_failed_node(),
        "ask_before_one_way": Param(
            False,
            type="boolean",
            title="Ask before the first node that cannot go back",
            description="No node that cannot go back goes out until a person says so, at the required action "
            "of the first one's admit",
            section="Safety",
        ),
        **_safety(),
    }


def make_rollback_params(hosts: tuple[str, ...]) -> dict[str, Param]:
    """Make the form of a rollback, for a domain's hosts: what it brings is what these had before a run."""
    return {
        "run_id": Param(
            None,
            type=["null", "string"],
            title="Run to take back",
            description="Id of a run of this domain's upgrade; empty: the last one that changed a node",
        ),
        "hosts": _hosts(hosts, everything="every node that the run changed"),
        "mode": _mode(),
        "max_parallel": _max_parallel(hosts),
        **_safety(),
    }


def make_restore_params(hosts: tuple[str, ...]) -> dict[str, Param]:
    """Make the form of a restore, for a domain's hosts: one of them is put back to a backup."""
    return {
        "hosts": _hosts(hosts, everything="refused, a restore is of one node"),
        "backup": Param(
            None,
            type=["null", "string"],
            title="Backup",
            description="Its id, as escalator backups list tells it; empty: the newest one of the node that "
            "was taken for an upgrade",
        ),
        "approved": Param(
            False,
            type="boolean",
            title="What was changed since is lost, and that is accepted",
            description="Otherwise a person is asked, at the required action of check_conditions",
        ),
        "mode": _mode(),
        **_safety(),
    }


def make_check_params(hosts: tuple[str, ...], bundles: Mapping[str, str]) -> dict[str, Param]:
    """Make the form of a check, for a cloud's hosts and the bundles that are there.

    :param bundles: name -> what it brings, in words.
    """
    return {
        "bundle": _bundle(bundles),
        "hosts": _hosts(hosts, everything="every node of the cloud"),
        "mode": _mode(),
        "max_parallel": _max_parallel(hosts),
        "rollback": Param(
            False,
            type="boolean",
            title="Check the way back",
            description="Where the servers would go if the upgraded nodes had to return, and which cannot",
        ),
    }


def _bundle(bundles: Mapping[str, str], *, may_be_null: bool = False) -> Param:
    """Make the field of the bundle: none is chosen, so nothing starts before a person has chosen one.

    None is no value that the schema allows: a trigger without a bundle is refused. A field without a default
    would end the triggerer, which reads the fields before it reads what was asked for.
    """
    lines = [f"- **{name}**: {brings}" for name, brings in bundles.items()]
    names: list[str | None] = [*bundles] or [f"(no bundle in {find_bundle_dir()}: put one there)"]
    return Param(
        None,
        type=["null", "string"] if may_be_null else "string",
        enum=[*names, None] if may_be_null else names,
        values_display={name: f"{name}: {brings}" for name, brings in bundles.items()},
        title="Bundle",
        description_md="\n".join(["What to bring to the nodes; choose one:", "", *lines]),
    )


def _hosts(hosts: tuple[str, ...], *, everything: str) -> Param:
    return Param(
        [],
        type="array",
        items={"type": "string"},
        examples=list(hosts),
        title="Hosts",
        description=f"nova-compute service hosts; empty: {everything}",
    )


def _mode() -> Param:
    return Param(
        UpgradeMode.SMOOTH.value,
        type="string",
        enum=[str(mode) for mode in UpgradeMode],
        title="Mode",
        description="smooth: servers keep running; non-smooth: those that cannot be moved are stopped for "
        "the upgrade of their node and started after it (a check says which)",
    )


def _max_parallel(hosts: tuple[str, ...]) -> Param:
    """Make the field of K, up to the largest that leaves a node in service."""
    return Param(
        1,
        type="integer",
        minimum=1,
        maximum=max(1, len(hosts) - 1),
        title="Nodes out at a time",
        description="Never more than this; less when redundant capacity does not carry it",
        section="Safety",
    )


def _on_blocked() -> Param:
    return Param(
        OnBlocked.REFUSE.value,
        type="string",
        enum=[str(choice) for choice in OnBlocked],
        title="When a node is blocked",
        description="refuse: the campaign does not begin; skip: that node is left out, named with its "
        "reason, and the others go. What concerns the whole campaign refuses it either way",
        section="Safety",
    )


def _on_interruption() -> Param:
    return Param(
        OnInterruption.REPORT.value,
        type="string",
        enum=[str(choice) for choice in OnInterruption],
        title="When a service is interrupted for too long",
        description="More than 1 s at once, or 5 min within a year, as probes of the VNFs' service addresses "
        "measure it. report: the report says so; stop: no further node goes out as well",
        section="Safety",
    )


def _moves() -> dict[str, Param]:
    """Make the fields about what may move beside what has to."""
    return {
        "spill": Param(
            1.0,
            type="number",
            minimum=0,
            maximum=1,
            title="Servers that may move twice",
            description="Share of the servers that may go to nodes still to be upgraded only to have "
            "more nodes out at once: 0.02 is two in a hundred, 1 as many as it takes",
            section="Safety",
        ),
        "move_standbys": Param(
            True,
            type="boolean",
            title="Move standbys before they take over",
            description="A standby moves, live, to an upgraded node with room to spare before it takes over: "
            "its service need not be switched back later. Only where no VNF manager is asked",
            section="Safety",
        ),
    }


def _slow_moves() -> dict[str, Param]:
    """Make the fields about moves that take long."""
    return {
        "migration_timeout_seconds_per_gib": Param(
            0.0,
            type="number",
            minimum=0,
            maximum=3600,
            title="Longest migration for each GiB of memory (s)",
            description="So long may it take for each GiB of its server's memory, where that is more",
            section="Safety",
        ),
        "on_slow_move": Param(
            OnSlowMove.ABORT.value,
            type="string",
            enum=[str(choice) for choice in OnSlowMove],
            title="When a live migration takes longer",
            description="abort: it is aborted and tried elsewhere; force_complete: it is forced to its end "
            "first, which pauses the guest until its memory is there (or turns to post-copy, where the nodes "
            "permit it), and is aborted only when that takes as long again",
            section="Safety",
        ),
    }


def _trust() -> dict[str, Param]:
    """Make the fields about how far the campaign goes on by itself."""
    return {
        "max_failed_nodes": Param(
            0,
            type=["string", "integer"],  # the form makes a field for the first
            minimum=0,
            maximum=MOST_NODES,
            pattern=r"^([0-9]{1,4}|(100|[0-9]{1,2})%)$",
            title="Failed nodes tolerated",
            description="A number, or a share of the campaign's nodes such as 10% (rounded down). One more "
            "than this stops further admissions; nodes in flight finish",
            section="Safety",
        ),
        "soak_seconds": Param(
            0,
            type="integer",
            minimum=0,
            maximum=LONGEST_SOAK_SECONDS,
            title="Soak time (s)",
            description="So long no other node goes out after one was given back; when it is not in service "
            "any more by then, none does",
            section="Safety",
        ),
        "canary_move_seconds": Param(
            0,
            type="integer",
            minimum=0,
            maximum=LONGEST_CANARY_MOVE_SECONDS,
            title="Move a canary in and out within (s)",
            description="Before a node is given back a canary comes to it from another node by live "
            "migration and goes back, as servers of the next node will; 0: none does",
            section="Safety",
        ),
        "approval": Param(
            Approval.NONE.value,
            type="string",
            enum=[str(choice) for choice in Approval],
            title="Wait for a person after a node",
            description="canary: after the first node that was given back nothing goes on until a person "
            "says so, at the required action of its release; every-node: after each, one at a time",
            section="Safety",
        ),
    }


def _on_failed_node() -> Param:
    return Param(
        None,
        type=["null", "string"],
        enum=[None, *map(str, OnFailedNode)],
        values_display={"null": "as the bundle says, else quarantine"},
        title="When a node fails",
        description="quarantine: it stays out of service for a person; rollback-node: at the end of the "
        "campaign a rollback is started for it; rollback-campaign: no further node goes out, and at the end "
        "a rollback is started for every node that the campaign changed. Empty: as the bundle says",
        section="Safety",
    )


def _safety() -> dict[str, Param]:
    """Make the fields of the section Safety that only a campaign has, in their order on the form."""
    return {
        **_moves(),
        **_trust(),
        "on_blocked": _on_blocked(),
        "on_interruption": _on_interruption(),
        "allow_downgrade": Param(
            False,
            type="boolean",
            title="Allow a downgrade",
            description="The bundle may bring an older version than the nodes have; refused otherwise",
            section="Safety",
        ),
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Check and plan, write nothing to the cloud",
            section="Safety",
        ),
        "migration_timeout_seconds": Param(
            900,
            type="integer",
            minimum=10,
            maximum=LONGEST_MIGRATION_SECONDS,
            title="Longest migration (s)",
            description="A migration that takes longer is aborted and tried elsewhere",
            section="Safety",
        ),
        **_slow_moves(),
        "window_end": Param(
            None,
            type=["null", "string"],
            format="date-time",
            pattern="^(19[7-9]|2[01])",  # nothing can be reckoned with near the years 1 and 9999
            title="No new node after",
            description="Nodes in flight finish; default: the end of the maintenance window, if any",
            section="Safety",
        ),
    }
