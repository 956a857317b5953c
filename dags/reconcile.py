"""Airflow DAGs reconcile__<cloud>: once a day, is out what should be? Made from the inventory files."""

from __future__ import annotations

from airflow.sdk import get_parsing_context

from escalator_airflow.generate import build_reconcile_dags

for dag in build_reconcile_dags(wanted=get_parsing_context().dag_id):
    globals()[dag.dag_id] = dag
