"""Airflow's jobs: the scheduler, the DAG processor, the triggerer."""

from __future__ import annotations


def is_job(component: object) -> bool:
    """Tell whether what starts is one of Airflow's jobs: it does not know its own kind yet.

    Listeners hear of tasks too, which are something that is no job.
    """
    return type(component).__name__ == "Job"
