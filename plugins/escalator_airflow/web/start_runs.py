"""Starts campaigns in Airflow's API server, as its own REST API does: the parameters are judged the same way.

All runs of a session are made in one transaction: there are all of them, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody
from airflow.exceptions import ParamValidationError
from airflow.models.dag import DagModel
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import func, select, tuple_

from escalator_airflow.web.answers import RefusedError
from escalator_airflow.web.means import WantedRun

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_NOTHING = "correct it and send it again; nothing was started"


class AirflowStarter:
    """Starts runs in the database of the Airflow that serves us."""

    def check(self, runs: Sequence[WantedRun]) -> None:
        """See that every run could be started; nothing is written.

        :raises RefusedError: names the first that could not, and why.
        """
        with create_session(scoped=False) as session:
            for run in runs:
                dag = _find_dag(run.dag_id, session)
                try:
                    dag.params.deep_merge(run.conf).validate()
                except (ParamValidationError, ValueError) as exc:
                    raise _refuse(run, exc) from exc

    def start(self, runs: Sequence[WantedRun], run_id: str, user: str) -> None:
        """Start all of them, or none.

        :raises RefusedError: one cannot be started; none was.
        """
        with create_session(scoped=False) as session:
            for run in runs:
                _create(run, run_id, user, session)

    def count_going(self, runs: Sequence[tuple[str, str]]) -> int:
        """Return how many of the runs are queued or running."""
        if not runs:
            return 0
        query = (
            select(func.count())
            .select_from(DagRun)
            .where(
                tuple_(DagRun.dag_id, DagRun.run_id).in_(list(runs)),
                DagRun.state.in_([DagRunState.QUEUED, DagRunState.RUNNING]),
            )
        )
        with create_session(scoped=False) as session:
            return int(session.scalar(query) or 0)


def _create(run: WantedRun, run_id: str, user: str, session: Session) -> None:
    """Make a run, as Airflow's REST route does it."""
    dag = _find_dag(run.dag_id, session)
    asked = TriggerDAGRunPostBody(dag_run_id=run_id, logical_date=None, conf=run.conf)
    try:
        context = asked.validate_context(dag)
        dag.create_dagrun(
            run_id=context["run_id"],
            logical_date=context["logical_date"],
            data_interval=context["data_interval"],
            run_after=context["run_after"],
            conf=context["conf"],
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.REST_API,
            triggering_user_name=user,
            state=DagRunState.QUEUED,
            partition_key=context["partition_key"],
            partition_date=context["partition_date"],
            session=session,
        )
    except (ParamValidationError, ValueError) as exc:
        raise _refuse(run, exc) from exc


def _find_dag(dag_id: str, session: Session) -> Any:
    """Return a DAG that can be started.

    :raises RefusedError: it is not there, cannot be read, or is paused.
    """
    model = session.scalar(select(DagModel).where(~DagModel.is_stale, DagModel.dag_id == dag_id).limit(1))
    dag = DBDagBag().get_latest_version_of_dag(dag_id, session=session) if model is not None else None
    if model is None or dag is None:
        raise RefusedError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"Airflow has no DAG {dag_id} (yet); nothing was started",
            remedy="wait until Airflow has read the inventory, or see its import errors",
        )
    if model.has_import_errors:
        raise RefusedError(
            HTTPStatus.CONFLICT,
            f"the DAG {dag_id} has import errors; nothing was started",
            remedy="see Airflow's import errors",
        )
    if model.is_paused:
        raise RefusedError(
            HTTPStatus.CONFLICT,
            f"the DAG {dag_id} is paused: its run would never begin; nothing was started",
            remedy="unpause it in Airflow and send this again, or leave its hosts out",
        )
    return dag


def _refuse(run: WantedRun, exc: Exception) -> RefusedError:
    return RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY, f"{run.dag_id} of {run.where}: {exc}", remedy=_NOTHING
    )
