"""Airflow DAGs upgrade__<cloud>__<domain>: one a drain domain, made from the inventory files."""

from __future__ import annotations

from airflow.sdk import get_parsing_context

from escalator.model.procedure import UPGRADE
from escalator_airflow.generate import build_campaign_dags

for dag in build_campaign_dags(UPGRADE, wanted=get_parsing_context().dag_id):
    globals()[dag.dag_id] = dag
