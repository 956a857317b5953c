from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalator.model.notice import InstanceAction, NoticeState
from escalator.vim_interface.wire.bodies import (
    ACTIONS,
    GroupBody,
    InstanceBody,
    ReplyBody,
    SessionBody,
    group_to_wire,
    instance_to_wire,
)

IDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._:-]{0,20}\Z")
SECONDS = st.floats(0, 1e9, allow_nan=False) | st.integers(0, 10**9)


def reply(**words: Any) -> Any:
    return ReplyBody.model_validate({"state": "ACK_PLANNED_MAINTENANCE", **words})


@pytest.mark.parametrize(("word", "action"), ACTIONS.items())
def test_every_spelling_of_an_action_is_read(word: str, action: InstanceAction) -> None:
    assert reply(instance_actions={"vm": word}).make_reply().actions == {"vm": action}
    assert reply(instance_action=word).make_reply("vm").actions == {"vm": action}
    assert InstanceBody(migration_type=word).make_constraints("vm", "p").migration_types == (action.value,)


def test_whether_it_agrees_and_to_what() -> None:
    found = ReplyBody(state="NACK_PREPARE_MAINTENANCE").make_reply()
    assert (found.ack, found.state, found.actions) == (False, NoticeState.PREPARE_MAINTENANCE, {})


def test_one_action_without_an_instance_is_for_none() -> None:
    assert reply(instance_action="MIGRATE").make_reply().actions == {}
    assert reply(instance_action="MIGRATE", instance_ids="vm").make_reply().actions == {
        "vm": InstanceAction.MIGRATE
    }


def test_the_map_says_more_than_the_one_action() -> None:
    both = reply(instance_action="MIGRATE", instance_ids=["a", "b"], instance_actions={"b": "OWN_ACTION"})
    assert both.make_reply().actions == {"a": InstanceAction.MIGRATE, "b": InstanceAction.OWN_ACTION}


@pytest.mark.parametrize("text", ["60,", " 60 ", "60", "60.0,"])
def test_numbers_may_be_text(text: str) -> None:
    assert InstanceBody(lead_time=text).lead_time == 60  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "60,,", "-1", "1e9", "6 0", True, [], float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        InstanceBody(lead_time=value)


@pytest.mark.parametrize(("text", "flag"), [("True,", True), ("false", False), (True, True)])
def test_flags_may_be_text(text: Any, flag: object) -> None:
    assert InstanceBody(resource_mitigation=text).resource_mitigation is flag


def test_what_is_null_takes_its_default() -> None:
    names = ("group_id", "instance_name", "migration_type", "resource_mitigation", "lead_time")
    nothing = InstanceBody.model_validate(dict.fromkeys(names))
    assert nothing.make_constraints("vm", "p") == InstanceBody().make_constraints("vm", "p")
    names = ("group_name", "anti_affinity_group", "max_instances_per_host", "max_impacted_members")
    nothing_too = GroupBody.model_validate(dict.fromkeys((*names, "recovery_time", "resource_mitigation")))
    assert nothing_too.make_constraints("g", "p") == GroupBody().make_constraints("g", "p")


@pytest.mark.parametrize("text", ["MIGRATE,", " MIGRATE "])
def test_an_action_may_have_the_comma_of_a_sample_behind_it(text: str) -> None:
    assert InstanceBody(migration_type=text).make_constraints("vm", "p").migration_types == ("MIGRATE",)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [1, 0, "yes"])
def test_what_is_no_flag_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        InstanceBody(resource_mitigation=value)


@pytest.mark.parametrize(
    "text",
    ["2026-11-22 08:00:00", "2026-11-22T08:00:00Z", "2026-11-22T10:00:00+02:00", " 2026-11-22 08:00:00 "],
)
def test_a_time_without_an_offset_is_utc(text: str) -> None:
    assert SessionBody(maintenance_at=text).maintenance_at == datetime(2026, 11, 22, 8, tzinfo=UTC)  # type: ignore[arg-type]


@given(
    group=st.none() | IDS,
    name=st.text(st.characters(categories=["L", "N"]), max_size=20),
    interruption=st.none() | SECONDS,
    action=st.none() | st.sampled_from(list(InstanceAction)),
    mitigation=st.booleans(),
    lead=SECONDS,
)
def test_constraints_of_an_instance_are_written_as_they_were_put(
    group: str | None, name: str, interruption: Any, action: Any, mitigation: Any, lead: Any
) -> None:
    wire = {
        "instance_id": "vm",
        "project_id": "p",
        "group_id": group,
        "instance_name": name,
        "max_interruption_time": interruption,
        "migration_type": action,
        "resource_mitigation": mitigation,
        "lead_time": lead,
    }
    assert instance_to_wire(InstanceBody.model_validate(wire).make_constraints("vm", "p")) == wire


@given(
    most=st.none() | st.integers(0, 9),
    by_size=st.dictionaries(st.integers(1, 9), st.integers(0, 9)),
    preserved=st.dictionaries(st.none() | st.integers(1, 9), st.integers(0, 9)),
)
def test_constraints_of_a_group_are_written_as_they_were_put(
    most: int | None, by_size: dict[int, int], preserved: dict[int | None, int]
) -> None:
    ordered = sorted(preserved.items(), key=lambda item: item[0] or 0)
    wire = {
        "group_id": "g",
        "project_id": "p",
        "group_name": "",
        "anti_affinity_group": False,
        "max_instances_per_host": 0,
        "max_impacted_members": most,
        "recovery_time": 0.0,
        "resource_mitigation": False,
        "max_number_of_impacted_instances": [
            {"group_size": size, "max_number_of_impacted_instances": limit}
            for size, limit in sorted(by_size.items())
        ],
        "min_number_of_preserved_instances": [
            ({} if size is None else {"group_size": size}) | {"min_number_of_preserved_instances": limit}
            for size, limit in ordered
        ],
    }
    assert group_to_wire(GroupBody.model_validate(wire).make_constraints("g", "p")) == wire
