"""One run of a campaign in the ledger: every method is one short transaction, safe to run twice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

import sqlalchemy as sa

from escalator.ledger.codec import to_json
from escalator.ledger.database import Database
from escalator.ledger.documents import find_document, put_document
from escalator.ledger.facts import BEHIND, FROM_VERSION, MOVE_SLOWNESS, VERSION, read_facts, write_fact_values
from escalator.ledger.gap_book import GapBook
from escalator.ledger.given_back import record_given_back
from escalator.ledger.history import read_history
from escalator.ledger.order_book import OrderBook
from escalator.ledger.records import (
    PLAN_VERSION,
    Document,
    StepAttempt,
    StepRecord,
    move_of,
    move_values,
    plan_of,
    read_progress,
    read_step,
)
from escalator.ledger.released import Released, read_released
from escalator.ledger.rows import (
    check_newest,
    close_steps,
    find_campaign,
    find_node,
    insert_or_ignore,
    insert_or_update,
    lock_node,
    make_left_out_node,
    make_waiting_node,
    select_campaign_id,
)
from escalator.ledger.tables import CampaignRow, FactRow, MoveRow, NodeRow, StepRow
from escalator.ledger.views import read_nodes, read_view
from escalator.model.campaign import CampaignPlan, LedgerView, NodeProgress, NodeState, Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.durations import History
from escalator.model.errors import InvalidRequestError, NotFoundError
from escalator.model.lease import LeaseMark
from escalator.model.moves import MoveRecord
from escalator.model.node_facts import FactChanges, NodeFacts
from escalator.model.step import Outcome
from escalator.model.verdict import Code


class CampaignRun:
    """What one run of a campaign planned and did; made by ``Ledger.run``, whether the run is opened or not.

    Every method may raise TransientError when the database is away or busy; methods that write raise
    NotFoundError while the run is not opened. A naive time is refused with InvalidRequestError.

    :ivar campaign: id of the campaign.
    :ivar run_id: id of its run.
    """

    def __init__(self, database: Database, campaign: str, run_id: str) -> None:
        self._database = database
        self.campaign = campaign
        self.run_id = run_id
        self._is_ours = sa.and_(CampaignRow.campaign == campaign, CampaignRow.run_id == run_id)

    def open(
        self,
        plan: CampaignPlan,
        *,
        dag_id: str,
        bundle_document: Mapping[str, Any],
        snapshot_before: Mapping[str, Any],
        now: datetime,
    ) -> CampaignPlan:
        """Record the campaign's plan, its bundle and the cloud as it was; its nodes wait or are left out.

        A second call changes nothing: the plan that the run began with stays.

        :return: the plan that is recorded.
        """
        values = {
            "campaign": self.campaign,
            "run_id": self.run_id,
            "dag_id": dag_id,
            "opened_at": now,
            "plan": {"schema_version": PLAN_VERSION, **to_json(plan)},
            "cloud": plan.request.cloud,
        }
        documents = {Document.BUNDLE: bundle_document, Document.SNAPSHOT_BEFORE: snapshot_before}
        with self._database.writing() as session:
            insert_or_ignore(session, CampaignRow, values)
            owner = select_campaign_id(session, self.campaign, self.run_id)
            for kind, body in documents.items():
                put_document(session, owner, kind, body, over=False)
            recorded = plan_of(session.get_one(CampaignRow, owner))
            for host in recorded.hosts:
                insert_or_ignore(session, NodeRow, make_waiting_node(owner, host, since=now))
            for node in recorded.left_out:
                insert_or_ignore(session, NodeRow, make_left_out_node(owner, node, since=now))
        return recorded

    def plan(self) -> CampaignPlan | None:
        """Return the plan a run was opened with; None when it was never opened."""
        with self._database.reading() as session:
            row = find_campaign(session, self.campaign, self.run_id)
            return plan_of(row) if row is not None else None

    def opened_at(self) -> datetime | None:
        """Return when a run was opened; None when it never was."""
        with self._database.reading() as session:
            row = find_campaign(session, self.campaign, self.run_id)
            return row.opened_at if row is not None else None

    def document(self, kind: Document) -> Any:  # noqa: ANN401  (JSON)
        """Return a document of a run; None when it is not there."""
        with self._database.reading() as session:
            return find_document(session, self._is_ours, kind)

    def set_document(self, kind: Document, body: object) -> None:
        """Keep a document of a run, in place of an earlier one of its kind."""
        with self._database.writing() as session:
            owner = select_campaign_id(session, self.campaign, self.run_id)
            put_document(session, owner, kind, body, over=True)

    def view(self) -> LedgerView:
        """Return how all nodes of a run stand and what its decisions look back at; no nodes without a run."""
        with self._database.reading() as session:
            return read_view(session, self.campaign, self.run_id)

    def gaps(self) -> GapBook:
        """Return the gaps of services, those of other runs too."""
        return GapBook(self._database)

    def beside(self, campaign: str, run_id: str) -> CampaignRun:
        """Return another run of the same ledger."""
        return CampaignRun(self._database, campaign, run_id)

    def orders(self) -> OrderBook:
        """Return what persons ordered of the run."""
        return OrderBook(self._database, self.campaign, self.run_id)

    def nodes(self) -> tuple[NodeProgress, ...]:
        """Return how all nodes of a run stand, in the order of the plan: cheap to ask often."""
        with self._database.reading() as session:
            row = find_campaign(session, self.campaign, self.run_id)
            return read_nodes(session, row.id) if row is not None else ()

    def history(self, *, cloud: str, bundle: str) -> History:
        """Return what the campaigns so far that brought a bundle to a cloud tell of durations."""
        with self._database.reading() as session:
            return read_history(session, cloud=cloud, bundle=bundle)

    def released(self, *, cloud: str, bundle: str) -> tuple[Released, ...]:
        """Return what the runs of a bundle have verified and given back in a cloud, the newest run first."""
        with self._database.reading() as session:
            return read_released(session, cloud=cloud, bundle=bundle)

    def progress(self, host: str) -> NodeProgress:
        """Return how one node stands; waiting when nothing is recorded."""
        with self._database.reading() as session:
            row = find_node(session, self.campaign, self.run_id, host)
            return read_progress(row) if row is not None else NodeProgress(host=host)

    def set_progress(
        self,
        host: str,
        state: NodeState,
        *,
        now: datetime,
        code: Code | None = None,
        message: str = "",
        mark: LeaseMark | None = None,
        attempt: StepAttempt | None = None,
    ) -> None:
        """Record how a node stands now; ``since`` stays while the state does, and of a wait its code.

        :param attempt: the attempt that says so; nothing is written when a newer one has begun.
        :raises SupersededError: when a newer attempt has begun.
        """
        with self._database.writing() as session:
            row = lock_node(session, self.campaign, self.run_id, host)
            if attempt is not None:
                check_newest(attempt, row.fence)
            said = code.value if code else None
            waits_anew = state is NodeState.WAITING and row.code != said
            if row.state != state.value or row.since is None or waits_anew:
                row.since = now
            row.state = state.value
            row.code = said
            row.message = message
            row.mark = mark.value if mark else None

    def note_waiting(self, decisions: Mapping[str, AdmissionDecision], now: datetime) -> int:
        """Keep why nodes wait, for the board; writes only for waiting nodes whose reason has changed.

        :return: how many nodes have a new reason.
        """
        told = {n.host: n for n in self.nodes() if n.state is NodeState.WAITING}
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
                row = lock_node(session, self.campaign, self.run_id, decision.host)
                if row.state == NodeState.WAITING.value:
                    if row.since is None or row.code != decision.code.value:
                        row.since = now
                    row.code, row.message = decision.code.value, decision.message
        return len(changed)

    def begin_step(self, host: str, step: Step, *, try_number: int, now: datetime) -> StepAttempt:
        """Begin an attempt at a step; every attempt on the node before it is superseded.

        Those without an end are closed: their processes ended, or lost the node.
        """
        with self._database.writing() as session:
            node = lock_node(session, self.campaign, self.run_id, host)
            close_steps(session, StepRow.node_id == node.id, found_by=f"{step}, try {try_number}", now=now)
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
        of_node = StepRow.node_id == NodeRow.id
        query = sa.select(NodeRow.fence).join(StepRow, of_node).where(StepRow.id == attempt.id)
        with self._database.reading() as session:
            newest = session.scalar(query)
        if newest is None:
            raise NotFoundError(
                f"attempt {attempt.id} at {attempt.step} of {attempt.host} is not in the ledger"
            )
        check_newest(attempt, newest)

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

    def close_steps(self, *, found_by: str, now: datetime) -> int:
        """Close the attempts of a run that have no end; return how many. Call it when no step is at work.

        One that goes on all the same overwrites that when it ends.

        :param found_by: who found them, in words.
        :param now: when they were found: nobody knows when they ended.
        """
        nodes = (
            sa.select(NodeRow.id)
            .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
            .where(self._is_ours)
        )
        with self._database.writing() as session:
            return close_steps(session, StepRow.node_id.in_(nodes), found_by=found_by, now=now)

    def steps(self) -> tuple[StepRecord, ...]:
        """Return every attempt of a run in the order in which they began."""
        query = (
            sa.select(StepRow, NodeRow.host)
            .join(NodeRow, StepRow.node_id == NodeRow.id)
            .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
            .where(self._is_ours)
            .order_by(StepRow.id)
        )
        with self._database.reading() as session:
            return tuple(read_step(row, host) for row, host in session.execute(query))

    def record_move(self, host: str, move: MoveRecord) -> None:
        """Record one attempt to move a server in the life of a node.

        With a migration UUID a second call overwrites the first, but keeps an interruption that it lacks.
        """
        with self._database.writing() as session:
            owner = select_campaign_id(session, self.campaign, self.run_id)
            values = {"campaign_id": owner, "host": host, **move_values(move)}
            key = ("campaign_id", "migration")
            insert_or_update(session, MoveRow, values, key=key, keep="interruption_ms")

    def moves(self, host: str | None = None) -> tuple[MoveRecord, ...]:
        """Return the moves of a run, or of one of its nodes, in the order in which they were recorded."""
        query = (
            sa.select(MoveRow)
            .join(CampaignRow, MoveRow.campaign_id == CampaignRow.id)
            .where(self._is_ours)
            .order_by(MoveRow.id)
        )
        if host is not None:
            query = query.where(MoveRow.host == host)
        with self._database.reading() as session:
            return tuple(move_of(row) for row in session.scalars(query))

    def remember(self, host: str, attempt: StepAttempt | None = None, **changes: Unpack[FactChanges]) -> None:
        """Keep facts about a node, in place of earlier ones, all of them or none; None forgets one.

        :param attempt: the attempt that says so; nothing is written when a newer one has begun.
        :raises InvalidRequestError: a value cannot be stored.
        :raises SupersededError: when a newer attempt has begun.
        """
        with self._database.writing() as session:
            node = lock_node(session, self.campaign, self.run_id, host)
            if attempt is not None:
                check_newest(attempt, node.fence)
            for key, value in write_fact_values(changes):
                values = {"node_id": node.id, "key": key, "value": value}
                insert_or_update(session, FactRow, values, key=("node_id", "key"))
            if (released_at := changes.get("released_at")) is not None:
                cloud = session.get_one(CampaignRow, node.campaign_id).cloud
                record_given_back(session, cloud, host, released_at)

    def facts(self, host: str) -> NodeFacts:
        """Return what is remembered of a node.

        :raises InvalidRequestError: it cannot be read; the remedy names the task to clear.
        """
        query = self._fact_rows().where(NodeRow.host == host)
        with self._database.reading() as session:
            return read_facts(host, {key: value for _, key, value in session.execute(query)})

    def versions(self) -> dict[str, str]:
        """Return the release of nova-compute that was last seen on each node, by host."""
        return self._fact_of_all(VERSION)

    def versions_before(self) -> dict[str, str]:
        """Return the release of nova-compute that was first seen on each node, by host."""
        return self._fact_of_all(FROM_VERSION)

    def find_behind(self) -> frozenset[str]:
        """Return the nodes of which another component than nova-compute was last seen not at its target."""
        return frozenset(host for host, names in self._fact_of_all(BEHIND).items() if names)

    def move_slowness(self) -> dict[str, float]:
        """Return how many times what was expected the moves off each node took, by host."""
        return self._fact_of_all(MOVE_SLOWNESS)

    def _fact_of_all(self, key: str) -> dict[str, Any]:
        """Read one fact of all nodes that have it; other facts, such as long drain plans, are not read."""
        query = self._fact_rows().where(FactRow.key == key).order_by(NodeRow.host)
        with self._database.reading() as session:
            rows = [(host, read_facts(host, {key: value})) for host, _, value in session.execute(query)]
        return {host: found for host, facts in rows if (found := getattr(facts, key)) is not None}

    def _fact_rows(self) -> sa.Select[tuple[str, str, Any]]:
        return (
            sa.select(NodeRow.host, FactRow.key, FactRow.value)
            .join(NodeRow, FactRow.node_id == NodeRow.id)
            .join(CampaignRow, NodeRow.campaign_id == CampaignRow.id)
            .where(self._is_ours)
        )
