"""Airflow DAG inventory: reads a cloud and writes the file that the upgrade DAGs are made from."""

from __future__ import annotations

from escalator_airflow.generate import build_inventory_dag

dag = build_inventory_dag()
