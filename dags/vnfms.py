"""Shows faults of the registry of VNF managers as an import error of Airflow's; it has no DAG of its own."""

from __future__ import annotations

from escalator_airflow.generate import judge_vnfms

judge_vnfms()
