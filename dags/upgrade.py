"""Airflow DAGs upgrade__<cloud>__<domain>: one a drain domain, made from the inventory files."""

from __future__ import annotations

from airflow.sdk import get_parsing_context

from escalator_airflow.generate import upgrade_dags

for dag in upgrade_dags(wanted=get_parsing_context().dag_id):
    globals()[dag.dag_id] = dag
