from __future__ import annotations

from typing import Any

import pytest

from escalator.lab.vnf.vnfm_messages import UnreadableError, read_message

VM = "11111111-1111-4111-8111-111111111111"
URL = "http://escalator.example/vim/lab/v1/maintenance/s/p?notice=1"
TRAITS = {
    "state": "PLANNED_MAINTENANCE",
    "session_id": "s",
    "instance_ids": f"['{VM}']",
    "allowed_actions": "['MIGRATE', 'LIVE_MIGRATE', 'OWN_ACTION']",
    "reply_url": URL,
    "metadata": '{"nova": "34"}',
}


def alarm(event: str = "maintenance.scheduled", **changes: Any) -> dict[str, Any]:
    traits = [[name, 1, value] for name, value in (TRAITS | changes).items() if value is not None]
    return {"reason_data": {"type": "event", "event": {"event_type": event, "traits": traits}}}


@pytest.mark.parametrize(("dialect", "ids"), [("a", URL), ("b", f"['{VM}']"), ("b", f"[u'{VM}']")])
def test_each_dialect_reads_its_form(dialect: str, ids: str) -> None:
    found = read_message(alarm(instance_ids=ids), dialect=dialect)
    assert found.instance_ids == (URL if dialect == "a" else [VM])
    assert (found.metadata, found.allowed_actions[0]) == ({"nova": "34"}, "MIGRATE")


@pytest.mark.parametrize(
    ("dialect", "changes", "words"),
    [
        ("a", {}, "a list, not a URL"),
        ("b", {"instance_ids": URL}, "no list of one"),
        ("b", {"instance_ids": f"['{VM}', 'other']"}, "no list of one"),
        ("a", {"instance_ids": URL, "allowed_actions": "['LIVE_MIGRATE']"}, "MIGRATE is not in"),
        ("b", {"allowed_actions": "['LIVE_MIGRATE']"}, "MIGRATE is not in"),
        ("b", {"metadata": "{'a': '" + "x" * 250 + "'}"}, "more than 255 characters"),
        ("b", {"metadata": "{a: b}"}, "no alarm of an event"),
        ("b", {"metadata": '{"a": null}'}, "no alarm of an event"),
        ("b", {"metadata": "{'a': 1e3}"}, "read in two ways"),
        ("b", {"reply_url": None}, "reply_url: lacking"),
        ("b", {"instance_ids": None}, "instance_ids: lacking"),
        ("b", {"session_id": None}, "session_id is lacking"),
    ],
    ids=str,
)
def test_what_a_client_of_fenix_fails_on_is_unreadable(
    dialect: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnreadableError, match=words):
        read_message(alarm(**changes), dialect=dialect)


def test_traits_are_threes() -> None:
    with pytest.raises(UnreadableError):
        read_message({"reason_data": {"event": {"traits": [["state", "MAINTENANCE"]]}}}, dialect="a")


def test_an_alarm_about_a_node_has_no_instances() -> None:
    body = alarm("maintenance.host", state="IN_MAINTENANCE", instance_ids=None, reply_url=None)
    assert read_message(body, dialect="a").state == "IN_MAINTENANCE"
