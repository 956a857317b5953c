from __future__ import annotations

import ast
import json
import uuid
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from tests.upgrade_manager.clouds import few
from tests.vim_interface.wire.notices import BASE, PROJECT_URL, SERVER, SESSION, make_notice, make_record

from escalator.model.errors import InvalidRequestError
from escalator.model.notice import NoticeState
from escalator.model.vnfm import VnfmKind
from escalator.vim_interface.wire.envelopes import LONGEST_TRAIT, make_message_id, wrap_aodh, wrap_plain
from escalator.vim_interface.wire.payloads import make_payload


def body(kind: VnfmKind, **changes: Any) -> dict[str, Any]:
    record = make_record(make_notice(**changes))
    read: dict[str, Any] = json.loads(json.dumps(wrap_aodh(make_payload(record, kind, BASE), record)))
    return read


def read_as_doctor(body: dict[str, Any]) -> dict[str, Any]:
    """Decode the traits like the sample VNFM of OPNFV's Doctor: by a YAML reader, after replacing u'."""
    found = {}
    for name, _, value in body["reason_data"]["event"]["traits"]:
        text = str(value)
        found[str(name)] = yaml.safe_load(text.replace("u'", "'")) if "[" in text or "{" in text else text
    return found


def read_as_tacker(body: dict[str, Any]) -> dict[str, Any]:
    """Decode the traits like Tacker: text that begins with a bracket is evaluated as Python."""
    return {
        name: ast.literal_eval(value) if kind == 1 and value and value[0] in "[{" else value
        for name, kind, value in body["reason_data"]["event"]["traits"]
    }


@pytest.mark.parametrize("read", [read_as_doctor, read_as_tacker])
def test_dialect_b_is_read_by_the_clients(read: Any) -> None:
    assert read(body(VnfmKind.FENIX_B, metadata={"nova": "{34}"})) == {
        "service": "escalator",
        "project_id": "p1",
        "instance_ids": [SERVER],
        "allowed_actions": ["MIGRATE", "LIVE_MIGRATE", "OWN_ACTION"],
        "state": "PLANNED_MAINTENANCE",
        "actions_at": "2026-11-28 12:30:05",
        "reply_at": "2026-11-28 12:20:00",
        "session_id": SESSION,
        "metadata": {"nova": "{34}"},
        "reply_url": f"{PROJECT_URL}/{SERVER}",
    }


@pytest.mark.parametrize("read", [read_as_doctor, read_as_tacker])
def test_dialect_a_is_read_by_the_clients(read: Any) -> None:
    found = read(body(VnfmKind.FENIX_A, state=NoticeState.MAINTENANCE))
    assert (found["instance_ids"], found["allowed_actions"], found["metadata"]) == (PROJECT_URL, [], {})


def test_address_with_brackets_is_read_as_one() -> None:
    record = make_record()
    base = "http://[fd00::1]:8080/vim/lab/v1"
    found = read_as_doctor(wrap_aodh(make_payload(record, VnfmKind.FENIX_A, base), record))
    assert found["reply_url"] == f"{base}/maintenance/{SESSION}/p1"


def test_every_value_is_text_and_what_has_no_content_is_left_out() -> None:
    made = body(VnfmKind.FENIX_B, state=NoticeState.INSTANCE_ACTION_DONE, actions_at=None, reply_at=None)
    traits = made["reason_data"]["event"]["traits"]
    assert all(kind == 1 and isinstance(value, str) for _, kind, value in traits)
    assert {"actions_at", "reply_at"}.isdisjoint(name for name, _, _ in traits)
    assert ["instance_ids", 1, f"['{SERVER}']"] in traits


@example({"vnf": "the menu's cpu'", "é😀": "{a: [b\x85\x00"})
@example({"long": "x" * 300, "short": "y"})
@given(st.dictionaries(st.text(max_size=12), st.text(max_size=300), max_size=6))
@few
def test_any_metadata_is_short_enough_and_read_the_same_by_both(metadata: dict[str, str]) -> None:
    made = body(VnfmKind.FENIX_A, metadata=metadata)
    (text,) = (value for name, _, value in made["reason_data"]["event"]["traits"] if name == "metadata")
    assert len(text) <= LONGEST_TRAIT
    found = read_as_doctor(made)["metadata"]
    assert found == read_as_tacker(made)["metadata"]
    assert found.items() <= metadata.items()
    if sum(10 * len(key + value) + 8 for key, value in metadata.items()) < LONGEST_TRAIT:
        assert found == metadata


def test_value_that_a_client_would_get_cut_is_refused() -> None:
    record = make_record()
    with pytest.raises(InvalidRequestError, match="instance_ids, reply_url would be longer than 255"):
        wrap_aodh(make_payload(record, VnfmKind.FENIX_A, f"http://{'a' * 200}.example/v1"), record)


def test_envelope_is_that_of_an_event_alarm() -> None:
    made = body(VnfmKind.FENIX_A)
    assert {"alarm_id", "alarm_name", "severity", "current", "previous", "reason"} < made.keys()
    event = made["reason_data"]["event"]
    assert (made["reason_data"]["type"], event["event_type"]) == ("event", "maintenance.scheduled")
    assert (event["generated"], event["raw"], event["number"]) == ("2026-11-28T12:00:00", {}, 3)
    assert made["alarm_id"] == event["message_id"] == make_message_id(make_record())


def test_plain_body_has_the_payload_with_id_and_number() -> None:
    record = make_record()
    payload = make_payload(record, VnfmKind.WEBHOOK, BASE)
    made = wrap_plain(payload, record)
    assert payload.items() <= made.items()
    assert made["instance_ids"] == [SERVER]
    assert (made["event_type"], made["number"]) == ("maintenance.scheduled", 3)
    assert made["message_id"] == make_message_id(record)


def test_message_id_is_the_same_however_often_it_is_sent_and_another_for_another_notice() -> None:
    first = make_record()
    again = make_record(tries=5, error="refused")
    other_session = make_record(make_notice(session_id=str(uuid.uuid4())))
    assert make_message_id(first) == make_message_id(again)
    assert len({make_message_id(r) for r in (first, make_record(id=18), other_session)}) == 3
    assert uuid.UUID(make_message_id(first)).version == 5
