"""Airflow DAGs rollback__<cloud>__<domain>: the way back of what a run of the domain's upgrade changed."""

from __future__ import annotations

from airflow.sdk import get_parsing_context

from escalator.model.procedure import ROLLBACK
from escalator_airflow.generate import build_campaign_dags

for dag in build_campaign_dags(ROLLBACK, wanted=get_parsing_context().dag_id):
    globals()[dag.dag_id] = dag
