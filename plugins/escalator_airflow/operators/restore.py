"""The conditions of a restore: which backup is put back, what is lost, and that a person accepts that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from escalator.documents.requests import parse_restore
from escalator.events.event import ESCALATOR, Action
from escalator.ledger.ledger import Ledger
from escalator.model.approval import RestoreWord
from escalator.model.clock import utcnow
from escalator.model.errors import EscalatorError, InvalidRequestError, NodeFaultError
from escalator.model.procedure import RESTORE
from escalator.model.verdict import find_blockers
from escalator.steps.campaign.restoring import describe_loss, find_to_restore
from escalator_airflow.campaigns import read_asked_for, run_of
from escalator_airflow.operators.campaign import CheckConditionsOperator, Work
from escalator_airflow.operators.questions import NOBODY, ask_person, read_said
from escalator_airflow.run_life import find_run_life

ANSWER_WITHIN = timedelta(hours=24)
"""How long a person may take to accept what is lost; then nothing is restored."""


class CheckRestoreOperator(CheckConditionsOperator):
    """Refuses what cannot be put back, before any write; then asks a person to accept what is lost."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Look at the backup and at the node; ask, unless who started the run has accepted it already."""
        try:
            work, approved, said = self._find(context)
            said = f"{said}. {self._look(context, work)}"
        except (InvalidRequestError, NodeFaultError) as exc:
            raise AirflowFailException(f"Refused, nothing was changed: {exc}") from exc
        self.log.warning("%s", said)
        if not (approved or work.request.dry_run):
            self._tell(context, Action.QUESTION, work=work, message=said)
            ask_person(
                context,
                subject=f"Put {work.hosts[0]} back to its backup?",
                question=said,
                default=RestoreWord.LEAVE,
                method="hear",
                timeout=ANSWER_WITHIN,
            )
        return super().execute(context)

    def hear(self, context: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on where a person accepted it; without a word in time nothing is restored."""
        word, by = read_said(event, RestoreWord.LEAVE)
        self.log.info("%s, said %s", word, by or NOBODY)
        self._tell(context, Action.ANSWER, result=word, actor=by or NOBODY)
        if word != RestoreWord.RESTORE:
            raise AirflowFailException(f"Not restored, nothing was changed: {word}, said {by or NOBODY}")
        return super().execute(context)

    def find_work(self, context: Mapping[str, Any]) -> Work:
        """Find the backup that is put back, and what the node runs then.

        :raises InvalidRequestError: names every fault at once, or why nothing can be put back.
        """
        return self._find(context)[0]

    def _tell(
        self,
        context: Mapping[str, Any],
        action: Action,
        *,
        work: Work | None = None,
        message: str = "",
        result: str | None = None,
        actor: str = ESCALATOR,
    ) -> None:
        """Tell of the question before the run is opened; what cannot be told keeps nothing back."""
        try:
            work = work or self.find_work(context)
            teller = self.draft(context, work).teller
            teller.tell(action, node=work.hosts[0], message=message, result=result, actor=actor)
        except EscalatorError as exc:
            self.log.warning("%s is not told of: %s", action, exc)

    def _find(self, context: Mapping[str, Any]) -> tuple[Work, bool, str]:
        dag_id, _ = run_of(context)
        request, backup_id, approved = parse_restore(
            read_asked_for(context),
            cloud=self.cloud,
            domain=self.domain,
            known_hosts=self.hosts,
            now=utcnow(),
        )
        (host,) = request.hosts
        part = dag_id.removeprefix(RESTORE.name)
        found = find_to_restore(Ledger(), part, cloud=self.cloud, host=host, backup_id=backup_id)
        life = find_run_life(context, found.holder.campaign, found.holder.run_id)
        if not life.is_over:
            raise InvalidRequestError(
                f"the run {found.holder} is not known to be over ({life}): it may still work on {host}",
                remedy="wait for its end, or mark it failed: nodes in flight are left as they are then",
            )
        work = Work(
            request=replace(request, bundle=str(found.bundle_document["name"])),
            bundle_document=found.bundle_document,
            hosts=(host,),
            undoes=found.holder,
            restores=found.restores,
        )
        return work, approved, describe_loss(found, host, utcnow())

    def _look(self, context: Mapping[str, Any], work: Work) -> str:
        """Prove the backup and say what the node has changed since.

        :raises InvalidRequestError: the backup is not whole, or something of it is nowhere.
        """
        campaign = self.draft(context, work)
        (host,) = work.hosts
        with campaign.shell(host) as shell:
            found = campaign.mechanism.check_source(shell, campaign.plan.target_version)
        for verdict in find_blockers(found):
            raise InvalidRequestError(verdict.message, remedy=verdict.remedy, code=verdict.code)
        return "; ".join(verdict.message for verdict in found)
