"""Operators around the nodes: check conditions, prepare, conclude."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from escalator.documents.bundle_file import find_bundle_dir, list_bundle_names, read_bundle_document
from escalator.documents.bundles import parse_bundle
from escalator.documents.moments import WITHIN, is_near
from escalator.documents.requests import parse_request
from escalator.events.conclusion import tell_refused
from escalator.model.backup import RestoreOf
from escalator.model.campaign import CampaignPlan, CampaignRequest, NodeState, RunOf
from escalator.model.clock import utcnow
from escalator.model.errors import EscalatorError, InvalidRequestError, PlanInfeasibleError, TransientError
from escalator.model.window import Window
from escalator.model.wording import name_some
from escalator.steps.campaign.announce import announce, conclude_session
from escalator.steps.campaign.check_conditions import check
from escalator.steps.campaign.conclude import conclude
from escalator.steps.campaign.prepare import prepare, prepare_others
from escalator.steps.campaign.scaling import disable_scale_up, restore_scale_up
from escalator.steps.campaign.taking_back import start_own_rollbacks
from escalator.steps.running.context import CampaignContext
from escalator.upgrade_manager.conditions.bundles import refuse_unserved
from escalator.vim_interface.registry import load_vnfms
from escalator_airflow.campaigns import make_context, open_campaign, read_asked_for, run_of
from escalator_airflow.desks import fail_session_of, find_session_start
from escalator_airflow.operators.probing import PROBE_TASK
from escalator_airflow.own_rollbacks import start_run
from escalator_airflow.records import draft_campaign
from escalator_airflow.run_life import find_run_life
from escalator_airflow.settings import inventory_dir, report_dir
from escalator_airflow.start_line import tell_what_is_used
from escalator_airflow.task_states import FAILED, read_task_states
from escalator_airflow.telling import find_starter
from escalator_airflow.triggers.answers import AnswerTrigger
from escalator_airflow.windows import find_open_end

log = logging.getLogger(__name__)
SCHEDULED = "scheduled"
"""Airflow's type of a run that a schedule began, and so a maintenance window."""


PREPARE_OTHERS_TASK = "prepare_others"
BESIDE = frozenset({PROBE_TASK, PREPARE_OTHERS_TASK})
"""Tasks beside the nodes: how they end is no matter to the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a run is to do.

    :ivar hosts: the nodes that the request means when it names none; of one that takes a run back in order.
    :ivar undoes: the run that is taken back, or that had the node last; None: none.
    :ivar restores: the backup that the node is put back to; None: none.
    """

    request: CampaignRequest
    bundle_document: object
    hosts: tuple[str, ...]
    undoes: RunOf | None = None
    restores: RestoreOf | None = None


class CheckConditionsOperator(BaseOperator):
    """Refuses a bad request with one clear message, before any write.

    :param procedure: name of the procedure that the nodes will go through.
    :param cloud: name of the cloud, as its inventory file is called.
    :param domain: drain domain.
    :param hosts: nodes that the DAG has a group for.
    :param window: the maintenance window of the domain: runs that it begins ask for what it says, and all
        that are started while it is open end with it.
    """

    def __init__(
        self,
        *,
        procedure: str,
        cloud: str,
        domain: str,
        hosts: Sequence[str],
        window: Window | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.window = window
        self.procedure = procedure
        self.hosts = tuple(hosts)
        self.cloud = cloud
        self.domain = domain

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Judge the request, the bundle, the nodes and the cloud; open the campaign."""
        tell_what_is_used()
        try:
            plan = self._check(context)
        except (InvalidRequestError, PlanInfeasibleError) as exc:
            raise AirflowFailException(f"Refused, nothing was changed: {exc}") from exc
        return {"schema_version": 1, "hosts": list(plan.hosts), "target_version": plan.target_version}

    def find_work(self, context: Mapping[str, Any]) -> Work:
        """Read what is asked for, by a person or by the window.

        :raises InvalidRequestError: names every fault at once.
        """
        by_window = self._is_of_window(context)
        asked = dict(self.window.run) if self.window and by_window else read_asked_for(context)
        request = parse_request(
            asked,
            cloud=self.cloud,
            domain=self.domain,
            known_hosts=self.hosts,
            bundles=list_bundle_names(find_bundle_dir()),
            now=utcnow(),
        )
        document = read_bundle_document(find_bundle_dir(), request.bundle)
        return Work(request=request, bundle_document=document, hosts=self.hosts)

    def _check(self, context: Mapping[str, Any]) -> CampaignPlan:
        work = self.find_work(context)
        campaign = self.draft(context, work)
        document = json.loads(json.dumps(work.bundle_document))
        try:
            plan, _ = check(campaign, document, known_hosts=work.hosts)
        except (InvalidRequestError, PlanInfeasibleError) as exc:
            tell_refused(campaign.teller, str(exc), by_window=self._is_of_window(context))
            raise
        self.log.info("order: %s", ", ".join(plan.hosts))
        return plan

    def _is_of_window(self, context: Mapping[str, Any]) -> bool:
        """Tell whether the maintenance window began the run, and no person."""
        return self.window is not None and context["dag_run"].run_type == SCHEDULED

    def draft(self, context: Mapping[str, Any], work: Work) -> CampaignContext:
        """Open what the check of a campaign needs; it is in no ledger yet."""
        dag_id, run_id = run_of(context)
        request, bundle = work.request, parse_bundle(work.bundle_document)
        refuse_unserved(bundle)
        vnfms = load_vnfms(inventory_dir())
        draft = CampaignPlan(
            campaign=dag_id,
            run_id=run_id,
            request=request,
            hosts=(),
            target_version=bundle.target_version() or "",
            window_end=request.window_end or self._find_window_end(context),
            procedure=self.procedure,
            undoes=work.undoes,
            restores=work.restores,
        )
        return make_context(
            draft_campaign(draft, bundle),
            find_life=partial(find_run_life, context),
            vnfms=vnfms,
            started_by=find_starter(context),
        )

    def _find_window_end(self, context: Mapping[str, Any]) -> datetime | None:
        """Return the end of the window that the run is in: by its interval, else by when it is to start."""
        run = context["dag_run"]
        start, end = run.data_interval_start, run.data_interval_end
        if start is not None and end is not None:
            if not is_near(end):
                raise InvalidRequestError(f"the data interval ends at {end}", remedy=f"it has to be {WITHIN}")
            return end if end > start else None
        if self.window is None:
            return None
        return find_open_end(self.window, find_session_start(run.run_id) or run.run_after)


def _tell_end(campaign: CampaignContext) -> tuple[str, ...]:
    """Tell the managers that it is over; return who is to answer. No fault of that keeps the report back."""
    try:
        done = not any(n.state in {NodeState.HELD, NodeState.FAILED} for n in campaign.run.nodes())
        return conclude_session(campaign, done=done).waits
    except EscalatorError:
        log.exception("the managers of VNFs could not be told of the end")
        return ()


class PrepareOperator(BaseOperator):
    """Stages the bundle on the nodes that go first, before one of them drains."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Stage; nodes that could not be staged try again in their precheck, before a server is moved."""
        return self._tell(prepare(open_campaign(*run_of(context))))

    def _tell(self, faults: Mapping[str, str]) -> dict[str, Any]:
        """Say in the log, and return, where the bundle is not staged and why."""
        for host, fault in faults.items():
            self.log.warning("%s is not staged: %s", host, fault)
        return {"schema_version": 1, "not_staged": faults}


class PrepareOthersOperator(PrepareOperator):
    """Stages the bundle on the nodes that do not go first, beside those that do; never fails the run."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Stage; what could not be is staged by each node's precheck."""
        try:
            return self._tell(prepare_others(open_campaign(*run_of(context))))
        except EscalatorError as exc:
            self.log.warning("nodes stage in their precheck: %s", exc)
            return self._tell({})


class AnnounceOperator(BaseOperator):
    """Tells the managers of the servers what comes, and waits for their answers, never for ever.

    It waits for the moment, too, that the session was asked for.
    """

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Tell, wait, and say who was silent or refused."""
        try:
            said = announce(open_campaign(*run_of(context)))
        except InvalidRequestError as exc:
            raise AirflowFailException(f"No node was touched: {exc}") from exc
        if said.waits:
            self.log.info("waiting for %s", ", ".join(said.waits))
            self.defer(trigger=AnswerTrigger(), method_name="resume")
        if said.not_before is not None:
            moment = said.not_before.isoformat()
            self.log.info("waiting for %s: no node goes out before", moment)
            self.defer(trigger=AnswerTrigger(not_before=moment), method_name="resume")
        return {"schema_version": 1, "told": said.told, "findings": list(said.findings)}

    def resume(self, context: Mapping[str, Any], event: object = None) -> dict[str, Any]:
        """Look at the answers."""
        del event
        return self.execute(context)


class DisableScaleUpOperator(BaseOperator):
    """Keeps the managed projects from growing while nodes are out."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Lock scaling and freeze quotas."""
        return {"schema_version": 1, "findings": list(disable_scale_up(open_campaign(*run_of(context))))}


class RestoreScaleUpOperator(BaseOperator):
    """Restores what was frozen, in every outcome; what a person changed meanwhile stays."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Restore quotas and unlock scaling."""
        try:
            find_life = partial(find_run_life, context)
            campaign = open_campaign(*run_of(context), in_any_case=True, find_life=find_life)
        except InvalidRequestError as exc:
            raise AirflowSkipException(f"No campaign was opened: {exc}") from exc
        return {"schema_version": 1, "findings": list(restore_scale_up(campaign))}


class ConcludeOperator(BaseOperator):
    """Writes the report, always; fails the run when a node is not as it should be, or a task is failed."""

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Write JSON, Markdown and HTML; say where."""
        dag_id, run_id = run_of(context)
        find_life = partial(find_run_life, context)
        try:
            campaign = open_campaign(dag_id, run_id, in_any_case=True, find_life=find_life)
        except InvalidRequestError as exc:
            fail_session_of(dag_id, run_id, find_life)
            raise AirflowFailException("No campaign was opened: see check_conditions for the reason") from exc
        waits = _tell_end(campaign)
        if waits:
            self.log.info("waiting for %s", ", ".join(waits))
            self.defer(trigger=AnswerTrigger(), method_name="resume")
        try:
            start_own_rollbacks(campaign, partial(start_run, context))
            outcome = conclude(campaign, report_dir())
        except TransientError:
            raise
        except EscalatorError as exc:
            raise AirflowFailException(f"The report could not be written: {exc}") from exc
        self.log.info("report: %s", outcome.paths.html)
        if outcome.faults:
            raise AirflowFailException("Not every node was upgraded: " + "; ".join(outcome.faults))
        states = read_task_states(context)
        failed = sorted(task for task, state in states.items() if state in FAILED and task not in BESIDE)
        if failed:
            raise AirflowFailException(f"The run was cut off: {name_some(failed)} did not end by itself")
        if outcome.left:
            self.log.warning("The window closed; left for the next one: %s", ", ".join(outcome.left))
        return {
            "schema_version": 1,
            "report": str(outcome.paths.json),
            "left_for_next_window": list(outcome.left),
        }

    def resume(self, context: Mapping[str, Any], event: object = None) -> dict[str, Any]:
        """Go on: who was told of the end has answered, or will not."""
        del event
        return self.execute(context)
