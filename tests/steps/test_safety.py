"""What holds whatever goes wrong: lives of a node with faults, kills and people in every place."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.steps.conftest import MakeWorld
from tests.steps.drawn import draw
from tests.steps.fake_mechanism import NodeSoftware
from tests.steps.fake_records import Fault, KilledError, Write
from tests.steps.worlds import NEW, NODE, OLD, QuickLedger, World, dump_run, restore_run
from tests.vim_interface.switching.fakes import FLOATING, FakeNetwork, make_port

from escalator.model.campaign import NodeState, Step
from escalator.model.cloud import MigrationStatus
from escalator.model.decisions import Admission
from escalator.model.errors import EscalatorError, NodeFaultError, SupersededError, TransientError
from escalator.model.network import FloatingIp
from escalator.model.step import Outcome
from escalator.model.vnf_means import FloatingIpMeans
from escalator.vim_interface.registry import SwitchMeans

some = draw(16)
TRIES = 3
WORK = [s for s in Step if s not in {Step.ADMIT, Step.RELEASE}]
NODE_FAULTS = ["", "", "stage", "activate", "lost", "wrong-version", "dead", "canary"]
PEOPLE = ["", "", "", "disables", "enables", "takes-over", "adds-words"]
LEDGERS = ["", "", "", "lost", "made-anew", "restored", "restored"]
ACTIVE, STANDBY = "act", "stb"
STANDBY_MOVES = "node-02", "node-03"
WORDS = " (leave it: Ann)"


@dataclass(frozen=True, kw_only=True)
class Life:
    """What happens to a node in one campaign."""

    servers: list[tuple[str, Fault, int]] = field(default_factory=list)
    node_fault: str = ""
    kills: list[int] = field(default_factory=list)
    person: str = ""
    person_at: int = 0
    transient_at: int = -1
    ledger: str = ""
    ledger_at: int = 0
    backup_at: int = 0
    standby: Fault | None = None
    """How the moves of a standby go; None: there is no pair."""


lives = st.builds(
    Life,
    servers=st.lists(
        st.tuples(
            st.sampled_from(["active", "active", "paused", "stopped", "error"]),
            st.sampled_from([Fault.NONE, Fault.NONE, Fault.NONE, *Fault]),
            st.integers(1, 3),
        ),
        max_size=3,
    ),
    node_fault=st.sampled_from(NODE_FAULTS),
    kills=st.lists(st.integers(0, 40), max_size=4),
    person=st.sampled_from(PEOPLE),
    person_at=st.integers(0, 45),
    transient_at=st.integers(-1, 40),
    ledger=st.sampled_from(LEDGERS),
    ledger_at=st.integers(1, 60),
    backup_at=st.integers(0, 40),
    standby=st.sampled_from([None, None, *(f for f in Fault if f is not Fault.DIE)]),
)


class Watch:
    """Judges every write at the moment it is made, by the world and not by what the steps recorded."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.moved = False
        self.proved = False
        self.written = world.service().disabled_reason if world.holds_lease() else None
        world.cloud.audit = self.judge
        node = world.nodes[NODE]
        activate = node.activate

        def watched(version: str) -> Any:
            assert not world.cloud.unfinished(NODE), "switched while a migration goes on"
            here = {g.id for g in world.cloud.guests.values() if g.host == NODE}
            assert here <= {ACTIVE} - {holder(world)}, "switched under servers, or under a service"
            self.proved = False
            return activate(version)

        node.activate = watched  # type: ignore[method-assign]

    def judge(self, write: Write) -> None:
        """Refuse what must never be written."""
        match write.verb:
            case "enable":
                self.judge_lease(write)
                node = self.world.nodes[NODE]
                good = self.proved and node.running == NEW
                assert good or not (self.moved or node.switched), "enabled, neither verified nor untouched"
            case "disable":
                self.judge_lease(write)
                self.written = write.detail
            case "live" | "cold":
                guest = self.world.cloud.guests[write.subject]
                under_way = [m for m in self.world.cloud.moves if m.guest is guest and m.status.unfinished]
                assert not under_way, "asked to move twice"
                if guest.host == NODE:
                    self.moved = True
                else:
                    self.judge_standby(write)
            case "canary":
                self.proved = self.world.cloud.hosts[NODE].canary_fault is None
            case "confirm" | "abort":
                assert self.moved or write.subject == STANDBY

    def judge_standby(self, write: Write) -> None:
        """Off another node nobody moves but a standby without the service, live, to the upgraded node."""
        assert (write.verb, write.subject, write.found, write.detail) == ("live", STANDBY, *STANDBY_MOVES)
        assert holder(self.world) == ACTIVE

    def judge_lease(self, write: Write) -> None:
        """A reason is written over only when it is, word for word, the one that was written last."""
        assert write.found in {None, self.written}, write


def pair_up(world: World, fault: Fault) -> None:
    """Put a pair without a manager on the node and another one; a third node is upgraded."""
    world.pairs, world.mode = ((ACTIVE, STANDBY),), "active-standby"
    world.boot(ACTIVE)
    world.boot(STANDBY, STANDBY_MOVES[0], fault=fault, faults_left=1)
    world.means = SwitchMeans(means={f"ha-{ACTIVE}": FloatingIpMeans(address=FLOATING)})
    ports = make_port(ACTIVE, NODE, "10.0.0.1"), make_port(STANDBY, STANDBY_MOVES[0], "10.0.0.2")
    network = cast("FakeNetwork", cast("Any", world.cloud).network.add(*ports))
    network.floating[FLOATING] = FloatingIp(id="f", address=FLOATING, port_id=f"p-{ACTIVE}")
    world.recorded.remember(STANDBY_MOVES[1], version=NEW)
    world.nodes[STANDBY_MOVES[1]].installed = world.nodes[STANDBY_MOVES[1]].running = NEW


def holder(world: World) -> str | None:
    """Return which member of the pair has the service, if there is a pair."""
    found = cast("Any", world.cloud).network.floating.get(FLOATING)
    return None if found is None else str(found.port_id).removeprefix("p-")


def break_node(node: NodeSoftware, world: World, fault: str) -> None:
    """Order a fault of the node."""
    match fault:
        case "stage":
            node.stage_faults = [NodeFaultError("no space")]
        case "activate":
            node.activate_faults = [NodeFaultError("no start")]
        case "lost":
            node.unreachable = [TransientError("no route")]
        case "wrong-version":
            node.starts_as = OLD
        case "dead":
            world.cloud.hosts[NODE].died_at = world.clock.now
            node.unit = "failed"
        case "canary":
            world.cloud.hosts[NODE].canary_fault = "no bootable device"


class Play:
    """Plays one life as Airflow would: steps in order, retries, then release until it is done."""

    def __init__(self, world: World, life: Life) -> None:
        self.world, self.life = world, life
        self.kills = list(life.kills)
        self.calls = 0
        self.outcomes: dict[Step, Outcome] = {}
        self.touched_by_person: str | None = None
        if life.standby is not None:
            pair_up(world, life.standby)
        self.backup = dump_run(world.ledger, world.plan)
        self.ledger_changed = False
        for number, (state, fault, times) in enumerate(life.servers):
            world.boot(f"web-{number}", vm_state=state, fault=fault, faults_left=times)
        self.watch = Watch(world)

    def before(self, _method: str) -> None:
        """Let a person act, or the API be away, at a call of this life."""
        self.calls += 1
        cloud = self.world.cloud
        if self.calls == self.life.backup_at:
            self.backup = dump_run(self.world.ledger, self.world.plan)
        if self.calls == self.life.ledger_at and self.life.ledger:
            self.change_ledger()
        if self.calls == self.life.transient_at:
            raise TransientError("HTTP 503")
        if self.calls != self.life.person_at or not self.life.person:
            return
        self.touched_by_person = self.life.person
        match self.life.person:
            case "disables":
                cloud.person_disables(NODE)
            case "enables":
                cloud.person_enables(NODE)
            case "takes-over":
                cloud.person_disables(NODE, self.world.make_plan("another").lease(NODE).render())
            case "adds-words" if self.world.service().disabled_reason:
                cloud.person_disables(NODE, f"{self.world.service().disabled_reason}{WORDS}")
            case "adds-words":
                self.touched_by_person = None

    def change_ledger(self) -> None:
        """Lose the ledger, make another one in its place, or put back a copy of it."""
        world = self.world
        self.ledger_changed = True
        backup = self.backup if self.life.ledger == "restored" else []
        restore_run(world.ledger, world.plan, backup)
        if self.life.ledger == "made-anew":
            world.plan = replace(world.plan, installation="0badcafe")
        if not backup:
            world.open(world.plan)

    def attempt(self, step: Step, *, last: bool) -> Outcome | None:
        """Run one try of a step; None: it is to be tried again."""
        self.world.fuse.left = self.kills.pop(0) if self.kills else None
        try:
            if step is Step.ADMIT:
                admitted = self.world.admit().admission is Admission.ADMIT
                return Outcome.OK if admitted else Outcome.SKIPPED
            return self.world.run(step, last_try=last).outcome
        except (KilledError, EscalatorError):
            return None
        finally:
            self.world.fuse.left = None

    def run(self, step: Step) -> Outcome | None:
        for number in range(TRIES):
            outcome = self.attempt(step, last=number == TRIES - 1)
            if outcome is not None:
                self.outcomes[step] = outcome
                return outcome
        return None

    def live(self) -> None:
        """Go through the steps, and release whatever came of them."""
        self.world.cloud.before = self.before
        if self.run(Step.ADMIT) is Outcome.OK:
            break_node(self.world.nodes[NODE], self.world, self.life.node_fault)
            for step in WORK:
                if self.run(step) is not Outcome.OK:
                    break
            self.kills.clear()
            while self.attempt(Step.RELEASE, last=False) is None:
                continue


@some
@given(life=lives)
@example(life=Life(servers=[("active", Fault.FAIL, 1), ("stopped", Fault.NONE, 1)], kills=[30, 9]))
@example(life=Life(node_fault="activate", kills=[]))
@example(life=Life(servers=[("active", Fault.NONE, 1)], person="disables", person_at=25))
@example(life=Life(node_fault="wrong-version"))
@example(life=Life(servers=[("active", Fault.NONE, 1)], person="adds-words", person_at=20))
@example(life=Life(standby=Fault.NONE))
@example(life=Life(standby=Fault.NONE, kills=[38, 3, 12]))
@example(life=Life(standby=Fault.FAIL, servers=[("active", Fault.NONE, 1)]))
@example(life=Life(standby=Fault.NONE, person="enables", person_at=34))
@example(life=Life(servers=[("active", Fault.NONE, 1)], ledger="lost", ledger_at=30))
@example(life=Life(servers=[("active", Fault.NONE, 1)], ledger="restored", backup_at=12, ledger_at=40))
def test_no_life_breaks_a_rule(make_world: MakeWorld, life: Life) -> None:
    world = make_world()
    play = Play(world, life)
    play.live()
    progress = world.progress()
    if play.touched_by_person == "disables":
        assert world.service().disabled_reason == "broken fan"
    elif play.touched_by_person == "takes-over":
        assert not world.holds_lease()
    elif play.touched_by_person == "adds-words":
        assert str(world.service().disabled_reason).endswith(WORDS)
    elif play.ledger_changed:
        pass  # what must never be written was judged at every write
    elif play.touched_by_person is None and play.outcomes.get(Step.ADMIT) is Outcome.OK:
        done = progress.state is NodeState.RELEASED
        assert done == (play.outcomes.get(Step.VERIFY) is Outcome.OK)
        assert world.enabled() or progress.mark is not None
    if life.standby is not None:
        assert holder(world) in {ACTIVE, STANDBY}
        assert len(cast("Any", world.cloud).network.writes) <= 1, "switched twice"
    if Step.MIGRATE in play.outcomes and not play.ledger_changed:  # else nobody knows what was asked for
        waiting = [m for m in world.cloud.moves if m.status is MigrationStatus.FINISHED]
        assert waiting == [], "left unconfirmed"
    if play.outcomes.get(Step.ADMIT) is not Outcome.OK:
        return  # no release comes after an admit that never ended well
    once = (world.service().disabled_reason, world.enabled(), progress, len(world.cloud.writes))
    world.cloud.before = None
    world.run(Step.RELEASE)
    assert once == (
        world.service().disabled_reason,
        world.enabled(),
        world.progress(),
        len(world.cloud.writes),
    )


@some
@given(life=lives)
def test_a_second_life_after_the_cause_is_gone_obeys_too(make_world: MakeWorld, life: Life) -> None:
    """An operator mends what was wrong and clears the node's admit with downstream."""
    world = make_world()
    play = Play(world, life)
    play.live()
    node, host = world.nodes[NODE], world.cloud.hosts[NODE]
    node.stage_faults, node.activate_faults, node.unreachable, node.starts_as = [], [], [], None
    node.alive, host.died_at, host.canary_fault = True, None, None
    for guest in world.cloud.guests.values():
        guest.fault = Fault.NONE
    play.life = Life(transient_at=life.kills[0] if life.kills else -1)
    play.calls, play.kills = 0, list(reversed(life.kills))
    play.outcomes.clear()
    play.watch.moved = False if world.enabled() else play.watch.moved
    play.live()
    if play.outcomes.get(Step.VERIFY) is Outcome.OK:
        assert world.enabled()
        assert node.running == NEW
    elif play.outcomes.get(Step.ADMIT) is Outcome.OK:
        assert world.progress().state is not NodeState.RELEASED


@some
@given(step=st.sampled_from(WORK), at=st.integers(1, 12))
def test_a_superseded_attempt_writes_nothing_more(make_world: MakeWorld, step: Step, at: int) -> None:
    world = make_world()
    world.boot("web")
    world.boot("off", vm_state="stopped")
    world.admit()
    for earlier in WORK[: WORK.index(step)]:
        world.run(earlier)
    calls = 0

    def newer(_method: str) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            world.begin(step)

    world.cloud.before = newer
    begun: list[Write] = []
    world.cloud.audit = lambda write: begun.append(write) if calls > at else None
    with suppress(SupersededError):
        world.run(step, last_try=True)
    assert begun == []
    assert world.progress().state not in {NodeState.HELD, NodeState.FAILED}


@pytest.fixture(scope="session")
def other_ledger(tmp_path_factory: pytest.TempPathFactory) -> QuickLedger:
    """The ledger of a second installation."""
    return QuickLedger.at(tmp_path_factory.mktemp("other") / "ledger.db")


@some
@given(copied_after=st.integers(0, 6), turns=st.lists(st.booleans(), min_size=14, max_size=14))
def test_of_a_run_and_its_copy_only_one_goes_on(
    make_world: MakeWorld,
    other_ledger: QuickLedger,
    copied_after: int,
    turns: list[bool],
) -> None:
    """A second installation goes on from a copy of the ledger, over the same cloud."""
    first = make_world()
    first.boot("web")
    watch = Watch(first)
    steps = list(Step)
    for step in steps[:copied_after]:
        _live_on(first, step)
    second = World(ledger=other_ledger, opened=False)
    second.plan, second.cloud, second.nodes, second.clock = first.plan, first.cloud, first.nodes, first.clock
    restore_run(second.ledger, second.plan, dump_run(first.ledger, first.plan), alone=True)
    left = {True: steps[copied_after:], False: steps[copied_after:]}
    worlds = {True: first, False: second}
    enabled = 0
    for turn in turns:
        if not left[turn]:
            continue
        before = first.enabled()
        _live_on(worlds[turn], left[turn].pop(0))
        enabled += first.enabled() and not before
    assert enabled <= 1
    if first.enabled() and watch.moved:
        assert first.nodes[NODE].running == NEW
        assert watch.proved


def _live_on(world: World, step: Step) -> None:
    with suppress(EscalatorError):
        if step is Step.ADMIT:
            world.admit()
        else:
            world.run(step, last_try=True)
