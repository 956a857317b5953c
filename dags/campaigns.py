"""Shows DAGs that cannot be built, or are there twice, as an import error of Airflow's; has no DAG itself."""

from __future__ import annotations

from escalator.model.procedure import UPGRADE
from escalator_airflow.dag_bundle import judge_copies
from escalator_airflow.generate import judge_campaigns

judge_campaigns(UPGRADE)
judge_copies()
