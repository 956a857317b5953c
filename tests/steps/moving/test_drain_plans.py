from __future__ import annotations

import json

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.model.moves import DrainPlan, MoveMethod, PlannedMove
from escalator.steps.moving.drain_plans import drain_plan_from_document, drain_plan_to_document

PLAN = DrainPlan(
    host="node-01",
    moves=(
        PlannedMove(
            server_id="1",
            server_name="wéb",
            method=MoveMethod.LIVE,
            destinations=("node-02", "node-03"),
            memory_mib=512,
        ),
        PlannedMove(server_id="2", server_name="db", method=MoveMethod.COLD, destinations=()),
    ),
)


@pytest.mark.parametrize("plan", [PLAN, DrainPlan(host="node-01")])
def test_a_plan_comes_back_from_json(plan: DrainPlan) -> None:
    document = json.loads(json.dumps(drain_plan_to_document(plan)))
    assert drain_plan_from_document("node-01", document) == plan


@pytest.mark.parametrize("document", [None, [], "plan", {}, {"schema_version": 2, "moves": []}])
def test_another_document_is_refused_with_what_to_do(document: object) -> None:
    with pytest.raises(InvalidRequestError, match=r"clear the task node-01\.precheck"):
        drain_plan_from_document("node-01", document)
