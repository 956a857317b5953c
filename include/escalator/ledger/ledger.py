"""The ledger: every method is one short transaction, safe to run twice and from many processes at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import sqlalchemy as sa

from escalator.ledger.codec import from_json, to_json
from escalator.ledger.database import Database, ledger_url, parsed_url
from escalator.ledger.history import read_history
from escalator.ledger.records import (
    CampaignSummary,
    Document,
    StepAttempt,
    StepRecord,
    move_of,
    move_values,
    progress_of,
    step_of,
)
from escalator.ledger.rows import (
    campaign_id,
    find_campaign,
    find_node,
    insert_or_ignore,
    insert_or_update,
    locked_node,
    waiting_node,
)
from escalator.ledger.tables import CampaignRow, DocumentRow, FactRow, MoveRow, NodeRow, StepRow
from escalator.ledger.views import read_nodes, read_view
from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState, Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.durations import History
from escalator.model.errors import InvalidRequestError, NotFoundError, SupersededError
from escalator.model.lease import LeaseMark
from escalator.model.moves import MoveRecord
from escalator.model.step import Outcome
from escalator.model.verdict import Code

PLAN_VERSION = 1


class Ledger:
    """What campaigns planned and did, in one SQLite file or PostgreSQL database.

    Every method may raise TransientError when the database is away or busy; methods that write for a run that
    was never opened raise NotFoundError. A naive time is refused with InvalidRequestError.

    :param url: SQLAlchemy URL; None means ESCALATOR_LEDGER_URL or the file in ESCALATOR_HOME.
    :raises InvalidRequestError: when the URL is not usable, or its schema is not this release's.
    """

    def __init__(self, url: str | None = None) -> None:
        self._database = Database(parsed_url(url or ledger_url()))
        self._database.require_head()

    @classmethod
    def create_or_upgrade(cls, url: str | None = None) -> Self:
        """Make the ledger or bring its schema up to date, then open it."""
        from escalator.ledger import schema  # noqa: PLC0415  (Alembic: 0.3 s that no task needs)

        schema.upgrade(url or ledger_url())
        return cls(url)

    def open_campaign(
        self,
        plan: CampaignPlan,
        *,
        dag_id: str,
        run_id: str,
        bundle_document: Mapping[str, Any],
        snapshot_before: Mapping[str, Any],
        now: datetime,
    ) -> CampaignPlan:
        """Record a campaign's plan, its bundle and the cloud as it was; all its nodes wait.

        A second call for the same campaign and run changes nothing: the plan that a run began with stays.

        :return: the plan that is recorded.
        """
        values = {
            "campaign": plan.campaign,
            "run_id": run_id,
            "dag_id": dag_id,
            "opened_at": now,
            "plan": {"schema_version": PLAN_VERSION, **to_json(plan)},
        }
        documents = {Document.BUNDLE: bundle_document, Document.SNAPSHOT_BEFORE: snapshot_before}
        with self._database.writing() as session:
            insert_or_ignore(session, CampaignRow, values)
            owner = campaign_id(session, plan.campaign, run_id)
            for kind, body in documents.items():
                row = {"campaign_id": owner, "kind": kind.value, "body": to_json(body)}
                insert_or_ignore(session, DocumentRow, row)
            recorded = _plan_of(session.get_one(CampaignRow, owner))
            for host in recorded.hosts:
                insert_or_ignore(session, NodeRow, waiting_node(owner, host, since=now))
        return recorded

    def plan(self, campaign: str, run_id: str) -> CampaignPlan | None:
        """Return the plan a run was opened with; None when it was never opened."""
        with self._database.reading() as session:
            row = find_campaign(session, campaign, run_id)
            return _plan_of(row) if row is not None else None

    def campaigns(self, limit: int = 100) -> tuple[CampaignSummary, ...]:
        """Return the runs opened last, newest first, with how their nodes stand."""
        newest = (
            sa.select(CampaignRow).order_by(CampaignRow.opened_at.desc(), CampaignRow.id.desc()).limit(limit)
        )
        with self._database.reading() as session:
            rows = session.scalars(newest).all()
            keys = [row.id for row in rows]
            nodes = session.execute(
                sa.select(NodeRow.campaign_id, NodeRow.state).where(NodeRow.campaign_id.in_(keys))
            )
            counts: dict[int, Counter[NodeState]] = {key: Counter() for key in keys}
            for key, state in nodes:
                counts[key][NodeState(state)] += 1
        return tuple(_summary_of(row, counts[row.id]) for row in rows)

    def document(self, campaign: str, run_id: str, kind: Document) -> Any:  # noqa: ANN401  (JSON)
        """Return a document of a run; None when it is not there."""
        query = (
            sa.select(DocumentRow.body)
            .join(CampaignRow, DocumentRow.campaign_id == CampaignRow.id)
            .where(
                CampaignRow.campaign == campaign, CampaignRow.run_id == run_id, DocumentRow.kind == kind.value
            )
        )
        with self._database.reading() as session:
            return session.scalar(query)

    def set_document(self, campaign: str, run_id: str, kind: Document, body: object) -> None:
        """Keep a document of a run, in place of an earlier one of its kind."""
        with self._database.writing() as session:
            row = {
                "campaign_id": campaign_id(session, campaign, run_id),
                "kind": kind.value,
                "body": to_json(body),
            }
            insert_or_update(session, DocumentRow, row, key=("campaign_id", "kind"))

    def view(self, campaign: str, run_id: str) -> LedgerView:
        """Return how all nodes of a run stand and what its decisions look back at; no nodes without a run."""
        with self._database.reading() as session:
            return read_view(session, campaign, run_id)

    def nodes(self, campaign: str, run_id: str) -> tuple[NodeProgress, ...]:
        """Return how all nodes of a run stand, in the order of the plan: cheap to ask often."""
        with self._database.reading() as session:
            row = find_campaign(session, campaign, run_id)
            return read_nodes(session, row.id) if row is not None else ()

    def history(self, *, cloud: str, bundle: str) -> History:
        """Return what earlier campaigns that brought a bundle to a cloud tell of durations."""
        with self._database.reading() as session:
            return read_history(session, cloud=cloud, bundle=bundle)

    def progress(self, campaign: str, run_id: str, host: str) -> NodeProgress:
        """Return how one node stands; waiting when nothing is recorded."""
        with self._database.reading() as session:
            row = find_node(session, campaign, run_id, host)
            return progress_of(row) if row is not None else NodeProgress(host=host)

    def set_progress(
        self,
        campaign: str,
        run_id: str,
        host: str,
        state: NodeState,
        *,
        now: datetime,
        code: Code | None = None,
        message: str = "",
        mark: LeaseMark | None = None,
        attempt: StepAttempt | None = None,
    ) -> None:
        """Record how a node stands now; ``since`` stays while the state does.

        :param attempt: the attempt that says so; nothing is written when a newer one has begun.
        :raises SupersededError: when a newer attempt has begun.
        """
        with self._database.writing() as session:
            row = locked_node(session, campaign, run_id, host)
            if attempt is not None:
                _require_newest(attempt, row.fence)
            if row.state != state.value or row.since is None:
                row.since = now
            row.state = state.value
            row.code = code.value if code else None
            row.message = message
            row.mark = mark.value if mark else None

    def note_waiting(
        self, campaign: str, run_id: str, decisions: Mapping[str, AdmissionDecision], now: datetime
    ) -> int:
        """Keep why nodes wait, for the board; writes only for waiting nodes whose reason has changed.

        :return: how many nodes have a new reason.
        """
        told = {n.host: n for n in self.nodes(campaign, run_id) if n.state is NodeState.WAITING}
        changed = [
            decision
            for host, decision in decisions.items()
            if host in told
            and decision.admission is not Admission.ADMIT
            and (told[host].code, told[host].message) != (decision.code, decision.message)
        ]
        if not changed:
            return 0
        with self._database.writing() as session:
            for decision in sorted(changed, key=lambda item: item.host):
                row = locked_node(session, campaign, run_id, decision.host)
                if row.state == NodeState.WAITING.value:
                    row.code, row.message = decision.code.value, decision.message
                    row.since = row.since or now
        return len(changed)

    def begin_step(
        self, campaign: str, run_id: str, host: str, step: Step, *, try_number: int, now: datetime
    ) -> StepAttempt:
        """Begin an attempt at a step; every attempt on the node before it is superseded."""
        with self._database.writing() as session:
            node = locked_node(session, campaign, run_id, host)
            node.fence += 1
            row = StepRow(
                node_id=node.id,
                fence=node.fence,
                step=step.value,
                try_number=try_number,
                begun_at=now,
                message="",
                api_calls=0,
                details={},
            )
            session.add(row)
            session.flush()
            return StepAttempt(id=row.id, fence=row.fence, host=host, step=step)

    def check_fence(self, attempt: StepAttempt) -> None:
        """See that no newer attempt on the node has begun; call it before every write to the cloud.

        :raises SupersededError: when one has.
        """
        query = (
            sa.select(NodeRow.fence)
            .join(StepRow, StepRow.node_id == NodeRow.id)
            .where(StepRow.id == attempt.id)
        )
        with self._database.reading() as session:
            newest = session.scalar(query)
        if newest is None:
            raise NotFoundError(
                f"attempt {attempt.id} at {attempt.step} of {attempt.host} is not in the ledger"
            )
        _require_newest(attempt, newest)

    def finish_step(
        self,
        attempt: StepAttempt,
        *,
        result: Outcome | str,
        now: datetime,
        code: Code | None = None,
        message: str = "",
        api_calls: int = 0,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        """Record how an attempt ended, also that of a superseded one; a second call overwrites the first.

        :raises InvalidRequestError: when the result is not ok, skipped, held or failed.
        """
        if result not in list(Outcome):
            raise InvalidRequestError(
                f"{result!r} is not a step's result", remedy="use ok, skipped, held, failed"
            )
        with self._database.writing() as session:
            row = session.get(StepRow, attempt.id)
            if row is None:
                raise NotFoundError(f"attempt {attempt.id} of {attempt.host} is not in the ledger")
            row.result = Outcome(result).value
            row.ended_at = now
            row.code = code.value if code else None
            row.message = message
            row.api_calls = api_calls
            row.details = to_json(details or {})

    def steps(self, campaign: str, run_id: str) -> tuple[StepRecord, ...]:
        """Return every attempt of a run in the order in which they began."""
        query = (
            sa.select(StepRow, NodeRow.host)
            .join(NodeRow, StepRow.node_id == NodeRow.id)
            .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
            .where(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id)
            .order_by(StepRow.id)
        )
        with self._database.reading() as session:
            return tuple(step_of(row, host) for row, host in session.execute(query))

    def record_move(self, campaign: str, run_id: str, host: str, move: MoveRecord) -> None:
        """Record one attempt to move a server in the life of a node.

        With a migration UUID a second call overwrites the first, but keeps an interruption that it lacks.
        """
        with self._database.writing() as session:
            owner = campaign_id(session, campaign, run_id)
            values = {"campaign_id": owner, "host": host, **move_values(move)}
            key = ("campaign_id", "migration")
            insert_or_update(session, MoveRow, values, key=key, keep="interruption_ms")

    def moves(self, campaign: str, run_id: str, host: str | None = None) -> tuple[MoveRecord, ...]:
        """Return the moves of a run, or of one of its nodes, in the order in which they were recorded."""
        query = (
            sa.select(MoveRow)
            .join(CampaignRow, MoveRow.campaign_id == CampaignRow.id)
            .where(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id)
            .order_by(MoveRow.id)
        )
        if host is not None:
            query = query.where(MoveRow.host == host)
        with self._database.reading() as session:
            return tuple(move_of(row) for row in session.scalars(query))

    def put_fact(self, campaign: str, run_id: str, host: str, key: str, value: object) -> None:
        """Keep a fact about a node for a later step, in place of an earlier one of that key."""
        with self._database.writing() as session:
            node = locked_node(session, campaign, run_id, host)
            values = {"node_id": node.id, "key": key, "value": to_json(value)}
            insert_or_update(session, FactRow, values, key=("node_id", "key"))

    def fact(self, campaign: str, run_id: str, host: str, key: str) -> Any:  # noqa: ANN401  (JSON)
        """Return a fact that a step kept, as JSON; None when there is none."""
        with self._database.reading() as session:
            node = find_node(session, campaign, run_id, host)
            row = session.get(FactRow, (node.id, key)) if node is not None else None
            return row.value if row is not None else None

    def facts(self, campaign: str, run_id: str, key: str) -> dict[str, Any]:
        """Return one fact of every node that has it, as JSON, by host."""
        query = (
            sa.select(NodeRow.host, FactRow.value)
            .join(NodeRow, FactRow.node_id == NodeRow.id)
            .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
            .where(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id, FactRow.key == key)
            .order_by(NodeRow.host)
        )
        with self._database.reading() as session:
            return {host: value for host, value in session.execute(query) if value is not None}

    def opened_at(self, campaign: str, run_id: str) -> datetime | None:
        """Return when a run was opened; None when it never was."""
        with self._database.reading() as session:
            row = find_campaign(session, campaign, run_id)
            return row.opened_at if row is not None else None


def _require_newest(attempt: StepAttempt, newest: int) -> None:
    if newest > attempt.fence:
        raise SupersededError(
            f"attempt {attempt.fence} at {attempt.step} of {attempt.host} is superseded by attempt {newest}",
            remedy="leave the node to the newer attempt",
        )


def _plan_of(row: CampaignRow) -> CampaignPlan:
    version = row.plan.get("schema_version")
    if version != PLAN_VERSION:
        raise InvalidRequestError(
            f"the plan of run {row.run_id} has schema version {version}, this release reads {PLAN_VERSION}",
            remedy="finish the campaign with the release that began it",
        )
    return from_json(CampaignPlan, row.plan)


def _summary_of(row: CampaignRow, nodes: Mapping[NodeState, int]) -> CampaignSummary:
    plan = _plan_of(row)
    return CampaignSummary(
        campaign=row.campaign,
        run_id=row.run_id,
        dag_id=row.dag_id,
        opened_at=row.opened_at,
        bundle=plan.request.bundle,
        target_version=plan.target_version,
        nodes={state: nodes[state] for state in NodeState if nodes[state]},
    )
