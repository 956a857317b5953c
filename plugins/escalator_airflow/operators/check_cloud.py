"""The operator of the check of a cloud: it reads, judges and reports, and writes nothing to the cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from escalator.cloud_manager.snapshots import snapshot_to_document
from escalator.documents.bundle_file import find_bundle_dir, list_bundle_names, read_bundle_document
from escalator.documents.bundles import parse_bundle
from escalator.documents.requests import parse_check
from escalator.model.campaign import CampaignPlan
from escalator.model.check_report import check_to_document
from escalator.model.errors import EscalatorError, InvalidRequestError, PlanInfeasibleError
from escalator.reports.files import write_document
from escalator.steps.campaign.check_conditions import Judgement, judge, log_report, refuse_unmet
from escalator.steps.campaign.conclude import make_folder_name
from escalator.upgrade_manager.conditions.bundles import refuse_unserved
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.upgrade import check_upgrade
from escalator.vim_interface.registry import load_vnfms
from escalator_airflow.campaigns import make_context, read_asked_for, run_of
from escalator_airflow.records import draft_campaign
from escalator_airflow.run_life import find_run_life
from escalator_airflow.settings import inventory_dir, report_dir
from escalator_airflow.start_line import tell_what_is_used


class CheckOperator(BaseOperator):
    """Checks the conditions of an upgrade or of its way back; fails when one that matters is not met.

    :param cloud: name of the cloud, as its inventory file is called.
    :param hosts: the nodes of the inventory.
    """

    def __init__(self, *, cloud: str, hosts: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cloud = cloud
        self.hosts = tuple(hosts)

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Judge, say every condition in the log; leave ``check.json`` and ``snapshot.json``."""
        tell_what_is_used()
        try:
            judged = self._judge(context)
        except InvalidRequestError as exc:
            raise AirflowFailException(f"Refused, nothing was looked at: {exc}") from exc
        report, folder = judged.report, report_dir() / make_folder_name(*run_of(context))
        log_report(report)
        path = self._write(check_to_document(report), folder / "check.json")
        self._write(snapshot_to_document(judged.snapshot), folder / "snapshot.json")
        self.log.info("report: %s", path)
        try:
            refuse_unmet(report, what="The conditions are not met")
        except PlanInfeasibleError as exc:
            raise AirflowFailException(str(exc)) from exc
        return {"schema_version": 1, "met": True, "report": str(path)}

    def _judge(self, context: Mapping[str, Any]) -> Judgement:
        dag_id, run_id = run_of(context)
        request, rollback = parse_check(
            read_asked_for(context),
            cloud=self.cloud,
            known_hosts=self.hosts,
            bundles=list_bundle_names(find_bundle_dir()),
        )
        bundle = parse_bundle(read_bundle_document(find_bundle_dir(), request.bundle))
        refuse_unserved(bundle)
        draft = CampaignPlan(
            campaign=dag_id,
            run_id=run_id,
            request=request,
            hosts=(),
            target_version=bundle.target_version() or "",
        )
        campaign = make_context(
            draft_campaign(draft, bundle),
            find_life=partial(find_run_life, context),
            vnfms=load_vnfms(inventory_dir()),
        )
        look = check_rollback if rollback else check_upgrade
        return judge(campaign, request.hosts or self.hosts, look=look)

    def _write(self, document: Mapping[str, Any], path: Path) -> Path:
        try:
            write_document(path, document)
        except OSError as exc:
            raise EscalatorError(
                f"{path} cannot be written: {exc}", remedy="set ESCALATOR_REPORT_DIR to a folder that can be"
            ) from exc
        return path
