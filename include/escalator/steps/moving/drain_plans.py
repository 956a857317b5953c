"""Plans and reports of steps as JSON documents, for the ledger's facts."""

from __future__ import annotations

from dataclasses import asdict

from escalator.model.errors import InvalidRequestError
from escalator.model.moves import DrainPlan, MoveMethod, PlannedMove

DRAIN_PLAN_VERSION = 1


def drain_plan_to_document(plan: DrainPlan) -> dict[str, object]:
    """Write the moves of a drain plan, and which servers stay."""
    moves = [asdict(move) for move in plan.moves]
    staying = list(plan.staying)
    return {"schema_version": DRAIN_PLAN_VERSION, "host": plan.host, "moves": moves, "staying": staying}


def drain_plan_from_document(host: str, document: object) -> DrainPlan:
    """Read the moves of a drain plan, and which servers stay.

    :raises InvalidRequestError: there is none, or it is of another version.
    """
    if not isinstance(document, dict) or document.get("schema_version") != DRAIN_PLAN_VERSION:
        raise InvalidRequestError(
            f"no drain plan of version {DRAIN_PLAN_VERSION} is recorded for {host}",
            remedy=f"clear the task {host}.precheck with downstream",
        )
    moves = tuple(
        PlannedMove(
            server_id=str(m["server_id"]),
            server_name=str(m["server_name"]),
            method=MoveMethod(m["method"]),
            destinations=tuple(m["destinations"]),
            memory_mib=int(m["memory_mib"]),
        )
        for m in document["moves"]
    )
    return DrainPlan(host=host, moves=moves, staying=tuple(map(str, document.get("staying", ()))))
