"""What a report is made from: plain records of a campaign, whoever kept them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from escalator.model.backup import BackupRecord
from escalator.model.campaign import CampaignPlan, LedgerView, Step
from escalator.model.cloud import CloudSnapshot
from escalator.model.failed_nodes import OwnRollback
from escalator.model.interruption import Gap
from escalator.model.moves import MoveRecord
from escalator.model.notice import NoticeRecord
from escalator.model.quota import FrozenQuota
from escalator.model.stops import ServerStop
from escalator.model.switch import SwitchRecord
from escalator.model.verdict import Verdict
from escalator.model.watchers import Told


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """One attempt at one step of one node.

    :ivar ended_at: None when nobody recorded its end: it was killed, or still runs.
    :ivar result: ok, skipped, held or failed; None without an end.
    :ivar details: may hold ``leased_at`` (admit) and ``released_at`` (release) as ISO times, and
        ``upgrade_seconds`` (upgrade): how long the job on the node ran, up to the end of the attempt; and
        ``hooks`` (upgrade, verify): when which of the bundle's own commands were run, and what they printed;
        and ``software`` (precheck, verify): component -> version, as it was read on the node;
        and ``reboot`` (upgrade): when it was ordered, and the boots before and after it.
    """

    host: str
    step: Step
    try_number: int
    started_at: datetime
    ended_at: datetime | None = None
    result: str | None = None
    code: str | None = None
    message: str = ""
    api_calls: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSnapshot:
    """A snapshot as the campaign recorded it.

    :ivar document: ``escalator.snapshot/1``; the report has it as it is.
    :ivar cloud: what it says; None when it cannot be read, which is as if there were no snapshot.
    """

    document: Mapping[str, Any]
    cloud: CloudSnapshot | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFacts:
    """All that is known of a campaign when it ends; times are aware.

    :ivar moves: every attempt to move a server; its ``from_host`` is the node that was drained.
    :ivar versions_before: what each node ran when it was first asked.
    :ivar versions_after: what each node was last known to run.
    :ivar snapshot_before: None when none was taken.
    :ivar campaign_api_calls: API calls that belong to no node, by task, such as ``check_conditions``.
    :ivar verdicts: what the check of the conditions found.
    :ivar plan_document: ``escalator.plan/1``, as it was made at the start; None when none was recorded.
    :ivar refused: the campaign was refused before any write.
    :ivar gaps: the gaps of services that probes measured in the run.
    :ivar switches: the switchovers in the run, by the means of the groups or by their managers.
    :ivar notices: what managers of VNFs were told and asked, with their answers.
    :ivar scaling: what was found when quotas were frozen (``freeze``) and restored (``restore``), by project.
    :ivar frozen: the quotas that the run still keeps frozen.
    :ivar stops: host -> the servers that were stopped for its upgrade, by their time.
    :ivar backups: what was saved before nodes were changed.
    :ivar changed_at: host -> when its software was about to be changed.
    :ivar own_rollbacks: rollbacks that the campaign started by itself, or was to start.
    :ivar told: host -> what those that watch the cloud were told of it.
    :ivar year_gaps: those of all runs in the cloud in the year up to its end.
    :ivar vnf_of: id of an HA group -> name of its VNF, as far as VNF files say.
    """

    plan: CampaignPlan
    started_at: datetime
    ended_at: datetime
    view: LedgerView = field(default_factory=LedgerView)
    steps: tuple[StepRun, ...] = ()
    moves: tuple[MoveRecord, ...] = ()
    versions_before: Mapping[str, str] = field(default_factory=dict)
    versions_after: Mapping[str, str] = field(default_factory=dict)
    bundle_document: Mapping[str, Any] = field(default_factory=dict)
    snapshot_before: RecordedSnapshot | None = None
    snapshot_after: RecordedSnapshot | None = None
    campaign_api_calls: Mapping[str, int] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    plan_document: Mapping[str, Any] | None = None
    refused: bool = False
    gaps: tuple[Gap, ...] = ()
    switches: tuple[SwitchRecord, ...] = ()
    notices: tuple[NoticeRecord, ...] = ()
    year_gaps: tuple[Gap, ...] = ()
    vnf_of: Mapping[str, str] = field(default_factory=dict)
    scaling: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    frozen: tuple[FrozenQuota, ...] = ()
    stops: Mapping[str, tuple[ServerStop, ...]] = field(default_factory=dict)
    told: Mapping[str, Told] = field(default_factory=dict)
    backups: tuple[BackupRecord, ...] = ()
    own_rollbacks: tuple[OwnRollback, ...] = ()
    changed_at: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def before(self) -> CloudSnapshot | None:
        """Return the cloud as it was before the campaign; None when that is not known."""
        return None if self.snapshot_before is None else self.snapshot_before.cloud

    @property
    def after(self) -> CloudSnapshot | None:
        """Return the cloud as it is after the campaign; None when that is not known."""
        return None if self.snapshot_after is None else self.snapshot_after.cloud

    def steps_of(self, host: str) -> tuple[StepRun, ...]:
        """Return the attempts at the steps of a node, in the order of their starts."""
        return tuple(sorted((s for s in self.steps if s.host == host), key=lambda s: s.started_at))

    def moves_of(self, host: str) -> tuple[MoveRecord, ...]:
        """Return the attempts to move servers off a node, in the order of their starts."""
        return tuple(sorted((m for m in self.moves if m.from_host == host), key=lambda m: m.started_at))
