"""Airflow's own log-in and rights: the session of its pages or a bearer token, and the rights of a DAG."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.core_api.security import get_user
from airflow.models.dag import DagModel
from fastapi import HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials

from escalator_airflow.board.means import Person

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod

_READ: ResourceMethod = "GET"
_EDIT: ResourceMethod = "PUT"


class AirflowGate:
    """Asks the authentication manager that Airflow is set to."""

    async def find_person(self, request: Request) -> Person | None:
        """Return who sent a request; None: nobody who is logged in."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = None
        if scheme.lower() == "bearer":
            bearer = HTTPAuthorizationCredentials(scheme=scheme, credentials=token.strip())
        try:
            user = await get_user(request, None, bearer)
        except HTTPException:
            return None
        return Person(name=user.get_name(), user=user)

    def may_read(self, person: Person, dag_id: str) -> bool:
        """Tell whether somebody may look at a DAG."""
        return self._may(person, dag_id, _READ)

    def may_edit(self, person: Person, dag_id: str) -> bool:
        """Tell whether somebody may change what a DAG does."""
        return self._may(person, dag_id, _EDIT)

    def find_readable(self, person: Person, dag_ids: Collection[str]) -> frozenset[str]:
        """Return which of the DAGs somebody may look at."""
        return frozenset(dag_id for dag_id in dag_ids if self.may_read(person, dag_id))

    def find_login(self, request: Request) -> str:
        """Return the address of the page to log in at, which leads back to that of the request."""
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return f"{get_auth_manager().get_url_login()}?{urlencode({'next': asked})}"

    @staticmethod
    def _may(person: Person, dag_id: str, method: ResourceMethod) -> bool:
        details = DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id))
        return get_auth_manager().is_authorized_dag(method=method, details=details, user=person.user)
