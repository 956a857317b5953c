"""Shows faults of the inventory files as an import error of Airflow's; it has no DAG of its own."""

from __future__ import annotations

from escalator_airflow.inventories import judge_inventories

judge_inventories()
