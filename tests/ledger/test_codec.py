from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import make_plan

from escalator.ledger.codec import from_json, to_json
from escalator.model.campaign import CampaignPlan, CampaignRequest
from escalator.model.constraints import GroupConstraints, InstanceConstraints
from escalator.model.errors import InvalidRequestError
from escalator.model.moves import MoveRecord
from escalator.model.notice import Notice, Reply
from escalator.model.verdict import Verdict

TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))]))
st.register_type_strategy(datetime, TIMES)
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))


def test_a_plan_that_names_no_procedure_is_an_upgrade() -> None:
    plan = make_plan("a")
    document = to_json(plan)
    assert document.pop("procedure") == "upgrade"
    assert from_json(CampaignPlan, document) == plan


@pytest.mark.parametrize(
    "kind",
    [
        CampaignPlan,
        CampaignRequest,
        GroupConstraints,
        InstanceConstraints,
        MoveRecord,
        Notice,
        Reply,
        Verdict,
    ],
)
def test_every_value_comes_back_exactly(kind: type[object]) -> None:
    @settings(max_examples=40, deadline=None)
    @given(value=st.from_type(kind))
    def check(value: object) -> None:
        assert from_json(kind, json.loads(json.dumps(to_json(value)))) == value

    check()


def test_fields_of_a_later_release_are_passed_over_and_missing_ones_take_their_default() -> None:
    document = {"cloud": "lab", "domain": "d", "bundle": "b", "of_tomorrow": 1}
    assert from_json(CampaignRequest, document) == CampaignRequest(cloud="lab", domain="d", bundle="b")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"cloud": "lab", "domain": "d", "bundle": "b", "window_end": "soon"},
        {"cloud": "lab", "domain": 7, "bundle": "b"},
        {"cloud": "lab", "domain": "d", "bundle": "b", "max_parallel": "2"},
        "text",
    ],
)
def test_a_document_of_another_shape_is_refused(document: object) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        from_json(CampaignRequest, document)


def test_a_naive_time_is_refused_both_ways() -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001
    with pytest.raises(InvalidRequestError, match="no zone"):
        to_json(naive)
    document = {"cloud": "lab", "domain": "d", "bundle": "b", "window_end": naive.isoformat()}
    with pytest.raises(InvalidRequestError, match="no zone"):
        from_json(CampaignRequest, document)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="bytes"):
        to_json({"key": b"bytes"})


def test_a_type_that_is_not_supported_is_refused() -> None:
    @dataclass
    class Odd:
        items: frozenset[str]

    Odd.__annotations__["items"] = frozenset[str]
    with pytest.raises(InvalidRequestError, match="not supported"):
        from_json(Odd, {"items": ["a"]})
