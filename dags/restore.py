"""Airflow DAGs restore__<cloud>__<domain>: a node whose rollback failed is put back to its backup."""

from __future__ import annotations

from airflow.sdk import get_parsing_context

from escalator.model.procedure import RESTORE
from escalator_airflow.generate import build_campaign_dags

for dag in build_campaign_dags(RESTORE, wanted=get_parsing_context().dag_id):
    globals()[dag.dag_id] = dag
