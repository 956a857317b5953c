"""Required actions of this Airflow, found in its database and answered by its own route."""

from __future__ import annotations

from http import HTTPStatus

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from fastapi import HTTPException
from sqlalchemy import select

from escalator_airflow.board.answers import RefusedError
from escalator_airflow.board.means import Person
from escalator_airflow.board.questions import Question


class AirflowQuestions:
    """Asks the database of the Airflow that serves us."""

    def find(self, dag_id: str, run_id: str) -> tuple[Question, ...]:
        """Return what a run asks, and nobody has answered."""
        query = (
            select(TaskInstance.task_id, HITLDetail.options)
            .join(TaskInstance, HITLDetail.ti_id == TaskInstance.id)
            .where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == run_id,
                HITLDetail.responded_at.is_(None),
            )
            .order_by(TaskInstance.task_id)
        )
        with create_session(scoped=False) as session:
            return tuple(
                Question(dag_id=dag_id, run_id=run_id, task_id=task_id, options=tuple(options or ()))
                for task_id, options in session.execute(query)
            )

    def answer(self, question: Question, word: str, person: Person) -> bool:
        """Answer for a person, as Airflow's own page does; return False when somebody was quicker.

        :raises RefusedError: they may not answer it.
        """
        self._require_right(question, person)
        try:
            with create_session(scoped=False) as session:
                update_hitl_detail(
                    dag_id=question.dag_id,
                    dag_run_id=question.run_id,
                    task_id=question.task_id,
                    update_hitl_detail_payload=UpdateHITLDetailPayload(
                        chosen_options=[word], params_input={}
                    ),
                    user=person.user,
                    session=session,
                )
        except HTTPException as exc:
            if exc.status_code in {HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND}:
                return False
            raise RefusedError(exc.status_code, str(exc.detail), where=question.task_id) from exc
        return True

    def has_ended(self, dag_id: str, run_id: str) -> bool:
        """Tell whether a run has ended in Airflow, or is not there."""
        query = select(DagRun.state).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        with create_session(scoped=False) as session:
            return session.scalar(query) not in {"queued", "running"}

    @staticmethod
    def _require_right(question: Question, person: Person) -> None:
        details = DagDetails(id=question.dag_id, team_name=DagModel.get_team_name(question.dag_id))
        may = get_auth_manager().is_authorized_dag(
            method="PUT", access_entity=DagAccessEntity.HITL_DETAIL, details=details, user=person.user
        )
        if not may:
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                f"{person.name} may not answer required actions of this DAG",
                where=question.task_id,
                remedy="ask an administrator of Airflow for the right to edit them",
            )
