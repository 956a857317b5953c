from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from tests.steps.conftest import MakeWorld
from tests.steps.fake_records import START
from tests.steps.worlds import NODE, World

from escalator.model.campaign import NodeState, OnInterruption, Step
from escalator.model.cloud import CloudSnapshot
from escalator.model.decisions import Admission
from escalator.model.errors import TransientError
from escalator.model.interruption import NOT_MEASURED, Gap, ProbeMethod
from escalator.model.verdict import Code
from escalator.model.vnf_means import ProbeTarget
from escalator.steps.campaign.conclude import conclude
from escalator.steps.campaign.watch_services import RETRY_AFTER, ServiceWatch
from escalator.vim_interface.probes.session import ProbeSession, Watched

WEB = ProbeTarget(group="ha-web-1", method=ProbeMethod.ICMP, address="10.0.0.5")
SBC = ProbeTarget(group="ha-sbc-1", method=ProbeMethod.TCP, address="10.0.0.6", port=5060)
TARGETS = {target.group: target for target in (WEB, SBC)}


@dataclass
class Session:
    """Stands in for the probes: gives what the test puts there."""

    names: dict[str, str] = field(default_factory=dict)
    watched: list[Watched] = field(default_factory=list)
    gives: list[Gap] = field(default_factory=list)
    closed: int = 0

    def open(self, **names: str) -> ProbeSession:
        self.names = names
        return cast("ProbeSession", self)

    def update(self, watched: Iterable[Watched]) -> tuple[Gap, ...]:
        self.watched = list(watched)
        found, self.gives = tuple(self.gives), []
        return found

    def close(self) -> tuple[Gap, ...]:
        self.closed += 1
        return self.update(())

    def probed(self) -> set[tuple[str, str]]:
        return {(one.host, one.target.group) for one in self.watched}


def find_probes(_snapshot: CloudSnapshot) -> Mapping[str, ProbeTarget]:
    return TARGETS


@pytest.fixture
def pairs(world: World) -> World:
    """Have two pairs, each over two nodes; node-03 has nothing of either."""
    for name, host in (("web-1", NODE), ("web-2", "node-02"), ("sbc-1", "node-02"), ("sbc-2", NODE)):
        world.boot(name, host)
    world.boot("alone", "node-03")
    world.pairs = (("web-1", "web-2"),)
    return world


def watch(world: World, session: Session) -> ServiceWatch:
    return ServiceWatch(world.context(), find_probes, open_session=session.open)


def gap(world: World, at: float = 0.0, seconds: float = 0.4, **fields: Any) -> Gap:
    given = {"group": WEB.group, "address": WEB.address, "cause": "time-out", **fields}
    return Gap(
        cloud="lab",
        campaign=world.plan.campaign,
        run_id=world.plan.run_id,
        host=NODE,
        method=ProbeMethod.ICMP,
        started_at=START + timedelta(seconds=at),
        seconds=seconds,
        **given,
    )


def recorded(world: World) -> list[Gap]:
    return list(world.recorded.gaps().of_run(world.plan.campaign, world.plan.run_id))


def test_only_services_with_a_member_on_a_node_that_is_out_are_probed(pairs: World) -> None:
    session = Session()
    looks = watch(pairs, session)
    assert not looks.look()
    assert session.names == {}, "nothing is out: nothing is opened"
    pairs.admit(NODE)
    assert not looks.look()
    assert session.names == {"cloud": "lab", "campaign": pairs.plan.campaign, "run_id": pairs.plan.run_id}
    assert session.probed() == {(NODE, "ha-web-1")}


def test_a_member_that_was_moved_off_the_node_is_watched_on_and_the_end_of_its_node_ends_it(
    pairs: World,
) -> None:
    pairs.pairs = (("web-1", "web-2"), ("sbc-1", "sbc-2"))
    pairs.admit(NODE)
    pairs.run_up_to(Step.MIGRATE)
    session = Session()
    looks = watch(pairs, session)
    looks.look()
    assert session.probed() == {(NODE, "ha-web-1"), (NODE, "ha-sbc-1")}
    for step in (Step.UPGRADE, Step.VERIFY, Step.RELEASE):
        pairs.run(step)
    looks.look()
    assert session.watched == []
    assert session.closed == 1


def test_it_goes_on_while_a_node_that_gave_way_is_to_come_again(pairs: World) -> None:
    for host in pairs.hosts:
        pairs.recorded.set_progress(host, NodeState.RELEASED, now=pairs.clock())
    pairs.recorded.set_progress(NODE, NodeState.HELD, code=Code.VNF_REFUSED, now=pairs.clock())
    looks = watch(pairs, Session())
    assert not looks.look()
    pairs.recorded.set_progress(NODE, NodeState.HELD, code=Code.NO_DESTINATION, now=pairs.clock())
    assert looks.look()


def test_it_ends_when_every_node_has(pairs: World) -> None:
    looks = watch(pairs, Session())
    for host in pairs.hosts:
        assert not looks.look()
        pairs.run_up_to(Step.RELEASE, host)
    assert looks.look()


def test_what_was_found_is_in_the_ledger_after_each_look_and_the_last_one(pairs: World) -> None:
    session = Session()
    looks = watch(pairs, session)
    pairs.admit(NODE)
    looks.look()
    for seconds in (0.4, 0.9):
        session.gives = [gap(pairs, seconds=seconds)]
        looks.look()
        assert [g.seconds for g in recorded(pairs)] == [seconds]
    session.gives = [gap(pairs, at=9)]
    looks.close()
    looks.close()
    assert len(recorded(pairs)) == 2
    assert session.closed == 1


def test_a_ledger_that_is_away_gets_everything_later(pairs: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from escalator.ledger.gap_book import GapBook

    session = Session()
    looks = watch(pairs, session)
    pairs.admit(NODE)
    looks.look()

    def away(*_: object) -> None:
        raise TransientError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(GapBook, "record", away)
        session.gives = [gap(pairs)]
        looks.look()
    assert recorded(pairs) == []
    looks.look()
    assert recorded(pairs) == [gap(pairs)]


def test_a_cloud_that_is_away_is_asked_again_after_a_while(
    pairs: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    pairs.admit(NODE)
    looks = watch(pairs, session)
    asked: list[int] = []

    def away(**_: object) -> None:
        asked.append(1)
        raise TransientError("HTTP 503")

    with monkeypatch.context() as patch:
        patch.setattr(pairs.cloud, "fetch_snapshot", lambda *_, **fields: away(**fields))
        looks.look()
        looks.look()
    assert (asked, session.watched) == ([1], [])
    pairs.clock.sleep(RETRY_AFTER.total_seconds())
    looks.look()
    assert session.probed() == {(NODE, "ha-web-1")}


@pytest.mark.parametrize(
    ("cause", "answered"),
    [(NOT_MEASURED, True), ("refused", True), (f"{NOT_MEASURED}: no answer yet (refused)", False)],
)
def test_a_watch_after_a_restart_knows_what_answered(pairs: World, cause: str, *, answered: bool) -> None:
    pairs.admit(NODE)
    pairs.recorded.gaps().record(gap(pairs, cause=cause))
    session = Session()
    watch(pairs, session).look()
    assert [one.answered for one in session.watched] == [answered]


def test_a_long_interruption_stops_the_next_node_where_the_request_says_so(make_world: MakeWorld) -> None:
    world = make_world(on_interruption=OnInterruption.STOP)
    world.run_up_to(Step.RELEASE)
    world.recorded.gaps().record(gap(world, seconds=1.2))
    decision = world.admit("node-02")
    assert (decision.admission, decision.code) == (Admission.STOP, Code.INTERRUPTION_SWITCH)
    assert "ha-web-1 was interrupted for 1.2 s at once" in decision.message


def test_without_that_it_is_a_finding_of_the_report(world: World, tmp_path: Path) -> None:
    world.recorded.gaps().record(gap(world, seconds=1.2))
    for host in world.hosts:
        world.run_up_to(Step.RELEASE, host)
    conclude(world.context(), tmp_path)
    page = next(tmp_path.rglob("report.md")).read_text()
    assert "`interruption_switch`" in page
    assert "| ha-web-1 | node-01" in " ".join(page.split())


def test_a_gap_is_recorded_with_what_its_vnf_bears(pairs: World) -> None:
    pairs.bears = {"web-1": 0.5, "web-2": 0.2, "alone": 0.1}
    pairs.admit(NODE)
    session = Session()
    looks = watch(pairs, session)
    session.gives = [gap(pairs)]
    looks.look()
    assert [found.limit_seconds for found in recorded(pairs)] == [0.2]
    assert [str(b) for b in pairs.recorded.view().breaches] == [
        "ha-web-1 was interrupted for 0.4 s at once, 0.2 s is allowed, as its VNF says"
    ]
