"""Facts as rows: those that this release writes, and those that the release before wrote."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ledger.conftest import NOW

from escalator.ledger import facts as module
from escalator.ledger import schema
from escalator.ledger.ledger import Ledger
from escalator.ledger.run import CampaignRun
from escalator.ledger.tables import FactRow, NodeRow
from escalator.model.durations import MoveSample
from escalator.model.errors import InvalidRequestError
from escalator.model.moves import DrainPlan, MoveMethod, MoveRecord, PlannedMove
from escalator.model.node_facts import NodeFacts, Proof, UnreadablePlan
from escalator.model.stops import RUNNING, PlannedStop, ServerStop, StopEnd
from escalator.model.verdict import Code, Subject, SubjectType, Verdict

HOST = "node-01"
MOVES = (
    PlannedMove(
        server_id="1",
        server_name="wéb",
        method=MoveMethod.LIVE,
        destinations=("node-02", "node-03"),
        memory_mib=512,
    ),
    PlannedMove(server_id="2", server_name="db", method=MoveMethod.COLD, destinations=()),
)
PLAN = DrainPlan(host=HOST, moves=MOVES, staying=("sbc-a",))
STOP = ServerStop(
    server_id="pin",
    server_name="pin",
    power_state=RUNNING,
    noted_at=NOW,
    rank=1,
    asked_at=NOW,
    ended_at=NOW + timedelta(seconds=60),
    end=StopEnd.RUNS,
)
FINDING = Verdict(
    code=Code.SERVER_METHOD, message="cold", subject=Subject(type=SubjectType.SERVER, id="2", name="db")
)
STORED: dict[str, Any] = {
    "leased_at": "2026-11-22T08:00:00+00:00",
    "version": "34.0.0",
    "from_version": "33.0.2",
    "drain_plan": {
        "schema_version": 1,
        "host": HOST,
        "moves": [
            {
                "server_id": "1",
                "server_name": "wéb",
                "method": "live",
                "destinations": ["node-02", "node-03"],
                "memory_mib": 512,
            },
            {
                "server_id": "2",
                "server_name": "db",
                "method": "cold",
                "destinations": [],
                "memory_mib": 0,
            },
        ],
        "staying": ["sbc-a"],
    },
    "last_migration": 17,
    "drain_started": "2026-11-22T08:00:01.500000+00:00",
    "verified": {"version": "34.0.0", "at": "2026-11-22T08:05:00+00:00"},
    "agents": ["neutron-openvswitch-agent"],
    "upgrade_begun": "2026-11-22T08:02:00+00:00",
    "restarted_at": "2026-11-22T08:03:00.000001+00:00",
    "released_at": "2026-11-22T08:06:00+00:00",
    "move_slowness": 1.25,
}
"""The rows of a node, value by value as the release before wrote them."""
KNOWN = NodeFacts(
    leased_at=NOW,
    version="34.0.0",
    from_version="33.0.2",
    drain_plan=PLAN,
    last_migration=17,
    drain_started=NOW + timedelta(seconds=1.5),
    verified=Proof(version="34.0.0", at=NOW + timedelta(minutes=5)),
    agents=("neutron-openvswitch-agent",),
    upgrade_begun=NOW + timedelta(minutes=2),
    restarted_at=NOW + timedelta(minutes=3, microseconds=1),
    released_at=NOW + timedelta(minutes=6),
    move_slowness=1.25,
)


def store(ledger: Ledger, host: str, rows: dict[str, Any]) -> None:
    """Write rows as they are, past the code that reads and writes facts."""
    with ledger._database.writing() as session:
        node = session.scalars(sa.select(NodeRow).where(NodeRow.host == host)).one()
        session.add_all(FactRow(node_id=node.id, key=key, value=value) for key, value in rows.items())


def stored(ledger: Ledger, host: str) -> dict[str, Any]:
    """Read rows as they are."""
    query = sa.select(FactRow.key, FactRow.value).join(NodeRow, FactRow.node_id == NodeRow.id)
    with ledger._database.reading() as session:
        return {row.key: row.value for row in session.execute(query.where(NodeRow.host == host))}


def test_facts_that_the_release_before_stored_are_read(ledger: Ledger, url: str, run: CampaignRun) -> None:
    store(ledger, HOST, STORED)
    schema.downgrade(url, "0006")
    schema.upgrade(url)
    assert run.facts(HOST) == KNOWN
    assert run.versions() == {HOST: "34.0.0"}
    assert run.versions_before() == {HOST: "33.0.2"}
    assert run.move_slowness() == {HOST: 1.25}
    assert run.view().given_back == {HOST: NOW + timedelta(minutes=6)}


def test_facts_are_stored_as_the_release_before_stored_them(ledger: Ledger, run: CampaignRun) -> None:
    plan = DrainPlan(host=HOST, moves=MOVES, staying=("sbc-a",), verdicts=(FINDING,))
    changes: dict[str, Any] = {name: getattr(KNOWN, name) for name in STORED} | {"drain_plan": plan}
    run.remember(HOST, **changes)
    found = stored(ledger, HOST)
    for move in found["drain_plan"]["moves"]:
        assert move.pop("vm_state") == ""  # the release before passes it over
    assert found == STORED


def test_facts_that_were_forgotten_and_those_of_another_release_are_passed_over(
    ledger: Ledger, run: CampaignRun
) -> None:
    store(ledger, HOST, {**dict.fromkeys(STORED, None), "of_tomorrow": {"n": 1}})
    assert run.facts(HOST) == NodeFacts()
    assert run.versions() == {}


@pytest.mark.parametrize(
    "rows",
    [
        {"upgrade_begun": "soon"},
        {"drain_started": "2026-11-22T08:00:00"},
        {"restarted_at": 17},
        {"verified": "yes"},
        {"verified": {"version": "34.0.0"}},
        {"version": 34},
        {"last_migration": "17"},
        {"agents": 3},
    ],
)
def test_a_fact_that_cannot_be_read_says_what_to_do(
    ledger: Ledger, run: CampaignRun, rows: dict[str, Any]
) -> None:
    store(ledger, HOST, rows)
    with pytest.raises(InvalidRequestError, match=r"clear the task node-01\.precheck with downstream"):
        run.facts(HOST)


def test_a_plan_that_stops_servers_is_one_that_an_earlier_release_does_not_read(
    ledger: Ledger, run: CampaignRun
) -> None:
    plan = DrainPlan(
        host=HOST, staying=("pin",), stopping=(PlannedStop(server_id="pin", server_name="pin", rank=1),)
    )
    run.remember(HOST, drain_plan=plan, stops=(STOP,))
    assert stored(ledger, HOST)["drain_plan"]["schema_version"] == 2
    assert (run.facts(HOST).drain_plan, run.facts(HOST).stops) == (plan, (STOP,))


@pytest.mark.parametrize(
    "document",
    [
        [],
        "plan",
        {},
        {"schema_version": 3, "host": HOST, "moves": []},
        {"schema_version": 1, "host": HOST, "moves": [{"server_id": "1"}]},
        {**STORED["drain_plan"], "moves": [{**STORED["drain_plan"]["moves"][0], "method": "beamed"}]},
    ],
)
def test_a_drain_plan_that_cannot_be_read_keeps_nobody_from_the_other_facts(
    ledger: Ledger, run: CampaignRun, document: object
) -> None:
    store(ledger, HOST, {**STORED, "drain_plan": document})
    facts = run.facts(HOST)
    assert isinstance(facts.drain_plan, UnreadablePlan)
    assert facts.drain_plan.why
    assert facts.touched
    assert facts.verified == KNOWN.verified


def test_what_is_learnt_of_moves_goes_without_a_drain_plan_that_cannot_be_read(
    ledger: Ledger, run: CampaignRun
) -> None:
    record = MoveRecord(
        server_id="1",
        server_name="wéb",
        from_host=HOST,
        to_host="node-02",
        method=MoveMethod.LIVE,
        succeeded=True,
        started_at=NOW,
        ended_at=NOW + timedelta(seconds=9),
    )
    for host, version in ((HOST, 3), ("node-02", 1)):
        store(ledger, host, {"drain_plan": {**STORED["drain_plan"], "schema_version": version}})
        run.record_move(host, record)
    assert run.history(cloud="lab", bundle="nova-34").moves == (MoveSample(memory_mib=512, seconds=9),)


def test_what_is_no_fact_is_refused() -> None:
    changes: Any = {"version": "34.0.0", "colour": "red"}
    with pytest.raises(InvalidRequestError, match="'colour' is no fact"):
        list(module.write_fact_values(changes))


UTC_TIMES = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))]))
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    facts=st.builds(
        NodeFacts,
        **{name: st.none() | UTC_TIMES for name in ("leased_at", "drain_started", "upgrade_begun")},
        version=st.none() | WORDS,
        drain_plan=st.none() | st.builds(DrainPlan, host=WORDS, staying=st.tuples(WORDS)),
        last_migration=st.integers(0, 10**9),
        verified=st.none() | st.builds(Proof, version=WORDS, at=UTC_TIMES),
        agents=st.none() | st.tuples(WORDS, WORDS),
        move_slowness=st.none() | st.floats(0.3, 5.0),
    )
)
def test_any_facts_come_back_exactly(run: CampaignRun, facts: NodeFacts) -> None:
    run.remember(HOST, **{name: getattr(facts, name) for name in STORED})  # type: ignore[arg-type, misc]
    assert run.facts(HOST) == facts
