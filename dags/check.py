"""Airflow DAGs check__<cloud>: may its nodes be upgraded? One a cloud, made from the inventory files."""

from __future__ import annotations

from airflow.sdk import get_parsing_context

from escalator_airflow.generate import build_check_dags

for dag in build_check_dags(wanted=get_parsing_context().dag_id):
    globals()[dag.dag_id] = dag
