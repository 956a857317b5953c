"""Shows DAGs of campaigns that cannot be built as an import error of Airflow's; it has no DAG of its own."""

from __future__ import annotations

from escalator.model.procedure import UPGRADE
from escalator_airflow.generate import judge_campaigns

judge_campaigns(UPGRADE)
