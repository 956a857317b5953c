from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.builders import make_plan

from escalator.cli import main
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.interruption import NOT_MEASURED, Gap, ProbeMethod
from escalator.model.stops import ServerStop, StopEnd


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    url = f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    return Ledger.create_or_upgrade(url)


def record(ledger: Ledger, *, days_ago: float, seconds: float, **fields: Any) -> None:
    given = {"cloud": "lab", "group": "sbc", "cause": "refused", "address": "10.0.0.5:5060", **fields}
    gap = Gap(
        campaign="upgrade",
        run_id=f"run-{days_ago}",
        host="node-01",
        method=ProbeMethod.TCP,
        started_at=utcnow() - timedelta(days=days_ago),
        seconds=seconds,
        **given,
    )
    ledger.gaps().record(gap)


def test_nothing_was_probed_yet(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger
    assert main(["interruptions"]) == 0
    assert "no service was probed yet" in capsys.readouterr().out
    assert main(["interruptions", "--cloud", "elsewhere"]) == 0
    assert "no service was probed yet" in capsys.readouterr().out


def test_planned_stops_of_servers_are_summed_beside_the_gaps_and_breach_no_limit(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ledger.run("upgrade", "run-1")
    plan = make_plan("node-01", run_id="run-1")
    run.open(plan, dag_id="upgrade", bundle_document={}, snapshot_before={}, now=utcnow())
    asked = utcnow() - timedelta(hours=1)
    stops = tuple(
        ServerStop(
            server_id=name,
            server_name=name,
            power_state="running",
            noted_at=asked,
            ha_group=group,
            asked_at=asked,
            ended_at=None if name == "down" else asked + timedelta(seconds=400),
            end=None if name == "down" else StopEnd.RUNS,
        )
        for name, group in (("a", "sbc"), ("b", "sbc"), ("down", None))
    )
    run.remember("node-01", stops=stops)
    assert main(["interruptions"]) == 0
    out = capsys.readouterr().out
    assert "planned, last 365 days: VNF sbc stopped 2 time(s), longest 400.0 s, sum 800.0 s\n" in out
    assert "server down stopped 1 time(s), longest 0.0 s, sum 0.0 s, 1 not started again\n" in out
    assert main(["interruptions", "--json"]) == 0
    (cloud,) = json.loads(capsys.readouterr().out)["clouds"]
    assert [row["stops"] for row in cloud["planned"]] == [1, 2]
    assert main(["interruptions", "--cloud", "other"]) == 0
    assert "planned" not in capsys.readouterr().out


def test_every_group_has_a_sum_for_the_last_year_and_for_each_year(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    record(ledger, days_ago=1, seconds=0.5)
    record(ledger, days_ago=300, seconds=0.25)
    record(ledger, days_ago=400, seconds=90.0)
    record(ledger, days_ago=2, seconds=30.0, cause=f"{NOT_MEASURED}: no answer yet")
    record(ledger, days_ago=3, seconds=7.0, cloud="other", group="web")
    assert main(["interruptions", "--cloud", "lab"]) == 0
    out = capsys.readouterr().out
    said = "last 365 days: 2 gap(s), longest 0.50 s of 1 s, sum 0.75 s of 300 s, not measured 30.0 s"
    assert f"  VNF sbc\n    {said}\n" in out
    assert "longest 90.00 s" in out
    assert "web" not in out
    assert main(["interruptions", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "escalator.interruptions/1"
    assert [cloud["cloud"] for cloud in document["clouds"]] == ["lab", "other"]
    (vnf,) = document["clouds"][0]["vnfs"]
    year = vnf["last_year"]
    assert (vnf["vnf"], year["gaps"], year["sum_seconds"], year["too_long"]) == ("sbc", 2, 0.75, False)
    assert round(sum(each["sum_seconds"] for each in vnf["years"]), 2) == 90.75
    assert document["clouds"][1]["vnfs"][0]["last_year"]["too_long"]


def test_the_groups_of_a_vnf_are_summed_together_and_an_outage_of_both_counts_once(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{{id: {group}, mode: none, members: [{{id: {group}-1}}]}}" for group in ("front", "back")]
    text = f"schema: escalator.vnf/1\nname: gateway\ngroups: [{', '.join(names)}]\n"
    folder = tmp_path / "vnfs"
    folder.mkdir()
    (folder / "gateway.yaml").write_text(text)
    monkeypatch.setenv("ESCALATOR_VNF_DIR", str(folder))
    now = utcnow()
    monkeypatch.setattr("tests.vim_interface.probes.test_cli.utcnow", lambda: now)
    record(ledger, days_ago=1, seconds=0.5, group="front", address="10.0.0.6:80")
    record(ledger, days_ago=1, seconds=0.25, group="back", address="10.0.0.7:80")
    for day in range(2, 302):
        record(ledger, days_ago=day, seconds=0.9, group="front")
        record(ledger, days_ago=day + 0.5, seconds=0.9, group="back")
    assert main(["interruptions", "--json"]) == 1
    (vnf,) = json.loads(capsys.readouterr().out)["clouds"][0]["vnfs"]
    assert (vnf["vnf"], vnf["last_year"]["sum_seconds"]) == ("gateway", 540.5)
    assert vnf["last_year"]["too_long"]
    assert [(g["group"], g["last_year"]["too_long"]) for g in vnf["groups"]] == [
        ("back", False),
        ("front", False),
    ]
    assert main(["interruptions"]) == 1
    out = capsys.readouterr().out
    assert "  VNF gateway\n    last 365 days: 602 gap(s)" in out
    assert "    HA group front\n      last 365 days: 301 gap(s)" in out
    (folder / "gateway.yaml").write_text("groups: [")
    assert main(["interruptions"]) == 0
    assert "  VNF front\n" in capsys.readouterr().out


def test_what_is_too_long_is_told_by_the_exit_code(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    record(ledger, days_ago=1, seconds=1.5)
    assert main(["interruptions"]) == 1
    assert "TOO LONG" in capsys.readouterr().out
