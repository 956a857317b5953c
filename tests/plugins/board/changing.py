"""A route that changes something, as those of orders do; Airflow's home is to be made before the import."""

from __future__ import annotations

from fastapi import APIRouter

from escalator_airflow.board.access import DagId, EditorDep

router = APIRouter()


@router.post("/v1/test/{dag_id}")
def change(dag_id: DagId, editor: EditorDep) -> dict[str, str]:
    return {"dag": dag_id, "by": editor.name}
