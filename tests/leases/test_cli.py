"""``escalator leases`` over a small cloud and a real ledger; Airflow is a fake behind its REST API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.airflow_client.fake_airflow import FakeAirflow, dag_document, run_document
from tests.steps.worlds import NODE, World

from escalator import cli as escalator
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.leases import cli
from escalator.ledger.records import Document
from escalator.ledger.retention import Retention
from escalator.model.campaign import NodeState, Step
from escalator.model.lease import LeaseMark, LeasePhase
from escalator.model.stops import RUNNING, ServerStop
from escalator.model.verdict import Code

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def airflow(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeAirflow:
    """Airflow, which knows no run unless a test says so."""
    fake = FakeAirflow()
    fake.on("GET", "/api/v2/dags/inventory", (200, dag_document("inventory")))
    monkeypatch.setenv("ESCALATOR_AIRFLOW_URL", "http://airflow.test")
    monkeypatch.setattr(cli, "open_client", lambda _args: fake.client())
    monkeypatch.setattr(cli, "name_cloud_of", lambda args: CloudCredentials(cloud=args.cloud))
    monkeypatch.setattr(cli, "connect", lambda *_: None)
    monkeypatch.setattr(cli, "Cloud", lambda *_: world.cloud)
    monkeypatch.setattr(cli, "Ledger", lambda: world.ledger)
    monkeypatch.setattr(cli, "utcnow", world.clock)
    return fake


@pytest.fixture
def run(airflow: FakeAirflow, capsys: pytest.CaptureFixture[str]) -> Type:
    """Type a command; return its exit code and what it prints."""
    assert airflow

    def type_words(*words: str) -> tuple[int, str, str]:
        code = escalator.main(["leases", "--cloud", "lab", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return type_words


def stands(airflow: FakeAirflow, world: World, state: str) -> None:
    """Let Airflow know the run of the world."""
    path = f"/api/v2/dags/{world.plan.campaign}/dagRuns/{world.plan.run_id}"
    airflow.on("GET", path, (200, run_document(state)))


def test_every_lease_is_listed_with_whose_it_is_and_what_to_do(
    world: World, airflow: FakeAirflow, run: Type
) -> None:
    world.take(phase=LeasePhase.DRAINING)
    theirs = replace(world.plan, installation="feedbeef").lease("node-02")
    world.cloud.person_disables("node-02", theirs.render())
    world.cloud.person_disables("node-03", "broken fan")
    stands(airflow, world, "running")
    code, out, _ = run()
    assert code == 0
    assert f"cloud lab, seen by installation {world.ledger.installation()}" in out
    assert f"{NODE}  DRAINING  age" in out
    assert f"{world.plan.campaign}, run {world.plan.run_id}: running; of this installation" in out
    assert "node-02  ADMITTED  age unknown" in out
    assert "not asked; of another installation (feedbeef)" in out
    assert "node-03" not in out
    assert world.cloud.writes == []


def test_as_json(world: World, run: Type) -> None:
    reason = world.take(phase=LeasePhase.UPGRADING).render()
    code, out, _ = run("--json")
    document = json.loads(out)
    (lease,) = document["leases"]
    assert (code, document["schema"], document["installation"]) == (
        0,
        "escalator.leases/1",
        world.ledger.installation(),
    )
    assert {key: lease[key] for key in ("host", "reason", "run_id", "owner", "phase", "mark")} == {
        "host": NODE,
        "reason": reason,
        "run_id": world.plan.run_id,
        "owner": "this installation",
        "phase": "UPGRADING",
        "mark": None,
    }
    assert (lease["run_life"], lease["orphaned"], lease["unproved"]) == ("deleted", True, True)


def test_no_lease(run: Type) -> None:
    assert "no lease: Escalator has no node of this cloud out" in run()[1]


def test_the_options_of_the_verb_may_stand_behind_the_action(world: World, airflow: FakeAirflow) -> None:
    assert airflow
    world.take()
    assert escalator.main(["leases", "release", NODE, "--yes", "--cloud", "lab"]) == 0
    assert world.enabled()


def test_a_person_is_asked_before_a_node_is_given_back(
    world: World, run: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take()
    asked: list[str] = []

    def answer(word: str) -> Callable[[str], str]:
        return lambda prompt: asked.append(prompt) or word  # type: ignore[func-returns-value]

    monkeypatch.setattr("builtins.input", answer("y"))
    assert run("release", NODE)[0] == 1
    assert not world.enabled()
    monkeypatch.setattr("builtins.input", answer("yes"))
    code, out, _ = run("release", NODE)
    assert (code, asked) == (0, [f"enable {NODE}? Type yes: "] * 2)
    assert world.enabled()
    assert "given back by hand by" in out


def test_without_a_terminal_it_says_what_to_add(
    world: World, run: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.take()

    def nobody(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    code, _, err = run("mark-failed", NODE)
    assert (code, "add --yes" in err) == (2, True)


def test_mark_failed(world: World, run: Type) -> None:
    world.take(phase=LeasePhase.UPGRADING)
    assert run("mark-failed", NODE, "--yes")[0] == 0
    lease = world.service().lease
    assert lease is not None
    assert lease.mark is LeaseMark.FAILED
    assert world.progress().state is NodeState.FAILED


@pytest.mark.parametrize("action", ["release", "mark-failed"])
def test_a_run_that_lives_is_left_alone(world: World, airflow: FakeAirflow, run: Type, action: str) -> None:
    world.take()
    stands(airflow, world, "running")
    code, _, err = run(action, NODE, "--yes", "--foreign", world.ledger.installation())
    assert (code, "still goes on" in err) == (2, True)
    assert world.cloud.writes == []


@pytest.mark.parametrize("action", ["release", "mark-failed"])
def test_an_airflow_that_does_not_answer_leaves_everything_as_it_is(
    world: World, airflow: FakeAirflow, run: Type, action: str
) -> None:
    world.take()
    path = f"/api/v2/dags/{world.plan.campaign}/dagRuns/{world.plan.run_id}"
    airflow.on("GET", path, (503, {"detail": "starting"}))
    code, _, err = run(action, NODE, "--yes")
    assert (code, "Airflow does not say whether run" in err) == (2, True)
    assert world.cloud.writes == []


def test_without_an_address_airflow_is_not_asked(
    world: World, run: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ESCALATOR_AIRFLOW_URL")
    world.take()
    assert ": not asked; of this installation" in run()[1]
    assert run("release", NODE, "--yes")[0] == 2
    assert not world.enabled()


def test_another_installation_is_named_on_purpose(world: World, run: Type) -> None:
    theirs = replace(world.plan, installation="feedbeef").lease(NODE).render()
    world.cloud.person_disables(NODE, theirs)
    assert run("release", NODE, "--yes")[0] == 2
    assert run("release", NODE, "--yes", "--foreign", "0a0a0a0a")[0] == 2
    assert not world.enabled()
    assert run("release", NODE, "--yes", "--foreign", "feedbeef")[0] == 0
    assert world.enabled()


def test_a_node_that_was_never_verified_is_given_back_only_when_it_is_said(world: World, run: Type) -> None:
    world.take(phase=LeasePhase.UPGRADING)
    code, _, err = run("release", NODE, "--yes")
    assert (code, "never verified" in err) == (2, True)
    assert run("release", NODE, "--yes", "--unverified")[0] == 0
    assert world.enabled()


@pytest.mark.parametrize("action", ["release", "mark-failed"])
@pytest.mark.parametrize("reason", [None, "broken fan"])
def test_a_node_without_a_lease_is_refused(world: World, run: Type, action: str, reason: str | None) -> None:
    if reason is not None:
        world.cloud.person_disables(NODE, reason)
    code, _, err = run(action, NODE, "--yes")
    assert (code, "has no lease of Escalator's" in err) == (2, True)
    assert world.cloud.writes == []


def test_settle(run: Type) -> None:
    code, out, _ = run("settle")
    assert (code, len(out.splitlines())) == (0, 4)
    assert "over without a report, settled by" in out.splitlines()[-1]
    assert run("settle")[1] == "nothing is to be settled\n"


def test_the_ledger_may_forget_a_deleted_run_once_it_is_settled(world: World, run: Type) -> None:
    everything = Retention(age=timedelta(), runs=0)
    (before,) = world.ledger.prune(everything, world.clock.now + timedelta(days=1))
    assert before.needed
    run("settle")
    (after,) = world.ledger.prune(everything, world.clock.now + timedelta(days=1))
    assert (after.needed, world.ledger.campaigns()) == ("", ())


def test_settle_names_the_servers_that_a_deleted_run_left_down(world: World, run: Type) -> None:
    now = world.clock.now
    stop = ServerStop(server_id="s1", server_name="pin", power_state=RUNNING, noted_at=now, asked_at=now)
    up = replace(stop, server_id="s2", ended_at=now)
    world.recorded.remember(NODE, stops=(stop, up))
    out = run("settle")[1]
    assert f"{NODE}: server pin (s1) was stopped for its upgrade and not seen to run again: openstack" in out
    assert "s2" not in out
    everything = Retention(age=timedelta(), runs=0)
    (after,) = world.ledger.prune(everything, now + timedelta(days=1))
    assert after.needed == ""


def test_a_deleted_run_that_was_never_concluded_is_settled_though_its_nodes_are_at_their_end(
    world: World, run: Type
) -> None:
    for host in world.plan.hosts:
        world.recorded.set_progress(host, NodeState.SKIPPED, now=world.clock.now)
    assert (
        "not concluded"
        in world.ledger.prune(
            Retention(age=timedelta(), runs=0), world.clock.now + timedelta(days=1), dry_run=True
        )[0].needed
    )
    assert len(run("settle")[1].splitlines()) == 1
    assert run("settle")[1] == "nothing is to be settled\n"


@pytest.mark.parametrize("state", ["running", "failed"])
def test_a_run_that_airflow_has_is_never_settled_without_its_report(
    world: World, airflow: FakeAirflow, run: Type, state: str
) -> None:
    stands(airflow, world, state)
    for host in world.plan.hosts:
        world.recorded.set_progress(host, NodeState.SKIPPED, now=world.clock.now)
    assert run("settle")[1] == "nothing is to be settled\n"
    assert world.recorded.document(Document.SETTLED) is None


def test_a_deleted_run_with_a_lease_is_not_settled(world: World, run: Type) -> None:
    world.take()
    out = run("settle")[1]
    assert f"{NODE}: left, it has a lease" in out
    assert world.recorded.document(Document.SETTLED) is None


def test_settle_closes_what_the_run_had_at_work(world: World, run: Type) -> None:
    world.begin(Step.MIGRATE)
    run("settle")
    assert world.recorded.steps()[-1].code is Code.CUT_OFF


def test_settle_says_which_runs_it_left(world: World, run: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESCALATOR_AIRFLOW_URL")
    code, out, err = run("settle")
    assert (code, out) == (0, "nothing is to be settled\n")
    assert f"run {world.plan.run_id} is left as it is" in err


def test_a_cloud_has_to_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(variable)
    (tmp_path / "clouds.yaml").write_text("clouds: {}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "clouds.yaml"))
    assert escalator.main(["leases"]) == 2
    assert "give --cloud NAME" in capsys.readouterr().err


def test_arguments_are_typed(run: Type) -> None:
    unknown: Any = ["mark-broken", NODE]
    with pytest.raises(SystemExit):
        run(*unknown)


def test_a_person_without_a_name_is_told_by_number(
    world: World, run: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may run as a user that its system does not know."""

    def fail() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr(cli.getpass, "getuser", fail)
    world.take()
    code, out, _ = run("release", NODE, "--yes")
    assert code == 0
    assert f"given back by hand by uid-{os.getuid()}@" in out


def test_a_lease_of_a_clock_that_is_ahead_has_no_age(world: World, run: Type) -> None:
    later = world.clock.now + timedelta(hours=1)
    world.cloud.person_disables(NODE, replace(world.plan.lease(NODE), since=later).render())
    _, out, _ = run()
    assert f"{NODE}  ADMITTED  age 0.0 s" in out


def test_what_is_not_the_airflow_of_escalator_does_not_say_that_a_run_is_deleted(
    world: World, airflow: FakeAirflow, run: Type
) -> None:
    """Every address that is wrong answers 404."""
    airflow.on("GET", "/api/v2/dags/inventory", (404, {"detail": "not found"}))
    world.take()
    code, _, err = run("release", NODE, "--yes")
    assert code == 2
    assert f"Airflow does not say whether run {world.plan.run_id} of {world.plan.campaign} lives" in err
    assert not world.enabled()
