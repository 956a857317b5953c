"""The pool at the door: one slot, made when Airflow starts, never by hand."""

from __future__ import annotations

from airflow.listeners import hookimpl

from escalator_airflow.jobs import is_job

ADMISSION_POOL = "escalator_admission"
DESCRIPTION = "One node asks for admission at a time. Made by Escalator; one slot, or the rule is broken."


@hookimpl
def on_starting(component: object) -> None:
    """Make the admission pool, or set it back to one slot, when a scheduler or another job starts.

    Airflow's jobs have its database.
    """
    if not is_job(component):
        return
    from airflow.models.pool import Pool  # noqa: PLC0415  the database is there in a job only

    Pool.create_or_update_pool(ADMISSION_POOL, slots=1, description=DESCRIPTION, include_deferred=False)
