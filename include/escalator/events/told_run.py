"""The record of a run that tells what is recorded: the one place where most events come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

from escalator.events.event import Action
from escalator.events.reboots import tell_reboot
from escalator.events.teller import Teller
from escalator.events.told_gaps import ToldGapBook
from escalator.events.told_orders import ToldOrderBook
from escalator.ledger.database import Database
from escalator.ledger.records import StepAttempt
from escalator.ledger.run import CampaignRun
from escalator.model.approval import ApprovalAnswer, GoOnWord
from escalator.model.campaign import CampaignPlan, NodeState, Step
from escalator.model.decisions import Admission, AdmissionDecision
from escalator.model.lease import Lease, LeaseMark
from escalator.model.moves import MoveRecord
from escalator.model.node_facts import FactChanges, RebootOrder
from escalator.model.step import Outcome
from escalator.model.verdict import Code, Subject

GIVEN_BACK = "given back"
ARRIVED = "arrived"


class ToldRun(CampaignRun):
    """Records as :class:`CampaignRun` does, and then tells it; a second run of a step tells again.

    :param teller: tells what was recorded.
    """

    def __init__(self, database: Database, campaign: str, run_id: str, teller: Teller) -> None:
        super().__init__(database, campaign, run_id)
        self._teller = teller
        self._begun: dict[int, tuple[int, datetime]] = {}
        self._said: dict[str, tuple[object, ...]] = {}
        self._leases: dict[str, tuple[object, ...]] = {}
        self._giving: set[str] = set()
        self._gaps: set[tuple[str, datetime]] = set()

    def open(
        self,
        plan: CampaignPlan,
        *,
        dag_id: str,
        bundle_document: Mapping[str, Any],
        snapshot_before: Mapping[str, Any],
        now: datetime,
    ) -> CampaignPlan:
        """Open the run, and tell of it."""
        recorded = super().open(
            plan,
            dag_id=dag_id,
            bundle_document=bundle_document,
            snapshot_before=snapshot_before,
            now=now,
        )
        self._teller = self._teller.with_plan(recorded)
        nodes, version = len(recorded.hosts), recorded.target_version
        self._teller.tell(
            Action.CAMPAIGN_OPENED,
            at=now,
            result="dry run" if recorded.request.dry_run else "opened",
            message=f"{recorded.procedure} of {nodes} node(s) of {recorded.request.domain} to {version}",
            actor=self._teller.started_by,
            details={"bundle": recorded.request.bundle, "nodes": nodes, "target_version": version},
        )
        return recorded

    def begin_step(self, host: str, step: Step, *, try_number: int, now: datetime) -> StepAttempt:
        """Begin an attempt, and tell of it."""
        attempt = super().begin_step(host, step, try_number=try_number, now=now)
        self._begun[attempt.id] = (try_number, now)
        self._teller.tell(Action.STEP_BEGUN, at=now, node=host, step=step, attempt=try_number)
        return attempt

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
        """Record how an attempt ended, and tell of it."""
        super().finish_step(
            attempt,
            result=result,
            now=now,
            code=code,
            message=message,
            api_calls=api_calls,
            details=details,
        )
        number, begun = self._begun.get(attempt.id, (None, None))
        request_id = (details or {}).get("request_id")
        self._teller.tell(
            Action.STEP_ENDED,
            at=now,
            node=attempt.host,
            step=attempt.step,
            attempt=number,
            result=str(result),
            code=code,
            message=message,
            request_id=str(request_id) if request_id else None,
            seconds=(now - begun).total_seconds() if begun else None,
            details={"api_calls": api_calls},
        )

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
        """Record how a node stands, and tell when that is another state, or has another reason."""
        super().set_progress(host, state, now=now, code=code, message=message, mark=mark, attempt=attempt)
        if host in self._giving:
            self._giving.discard(host)
            self._teller.tell(
                Action.LEASE, at=now, node=host, result=GIVEN_BACK, message=f"{host} is enabled"
            )
        if self._is_new(host, state, code, mark):
            step = attempt.step if attempt is not None else None
            self._teller.tell(
                Action.NODE_STATE, at=now, node=host, step=step, result=state, code=code, message=message
            )

    def note_waiting(self, decisions: Mapping[str, AdmissionDecision], now: datetime) -> int:
        """Keep why nodes wait, and tell of those that wait for another reason than this process last told."""
        changed = super().note_waiting(decisions, now)
        for host, decision in sorted(decisions.items()) if changed else ():
            waits = decision.admission is not Admission.ADMIT
            if waits and self._is_new(host, NodeState.WAITING, decision.code, None):
                self._teller.tell(
                    Action.DECISION,
                    at=now,
                    node=host,
                    step=Step.ADMIT,
                    result=decision.admission,
                    code=decision.code,
                    message=decision.message,
                )
        return changed

    def record_move(self, host: str, move: MoveRecord) -> None:
        """Record one attempt to move a server, and tell of it."""
        super().record_move(host, move)
        self._teller.tell(
            Action.MOVE,
            at=move.ended_at,
            node=host,
            subject=Subject.of_server(move.server_id, move.server_name),
            step=Step.MIGRATE,
            result=ARRIVED if move.succeeded else "not arrived",
            code=move.code,
            message=move.message,
            seconds=(move.ended_at - move.started_at).total_seconds(),
            details={
                "method": str(move.method),
                "from": move.from_host,
                "to": move.to_host,
                "migration": move.migration,
            },
        )

    def gaps(self) -> ToldGapBook:
        """Return the gaps of services; one that is over its limit is told when it is recorded."""
        return ToldGapBook(self._database, self._teller, self._gaps)

    def orders(self) -> ToldOrderBook:
        """Return the orders of persons; what takes effect is told."""
        return ToldOrderBook(self._database, self.campaign, self.run_id, self._teller)

    def remember(self, host: str, attempt: StepAttempt | None = None, **changes: Unpack[FactChanges]) -> None:
        """Keep facts about a node, and tell of its lease, of a reboot and of a person's answer."""
        super().remember(host, attempt, **changes)
        if changes.get("released_at") is not None:
            self._giving.add(host)
        self._tell_lease(host, changes.get("leases", ()))
        order = changes.get("reboot")
        if isinstance(order, RebootOrder):
            tell_reboot(self._teller, host, order)
        self._tell_answer(host, changes)

    def _tell_lease(self, host: str, texts: tuple[str, ...]) -> None:
        """Tell what a lease says once it is written: before that the fact has the words before it, too."""
        lease = Lease.parse(texts[0]) if len(texts) == 1 else None
        if lease is None or self._leases.get(host) == (lease.phase, lease.mark):
            return
        self._leases[host] = (lease.phase, lease.mark)
        self._teller.tell(
            Action.LEASE,
            node=host,
            result=str(lease.mark or lease.phase or "taken"),
            message=texts[0],
            details={"token": lease.token},
        )

    def _tell_answer(self, host: str, changes: FactChanges) -> None:
        answer = changes.get("approval")
        if isinstance(answer, ApprovalAnswer):
            said = GoOnWord.GO_ON if answer.go_on else GoOnWord.STOP
            by = answer.by or "nobody in time"
            self._teller.tell(Action.ANSWER, at=answer.at, node=host, result=said, actor=by)

    def _is_new(self, host: str, *said: object) -> bool:
        if self._said.get(host) == said:
            return False
        self._said[host] = said
        return True
