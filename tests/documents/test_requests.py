from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import DOMAIN, NOW
from tests.documents.documents_drawn import json_values, mutilated
from tests.upgrade_manager.clouds import few

from escalator.documents.requests import parse_check, parse_request, parse_rollback
from escalator.model.approval import Approval
from escalator.model.campaign import CampaignRequest, OnSlowMove, UpgradeMode
from escalator.model.errors import InvalidRequestError
from escalator.model.failed_nodes import OnFailedNode

HOSTS = ("node-01", "node-02", "node-03", "node-04")
FULL: dict[str, object] = {
    "bundle": "nova-34",
    "hosts": ["node-02", "node-01"],
    "max_parallel": 3,
    "max_failed_nodes": 2,
    "dry_run": True,
    "migration_timeout_seconds": 60,
    "window_end": "2026-11-22T10:00:00+01:00",
    "mode": "non-smooth",
    "spill": 0.02,
    "move_standbys": False,
    "migration_timeout_seconds_per_gib": 12.5,
    "on_slow_move": "force_complete",
    "soak_seconds": 120,
    "canary_move_seconds": 60,
    "approval": "every-node",
    "on_failed_node": "rollback-node",
    "ask_before_one_way": True,
}


def parsed(conf: Any, **changes: Any) -> CampaignRequest:
    known: dict[str, Any] = {"known_hosts": HOSTS, "bundles": ["nova-34", "nova-35"], "now": NOW}
    return parse_request(conf, cloud="lab", domain=DOMAIN, **{**known, **changes})


def refusal(conf: Any, **changes: Any) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parsed(conf, **changes)
    assert "nothing was changed" in str(caught.value)
    return caught.value.message


def test_defaults() -> None:
    assert parsed({"bundle": "nova-34"}) == CampaignRequest(cloud="lab", domain=DOMAIN, bundle="nova-34")
    assert parsed({"bundle": "nova-34", "hosts": None, "window_end": None}).hosts == ()


def test_everything_said() -> None:
    assert parsed(FULL) == CampaignRequest(
        cloud="lab",
        domain=DOMAIN,
        bundle="nova-34",
        hosts=("node-02", "node-01"),
        max_parallel=3,
        max_failed_nodes=2,
        dry_run=True,
        migration_timeout_seconds=60,
        window_end=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
        mode=UpgradeMode.NON_SMOOTH,
        spill=0.02,
        move_standbys=False,
        migration_timeout_seconds_per_gib=12.5,
        on_slow_move=OnSlowMove.FORCE_COMPLETE,
        soak_seconds=120,
        canary_move_seconds=60,
        approval=Approval.EVERY_NODE,
        on_failed_node=OnFailedNode.ROLLBACK_NODE,
        ask_before_one_way=True,
    )


@pytest.mark.parametrize(
    ("said", "number", "percent"), [(3, 3, None), ("3", 3, None), ("10%", 0, 10), ("100%", 0, 100)]
)
def test_a_share_of_the_nodes_may_fail(said: object, number: int, percent: int | None) -> None:
    request = parsed({"bundle": "nova-34", "max_failed_nodes": said})
    assert (request.max_failed_nodes, request.max_failed_percent) == (number, percent)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_paralel": 2}, "max_paralel: is not known, did you mean max_parallel?"),
        ({"zzz": 2}, "zzz: is not known"),
        (
            {"bundle": "nvoa-34"},
            "bundle: 'nvoa-34' is not known, did you mean nova-34? (known are nova-34, nova-35)",
        ),
        ({"bundle": ""}, "bundle: must not be empty"),
        ({"bundle": None}, "bundle: is required"),
        ({"bundle": 34}, "bundle: must be text, not 34: put it in quotes"),
        ({"hosts": ["node-1"]}, f"hosts: 'node-1' is not a node of domain {DOMAIN}, did you mean node-01?"),
        ({"hosts": ["node-01", "node-01"]}, "hosts: 'node-01' stands there 2 times"),
        ({"hosts": "node-01"}, "hosts: must be a list, not 'node-01'"),
        ({"hosts": ["node-01", 7]}, "hosts[1]: must be text, not 7"),
        ({"hosts": [" "]}, "hosts[0]: must not be empty"),
        ({"hosts": ["h" * 256]}, "hosts[0]: is 256 characters long, at most 255 are possible"),
        ({"max_parallel": 0}, "max_parallel: must be at least 1, not 0"),
        ({"max_parallel": True}, "max_parallel: must be a whole number, not true"),
        ({"max_parallel": 1.0}, "max_parallel: must be a whole number, not 1.0"),
        (
            {"max_parallel": 4},
            f"max_parallel: 4 is impossible: domain {DOMAIN} has 4 nodes and one must stay in",
        ),
        ({"max_failed_nodes": -1}, "max_failed_nodes: must be at least 0, not -1"),
        ({"max_failed_nodes": True}, "max_failed_nodes: must be a whole number, not true"),
        ({"max_failed_nodes": "101%"}, "max_failed_nodes: must be a number of nodes, or a share of them"),
        ({"max_failed_nodes": "1.5%"}, "max_failed_nodes: must be a number of nodes, or a share of them"),
        ({"max_failed_nodes": "99999"}, "max_failed_nodes: must be at most 10000"),
        ({"soak_seconds": -1}, "soak_seconds: must be at least 0, not -1"),
        ({"soak_seconds": 10**6}, "soak_seconds: must be at most 86400"),
        ({"dry_run": 1}, "dry_run: must be true or false, not 1"),
        ({"migration_timeout_seconds": 9}, "migration_timeout_seconds: must be at least 10, not 9"),
        ({"window_end": "2026-11-22"}, "window_end: must be a date and time with its offset"),
        ({"window_end": "2026-11-22T09:00:00"}, "window_end: must be a date and time with its offset"),
        ({"window_end": "2026-02-30T09:00:00Z"}, "is not a date and time that exists"),
        ({"window_end": "2026-11-22T08:00:00Z"}, "window_end: 2026-11-22T08:00:00Z is in the past"),
        ({"mode": "smoth"}, "mode: is 'smoth', must be one of smooth, non-smooth, did you mean smooth?"),
        ({"approval": "yes"}, "approval: is 'yes', must be one of none, canary, every-node"),
        ({"spill": 1.5}, "spill: must be a number from 0 to 1, not 1.5"),
        ({"spill": -0.1}, "spill: must be a number from 0 to 1, not -0.1"),
        ({"spill": float("nan")}, "spill: must be a number from 0 to 1, not nan"),
        ({"spill": True}, "spill: must be a number from 0 to 1, not true"),
    ],
)
def test_refusals(change: dict[str, object], message: str) -> None:
    told = refusal({**FULL, **change})
    assert message in told
    assert told.count(";") == 0


def test_every_fault_at_once() -> None:
    told = refusal({"bundl": "x", "hosts": ["nobody"], "max_parallel": -1, "dry_run": "no"})
    assert told.count("; ") == 4
    for part in ("bundl:", "bundle: is required", "'nobody'", "max_parallel", "dry_run"):
        assert part in told


@pytest.mark.parametrize("conf", [None, [], "x", 3])
def test_a_request_that_is_no_mapping(conf: object) -> None:
    assert "document: must be a mapping" in refusal(conf)


def test_an_empty_domain_and_a_domain_of_one() -> None:
    assert "has no node" in refusal({"bundle": "nova-34"}, known_hosts=())
    assert "has one node only" in refusal({"bundle": "nova-34"}, known_hosts=("node-01",))
    assert parsed({"bundle": "nova-34"}, known_hosts=HOSTS[:2]).max_parallel == 1


def test_no_bundle_at_all() -> None:
    assert "there is no bundle at all" in refusal({"bundle": "nova-34"}, bundles=())


def test_without_a_clock_the_past_is_not_judged() -> None:
    end = parsed({"bundle": "nova-34", "window_end": "1970-01-01t00:00:00.123456789z"}, now=None).window_end
    assert end is not None
    assert end.utcoffset() == timedelta(0)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_the_ends_of_time_are_compared(text: str) -> None:
    if text.startswith("0"):
        assert "in the past" in refusal({**FULL, "window_end": text})
    else:
        assert "window_end: must be between 1970 and 2200" in refusal({**FULL, "window_end": text})


@given(json_values | mutilated(FULL))
@few
def test_any_json_is_a_request_or_refused(conf: object) -> None:
    try:
        request = parsed(conf)
    except InvalidRequestError as error:
        told = error.message
    else:
        told = ""
        assert request.bundle in {"nova-34", "nova-35"}
        assert set(request.hosts) <= set(HOSTS)
        assert 1 <= request.max_parallel < len(HOSTS)
        assert type(request.max_parallel) is type(request.max_failed_nodes) is int
    assert not told or told.startswith("the request is refused: ")


@given(st.text(max_size=30))
@few
def test_any_window_end_is_read_or_refused(text: str) -> None:
    try:
        end = parsed({"bundle": "nova-34", "window_end": text}).window_end
    except InvalidRequestError as error:
        told = error.message
    else:
        told = ""
        assert end is not None
        assert end > NOW
    assert not told or "window_end" in told


def test_an_endless_name_is_cut_in_the_message() -> None:
    assert len(refusal({**FULL, "bundle": "x" * 10_000, "y" * 10_000: 1})) < 1000
    assert "a very large number" in refusal({**FULL, "max_parallel": 10**5000})


def check_parsed(conf: Any, **changes: Any) -> tuple[CampaignRequest, bool]:
    known: dict[str, Any] = {"known_hosts": HOSTS, "bundles": ["nova-34", "nova-35"]}
    return parse_check(conf, cloud="lab", **{**known, **changes})


def test_a_check_is_about_the_cloud() -> None:
    asked = {"bundle": "nova-35", "hosts": ["node-02"], "max_parallel": 3, "mode": "non-smooth"}
    request, rollback = check_parsed({**asked, "rollback": True})
    assert request == CampaignRequest(
        cloud="lab",
        domain="",
        bundle="nova-35",
        hosts=("node-02",),
        max_parallel=3,
        mode=UpgradeMode.NON_SMOOTH,
    )
    assert rollback is True
    assert check_parsed({"bundle": "nova-34"})[1] is False


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hosts": ["node-1"]}, "hosts: 'node-1' is not a node of cloud lab, did you mean node-01?"),
        ({"max_parallel": 4}, "max_parallel: 4 is impossible: cloud lab has 4 nodes"),
        ({"rollback": "yes"}, "rollback: must be true or false, not 'yes'"),
        ({"dry_run": True}, "dry_run: is not known"),
        ({"bundle": None}, "bundle: is required"),
    ],
)
def test_a_check_refuses_what_it_does_not_understand(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_parsed({"bundle": "nova-34", **change})
    assert message in caught.value.message


def test_a_cloud_without_nodes_has_nothing_to_check() -> None:
    with pytest.raises(InvalidRequestError, match="cloud lab has no node"):
        check_parsed({"bundle": "nova-34"}, known_hosts=())


def back(conf: Any) -> tuple[CampaignRequest, str | None]:
    return parse_rollback(conf, cloud="lab", domain="d", known_hosts=HOSTS, now=NOW)


def test_a_rollback_is_asked_like_an_upgrade_but_for_its_bundle() -> None:
    request, run_id = back({"run_id": "manual__1", "hosts": [HOSTS[0]], "max_failed_nodes": 1})
    assert (request.bundle, request.hosts, run_id) == ("", (HOSTS[0],), "manual__1")
    assert request.max_failed_nodes == 1
    assert back({})[1] is None
    assert back({"run_id": None})[1] is None


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"bundle": "nova-34"}, "brings back what the nodes had before: leave it out"),
        ({"run_id": 7}, "run_id"),
        ({"run_id": " "}, "run_id"),
        ({"runid": "x"}, "did you mean run_id"),
        ({"hosts": ["node-99"]}, "node-99"),
        ({"on_failed_node": "rollback-node"}, "on_failed_node: is not known"),
    ],
)
def test_a_rollback_refuses_what_it_does_not_understand(conf: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        back(conf)
    assert words in str(refused.value)
