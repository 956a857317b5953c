"""Whatever owners and administrators do in mid-drain: what is not on the node any more is left alone."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import example, given
from hypothesis import strategies as st
from tests.steps.conftest import MakeWorld
from tests.steps.drawn import draw
from tests.steps.fake_records import START, Guest, Write
from tests.steps.fake_tenant import Act, Tenant
from tests.steps.worlds import NODE, World

from escalator.model.campaign import Step
from escalator.model.cloud import MigrationStatus
from escalator.model.step import Outcome
from escalator.model.verdict import Code

some = draw(40)
SERVERS = 10
"""More than move at once, so that some wait."""
deeds = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, SERVERS - 1), st.sampled_from(list(Act))), max_size=6
)
ENDS_WITHIN = timedelta(hours=1)


class Watch:
    """Judges every request at the moment it is made."""

    def __init__(self, world: World, tenant: Tenant) -> None:
        self.world, self.tenant = world, tenant
        self.asked: dict[str, list[str]] = {}
        world.cloud.audit = self.judge

    def judge(self, write: Write) -> None:
        match write.verb:
            case "live" | "cold":
                guest = self.world.cloud.guests[write.subject]
                assert guest.host == NODE, "asked to move although it is elsewhere"
                assert guest.id not in self.tenant.away, "moved after somebody else had moved it"
                assert self._unfinished(guest) == [], "asked to move while it moves"
                self.asked.setdefault(guest.id, []).append(write.detail)
            case "confirm":
                assert write.subject in self.asked, "what somebody else resized is confirmed"

    def _unfinished(self, guest: Guest) -> list[MigrationStatus]:
        return [m.status for m in self.world.cloud.moves if m.guest is guest and m.status.unfinished]


@some
@given(deeds=deeds, off=st.sets(st.integers(0, SERVERS - 1), max_size=3), takes=st.sampled_from([5, 20, 90]))
@example(deeds=[(2, 0, Act.RESIZE), (3, 9, Act.LIVE_MIGRATE)], off={0}, takes=20)
@example(deeds=[(1, 9, Act.SNAPSHOT), (1, 8, Act.SHELVE)], off=set(), takes=90)
@example(deeds=[(1, 0, Act.SNAPSHOT), (2, 9, Act.SOFT_DELETE)], off=set(), takes=90)
@example(deeds=[(1, 0, Act.SOFT_DELETE)], off=set(), takes=5)
def test_a_tenant_at_any_moment_costs_no_server_a_second_move(
    make_world: MakeWorld, deeds: list[tuple[int, int, Act]], off: set[int], takes: int
) -> None:
    world = make_world()
    for number in range(SERVERS):
        world.boot(f"web-{number}", vm_state="stopped" if number in off else "active")
    tenant = Tenant(world=world, deeds=deeds, takes=timedelta(seconds=takes))
    watch = Watch(world, tenant)
    tenant.watch()
    checked = world.run_up_to(Step.PRECHECK)
    assert checked is not None
    if checked.outcome is Outcome.HELD:
        assert checked.code is Code.SERVER_SOFT_DELETED
        assert watch.asked == {}
        return
    world.run(Step.SWITCHOVER)
    result = world.run(Step.MIGRATE)
    assert world.clock.now - START < ENDS_WITHIN
    assert {name: len(where) for name, where in watch.asked.items()} == dict.fromkeys(watch.asked, 1)
    here = [g for g in world.cloud.guests.values() if g.host == NODE]
    if result.outcome is Outcome.OK:
        assert here == []
    else:
        assert any(guest.id in result.message for guest in here)
        assert here != []
    assert all(m.succeeded or m.code is None for m in world.moves()), "what others did is no failure"
    ours = {m.guest.id for m in world.cloud.moves if m.type == "migration"}
    assert [g.id for g in world.cloud.guests.values() if g.id in ours and g.vm_state == "resized"] == []
