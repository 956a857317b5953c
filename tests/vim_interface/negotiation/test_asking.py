from __future__ import annotations

from datetime import UTC, datetime, timedelta

from escalator.model.cloud import Server
from escalator.model.notice import InstanceAction, NoticeEvent, NoticeState
from escalator.model.vnfm import ManagerRole, Vnfm, VnfmKind
from escalator.vim_interface.negotiation.asking import (
    STOPPED,
    list_concerns,
    make_done_notices,
    make_host_notices,
    make_node_notices,
    make_session_notices,
)

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
SESSION = "11111111-2222-3333-4444-555555555555"


def vnfm(name: str = "m", kind: VnfmKind = VnfmKind.FENIX_A, **more: object) -> Vnfm:
    return Vnfm(id=name, cloud="lab", kind=kind, url="http://127.0.0.1:1", projects=("p",), **more)  # type: ignore[arg-type]


def server(name: str, project: str = "p", **more: object) -> Server:
    return Server(id=name, name=name, host="node-01", vm_state="active", project_id=project, **more)  # type: ignore[arg-type]


def test_servers_are_grouped_by_manager_and_project() -> None:
    one, other = vnfm("b"), vnfm("a")
    owners = {"s1": one, "s2": other, "s3": one, "s4": None}
    servers = [server("s3"), server("s1"), server("s2", "q"), server("s4")]
    found = list_concerns(servers, lambda s: owners[s.id])
    assert [(c.vnfm.id, c.project_id, c.server_ids) for c in found] == [
        ("a", "q", ("s2",)),
        ("b", "p", ("s1", "s3")),
    ]


def test_who_looks_after_the_infrastructure_and_servers_on_no_node_are_not_asked_for() -> None:
    nfvo = vnfm(role=ManagerRole.NFVO)
    assert list_concerns([server("s1")], lambda _: nfvo) == ()
    gone = Server(id="s", name="s", host="node-01", vm_state="shelved_offloaded", project_id="p")
    assert list_concerns([gone], lambda _: vnfm()) == ()


def test_dialect_a_gets_one_notice_a_project_and_b_one_a_server() -> None:
    for kind, about in (
        (VnfmKind.FENIX_A, [(("s1", "s2"), None)]),
        (VnfmKind.WEBHOOK, [(("s1", "s2"), None)]),
        (VnfmKind.FENIX_B, [(("s1",), "s1"), (("s2",), "s2")]),
    ):
        manager = vnfm(kind=kind, reply_seconds=40.0)
        concerns = list_concerns([server("s1"), server("s2")], lambda _, m=manager: m)
        notices = make_node_notices(
            concerns, session_id=SESSION, host="node-01", asking=0, now=NOW, bundle="nova-34"
        )
        assert [(n.instance_ids, n.instance_id) for n in notices] == about
        for notice in notices:
            assert notice.state is NoticeState.PLANNED_MAINTENANCE
            assert notice.allowed_actions == tuple(InstanceAction)
            assert notice.reply_at == NOW + timedelta(seconds=40)
            assert notice.actions_at is not None
            assert notice.actions_at > notice.reply_at


def test_the_metadata_names_the_servers_of_a_notice_that_will_be_stopped() -> None:
    for kind, told in (
        (VnfmKind.FENIX_A, ["s1,s3"]),
        (VnfmKind.FENIX_B, ["s1", None, "s3"]),
    ):
        manager = vnfm(kind=kind)
        concerns = list_concerns([server("s1"), server("s2"), server("s3")], lambda _, m=manager: m)
        notices = make_node_notices(
            concerns,
            session_id=SESSION,
            host="node-01",
            asking=0,
            now=NOW,
            bundle="nova-34",
            stops={"s3", "s1", "of-another"},
        )
        assert [notice.metadata.get(STOPPED) for notice in notices] == told


def test_who_is_given_a_lead_time_may_take_it_to_answer_within_bounds() -> None:
    concerns = list_concerns([server("s1"), server("s2")], lambda _: vnfm(kind=VnfmKind.FENIX_B))
    first, second = make_node_notices(
        concerns,
        session_id=SESSION,
        host="node-01",
        asking=0,
        now=NOW,
        bundle="b",
        leads={"s1": 600.0, "s2": 86_400.0, "s3": 900.0},
    )
    assert first.reply_at == NOW + timedelta(seconds=600)
    assert first.actions_at == NOW + timedelta(seconds=601)
    assert second.reply_at == NOW + timedelta(seconds=1500)


def test_another_asking_is_another_notice_and_the_same_one_is_not() -> None:
    concerns = list_concerns([server("s1")], lambda _: vnfm())
    first, again, later = (
        make_node_notices(
            concerns,
            session_id=SESSION,
            host="node-01",
            asking=asking,
            now=NOW + timedelta(seconds=seconds),
            bundle="b",
        )[0].key
        for asking, seconds in ((0, 0), (0, 9), (1, 0))
    )
    assert first == again
    assert first != later


def test_the_action_of_a_session_comes_after_its_lead_time_and_after_the_last_moment_for_a_reply() -> None:
    concerns = list_concerns([server("s1")], lambda _: vnfm(session_reply_seconds=60.0))
    for lead, seconds in ((0.0, 61), (600.0, 600)):
        (notice,) = make_session_notices(
            concerns, NoticeState.MAINTENANCE, session_id=SESSION, now=NOW, leads={"s1": lead}
        )
        assert notice.reply_at == NOW + timedelta(seconds=60)
        assert notice.actions_at == NOW + timedelta(seconds=seconds)
        assert notice.host is None


def test_the_action_of_a_session_comes_not_before_the_moment_that_it_was_asked_for() -> None:
    concerns = list_concerns([server("s1")], lambda _: vnfm(session_reply_seconds=60.0))
    for seconds, lead, first in ((30.0, 0.0, 61.0), (900.0, 0.0, 900.0), (900.0, 1000.0, 1000.0)):
        (notice,) = make_session_notices(
            concerns,
            NoticeState.MAINTENANCE,
            session_id=SESSION,
            now=NOW,
            leads={"s1": lead},
            not_before=NOW + timedelta(seconds=seconds),
        )
        assert notice.actions_at == NOW + timedelta(seconds=first)


def test_each_project_hears_of_the_lead_time_of_its_own_servers() -> None:
    concerns = list_concerns([server("s1"), server("s2", "q")], lambda _: vnfm(session_reply_seconds=60.0))
    notices = make_session_notices(
        concerns, NoticeState.MAINTENANCE, session_id=SESSION, now=NOW, leads={"s2": 600.0}
    )
    assert [n.actions_at for n in notices] == [NOW + timedelta(seconds=61), NOW + timedelta(seconds=600)]


def test_nobody_replies_to_what_is_done_nor_to_what_happens_to_hosts() -> None:
    concerns = list_concerns([server("s1"), server("s2")], lambda _: vnfm())
    done = make_done_notices(concerns, session_id=SESSION, host="node-01", asking=0, now=NOW)
    assert [n.instance_ids for n in done] == [("s1",), ("s2",)]
    told = make_host_notices(
        [vnfm(role=ManagerRole.NFVO)], NoticeState.IN_MAINTENANCE, session_id=SESSION, host="n", asking=0
    )
    assert [n.event for n in told] == [NoticeEvent.HOST]
    assert all(n.reply_at is None for n in (*done, *told))
