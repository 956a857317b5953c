from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalator.model.moves import Agreement
from escalator.model.notice import InstanceAction, Notice, NoticeRecord, NoticeState, Reply
from escalator.model.verdict import Code
from escalator.model.vnfm import OnNack, OnSilence, Vnfm, VnfmKind
from escalator.vim_interface.negotiation.judging import Judgement, judge_answers

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def vnfm(**more: object) -> Vnfm:
    return Vnfm(id="m", cloud="lab", kind=VnfmKind.FENIX_A, url="http://h", projects=("p",), **more)  # type: ignore[arg-type]


def record(reply: Reply | None, *servers: str) -> NoticeRecord:
    notice = Notice(
        session_id="s",
        vnfm="m",
        project_id="p",
        state=NoticeState.PLANNED_MAINTENANCE,
        host="node-01",
        instance_ids=servers,
        reply_at=NOW,
    )
    return NoticeRecord(id=1, number=1, notice=notice, made_at=NOW, reply=reply, replied_at=NOW)


def ack(actions: Mapping[str, InstanceAction]) -> Reply:
    return Reply(ack=True, state=NoticeState.PLANNED_MAINTENANCE, actions=actions)


NACK = Reply(ack=False, state=NoticeState.PLANNED_MAINTENANCE)


def judge(manager: Vnfm, *records: NoticeRecord, refused_since: datetime | None = None) -> Judgement:
    since = {} if refused_since is None else {"m": refused_since}
    return judge_answers(records, {"m": manager}, now=NOW, refused_since=since)


def test_own_action_stays_and_the_other_actions_leave() -> None:
    actions = {
        "a": InstanceAction.OWN_ACTION,
        "b": InstanceAction.MIGRATE,
        "c": InstanceAction.LIVE_MIGRATE,
    }
    found = judge(vnfm(), record(ack(actions), "a", "b", "c"))
    assert found.agreement == Agreement(stays=("a",), leaves=("b", "c"))
    assert found.troubles == ()


def test_migrate_is_cold_only_for_a_manager_that_says_so() -> None:
    found = judge(vnfm(strict_migrate=True), record(ack({"b": InstanceAction.MIGRATE}), "b", "c"))
    assert found.agreement == Agreement(leaves=("b", "c"), cold=("b", "c"))
    live = judge(vnfm(strict_migrate=True), record(ack({"b": InstanceAction.LIVE_MIGRATE}), "b"))
    assert live.agreement == Agreement(leaves=("b",))


def test_who_agrees_and_does_not_say_how_is_moved() -> None:
    assert judge(vnfm(), record(ack({}), "a")).agreement == Agreement(leaves=("a",))


@pytest.mark.parametrize("policy", list(OnSilence))
def test_silence_leaves_its_servers_loaded_and_its_policy_is_named(policy: OnSilence) -> None:
    found = judge(vnfm(on_silence=policy), record(None, "a"))
    assert found.agreement.leaves == ("a",)
    assert [(t.code, t.policy) for t in found.having(policy)] == [(Code.VNF_SILENT, policy)]


@pytest.mark.parametrize("reply", [None, NACK, ack({"a": InstanceAction.OWN_ACTION})])
def test_who_is_no_longer_registered_has_no_policy_and_holds_the_node(reply: Reply | None) -> None:
    found = judge_answers([record(reply, "a")], {}, now=NOW, refused_since={})
    assert found.agreement == Agreement(leaves=("a",))
    (trouble,) = found.having(OnSilence.HOLD)
    assert trouble.code is Code.VNF_UNREGISTERED
    assert "m (project p) is no longer registered: the node is held" in str(trouble)


def test_a_refusal_is_borne_until_its_deadline_and_moved_then() -> None:
    manager = vnfm(nack_deadline_seconds=3600.0)
    young = judge(manager, record(NACK, "a"), refused_since=NOW - timedelta(seconds=3599))
    old = judge(manager, record(NACK, "a"), refused_since=NOW - timedelta(seconds=3600))
    assert [t.policy for t in young.troubles] == [OnNack.ASK_AGAIN]
    assert [t.policy for t in old.troubles] == [OnNack.MIGRATE]


REPLIES = st.one_of(
    st.none(),
    st.just(NACK),
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from(InstanceAction)).map(ack),
)


@given(st.lists(REPLIES, max_size=4), st.sampled_from(OnSilence), st.sampled_from(OnNack))
def test_a_server_stays_only_when_its_manager_says_own_action_and_nobody_lets_it_move(
    replies: list[Reply | None], silence: OnSilence, nack: OnNack
) -> None:
    manager = vnfm(on_silence=silence, on_nack=nack, strict_migrate=True)
    found = judge(manager, *(record(reply, *"abc") for reply in replies))
    asked = set("abc") if replies else set()
    agreed = found.agreement
    assert set(agreed.stays) | set(agreed.leaves) == asked
    assert not set(agreed.stays) & set(agreed.leaves)
    assert set(agreed.cold) <= set(agreed.leaves)
    for server in agreed.stays:
        assert all(r and r.ack and r.actions.get(server) is InstanceAction.OWN_ACTION for r in replies)
