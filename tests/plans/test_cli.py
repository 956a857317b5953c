from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.builders import DOMAINS, leased, make_cloud, make_pair, make_plan, make_server, make_target

from escalator.cli import main
from escalator.cloud_manager.snapshots import compute_snapshot_digest, read_snapshot, snapshot_to_document
from escalator.model.cloud import CloudSnapshot
from escalator.replay import check_trace


def small() -> CloudSnapshot:
    group, members = make_pair("db", "a", "b")
    servers = [make_server("web", "a"), make_server("cold", "b", vm_state="stopped"), *members]
    return make_cloud([make_target("a"), make_target("b"), make_target("c")], servers, ha_groups=(group,))


@pytest.fixture
def snapshot_file(tmp_path: Path) -> Path:
    path = tmp_path / "snapshot.json"
    path.write_text(json.dumps(snapshot_to_document(small())))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main([str(w) for w in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_trace_is_written_that_the_checker_finds_clean(
    snapshot_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace_file = tmp_path / "trace.json"
    code, out, _ = run(
        capsys, "simulate", "--snapshot", snapshot_file, "--max-parallel", "2", "-o", trace_file
    )
    assert code == 0
    assert out.startswith("3 node(s) upgraded, 0 held, 2 at once\n")
    trace = json.loads(trace_file.read_text())
    assert trace["schema"] == "escalator.trace/1"
    assert trace["max_parallel"] == 2
    assert trace["snapshot_sha256"] == compute_snapshot_digest(read_snapshot(snapshot_file))
    assert check_trace(small(), trace).violations == ()


def test_every_option_of_simulate_reaches_the_engine(
    snapshot_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = ("--upgrade-seconds", "10", "--migration-fixed-seconds", "2", "--migration-seconds-per-gib", "1")
    more = ("--concurrent-migrations", "2", "--spill", "0", "--seed", "3")
    code, out, _ = run(
        capsys, "simulate", "--snapshot", snapshot_file, "--max-parallel", "1", *times, *more, "--json"
    )
    trace = json.loads(out)
    moves = [e["t"] for e in trace["events"] if e["event"] in {"move_start", "move_end"}]
    assert code == 0
    assert moves[1] - moves[0] == 4.0
    assert trace["result"]["makespan_seconds"] == 38.0


@pytest.mark.parametrize(
    "wrong",
    [
        ("--max-parallel", "0"),
        ("--max-parallel", "two"),
        ("--spill", "1.5"),
        ("--spill", "nan"),
        ("--upgrade-seconds", "-1"),
        ("--concurrent-migrations", "0"),
    ],
)
def test_bad_numbers_are_refused(
    snapshot_file: Path, capsys: pytest.CaptureFixture[str], wrong: tuple[str, str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", "--snapshot", str(snapshot_file), *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err


@pytest.mark.parametrize(("number", "limit"), [("1e10", "at most 1000000000"), ("-1", "at least 0")])
def test_the_limit_is_named_that_a_number_is_beyond(
    snapshot_file: Path, capsys: pytest.CaptureFixture[str], number: str, limit: str
) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", "--snapshot", str(snapshot_file), f"--upgrade-seconds={number}"])
    assert f"{number} is not {limit}" in capsys.readouterr().err


def test_a_file_that_is_not_there_or_cannot_be_written(
    snapshot_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "simulate", "--snapshot", tmp_path / "none.json")[0] == 2
    code, _, err = run(capsys, "simulate", "--snapshot", snapshot_file, "-o", tmp_path / "no" / "trace.json")
    assert code == 2
    assert "cannot be written" in err


def test_a_campaign_without_room_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    servers = [make_server(f"{h}{i}", h, memory=5000) for h in "ab" for i in range(3)]
    path = tmp_path / "full.json"
    path.write_text(
        json.dumps(snapshot_to_document(make_cloud([make_target("a"), make_target("b")], servers)))
    )
    code, out, _ = run(capsys, "simulate", "--snapshot", path)
    assert code == 1
    assert "held a: its servers want 15000 MEMORY_MB" in out
    assert run(capsys, "plan", "--snapshot", path)[0] == 1


def plan_of(capsys: pytest.CaptureFixture[str], *words: Any) -> dict[str, Any]:
    code, out, _ = run(capsys, "plan", *words, "--json")
    assert code == 0
    document: dict[str, Any] = json.loads(out)
    return document


def test_a_plan_says_order_destinations_times_and_reasons(
    snapshot_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(capsys, "--snapshot", snapshot_file)
    assert plan["schema"] == "escalator.plan/1"
    assert [n["host"] for n in plan["nodes"]] == ["c", "b", "a"]
    assert [n["wave"] for n in plan["nodes"]] == [1, 2, 3]
    assert all(n["reason"] for n in plan["nodes"])
    moves = {m["name"]: (m["method"], m["to"]) for n in plan["nodes"] for m in n["moves"]}
    assert moves == {"web": ("live", "c"), "cold": ("cold", "c")}
    assert [s["name"] for s in plan["nodes"][2]["staying"]] == ["db-a"]
    assert plan["nodes"][2]["switchovers"] == [{"ha_group": "db", "from": "id-db-a", "to": "id-db-s"}]
    assert plan["expected"]["moves"] == plan["expected"]["least_moves"] == 2


def test_the_same_cloud_gives_the_same_hash_and_another_one_another(
    snapshot_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = plan_of(capsys, "--snapshot", snapshot_file)
    assert one["sha256"] == plan_of(capsys, "--snapshot", snapshot_file)["sha256"]
    assert one["sha256"] != plan_of(capsys, "--snapshot", snapshot_file, "--max-parallel", "2")["sha256"]


def test_a_person_reads_a_plan(snapshot_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "plan", "--snapshot", snapshot_file, "--hosts", "c,b")
    assert code == 0
    assert out.startswith("feasible: 2 node(s) of lab, 1 at once\n")
    assert "because: " in out
    assert "cold: cold, b -> c" in out


def test_unknown_hosts_are_refused(snapshot_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "plan", "--snapshot", snapshot_file, "--hosts", "a,x")
    assert (code, out) == (2, "")
    assert "'x'" in err


def test_a_standby_that_makes_way_is_told_where_its_service_goes_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, ones = make_pair("x", "a", "b", memory=4096)
    two, twos = make_pair("y", "b", "a", memory=4096)
    nodes = [
        make_target("a"),
        make_target("b"),
        make_target("c", domain=DOMAINS[1]),
        make_target("u", upgraded=True),
    ]
    path = tmp_path / "pairs.json"
    snapshot = make_cloud(nodes, [*ones, *twos], ha_groups=(one, two))
    path.write_text(json.dumps(snapshot_to_document(snapshot)))
    plan = plan_of(capsys, "--snapshot", path, "--max-parallel", "2")
    making_way = {n["host"]: m for n in plan["nodes"] for m in n["moves"] if m["method"] == "standby"}
    ((host, move),) = making_way.items()
    assert (move["to"], host) == ("u", "a" if move["from"] == "b" else "b")
    assert [s["to"] for n in plan["nodes"] if n["host"] == host for s in n["switchovers"]] == [move["server"]]
    staying = {s["server"]: n["host"] for n in plan["nodes"] for s in n["staying"]}
    assert move["server"] not in staying
    assert len(staying) == 3


def test_a_plan_says_which_services_are_switched_over(
    snapshot_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(capsys, "plan", "--snapshot", snapshot_file)
    assert "switched over where its VNF manager agrees or its VNF file says how" in out
    assert "1 to switch over" in out
    _, out, _ = run(capsys, "plan", "--snapshot", snapshot_file, "--json")
    assert json.loads(out)["counted_only"] == []


def test_a_plan_may_leave_blocked_nodes_out_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = make_server("odd", "b", vm_state="error")
    nodes = [make_target("a"), make_target("b"), make_target("c")]
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(snapshot_to_document(make_cloud(nodes, [make_server("web", "a"), odd]))))
    code, out, _ = run(capsys, "plan", "--snapshot", path)
    assert (code, "NOT FEASIBLE: 2 node(s)" in out) == (1, True)
    code, out, _ = run(capsys, "plan", "--snapshot", path, "--on-blocked", "skip")
    assert (code, out.startswith("feasible: 2 node(s)")) == (0, True)
    assert "skipped b: left out of the campaign: server odd (id-odd)" in out
    _, out, _ = run(capsys, "plan", "--snapshot", path, "--on-blocked", "skip", "--json")
    document = json.loads(out)
    assert [(node["host"], node["code"]) for node in document["left_out"]] == [("b", "server_error")]
    assert document["held"] == []


def test_a_plan_beside_the_lease_of_another_campaign_shows_no_node_and_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = make_plan("a", campaign="upgrade__lab__gone", run_id="gone", max_parallel=1)
    path = tmp_path / "leased.json"
    nodes = [leased(make_target("a"), dead), make_target("b")]
    path.write_text(json.dumps(snapshot_to_document(make_cloud(nodes))))
    code, out, _ = run(capsys, "plan", "--snapshot", path)
    assert (code, out.startswith("nothing goes out as things are: 0 node(s)")) == (0, True)
    assert "held b: a is out for campaign upgrade__lab__gone (run " in out
