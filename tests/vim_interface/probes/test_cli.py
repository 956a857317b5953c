from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from escalator.cli import main
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.interruption import NOT_MEASURED, Gap, ProbeMethod


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    url = f"sqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", url)
    return Ledger.create_or_upgrade(url)


def record(ledger: Ledger, *, days_ago: float, seconds: float, **fields: Any) -> None:
    given = {"cloud": "lab", "group": "sbc", "cause": "refused", **fields}
    gap = Gap(
        campaign="upgrade",
        run_id=f"run-{days_ago}",
        host="node-01",
        address="10.0.0.5:5060",
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
    assert "sbc: 2 gap(s), longest 0.50 s, sum 0.75 s, not measured 30.0 s\n" in out
    assert "longest 90.00 s" in out
    assert "web" not in out
    assert main(["interruptions", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "escalator.interruptions/1"
    assert [cloud["cloud"] for cloud in document["clouds"]] == ["lab", "other"]
    (group,) = document["clouds"][0]["last_year"]
    assert (group["gaps"], group["sum_seconds"], group["too_long"]) == (2, 0.75, False)
    years = document["clouds"][0]["years"]
    assert round(sum(g["sum_seconds"] for year in years for g in year["groups"]), 2) == 90.75
    assert document["clouds"][1]["last_year"][0]["too_long"]


def test_what_is_too_long_is_told_by_the_exit_code(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    record(ledger, days_ago=1, seconds=1.5)
    assert main(["interruptions"]) == 1
    assert "TOO LONG" in capsys.readouterr().out
