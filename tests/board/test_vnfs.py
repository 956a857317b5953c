from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.board.campaigns import at, record
from tests.builders import NOW, make_pair

from escalator.board.build import build_board
from escalator.board.record import Background
from escalator.model.interruption import Gap, ProbeMethod

GROUP, PAIR = make_pair("sbc", "node-02", "node-04", lead_seconds=60.0)
BACKGROUND = Background(groups=(GROUP,), members={server.id: server for server in PAIR})


def gap(seconds: float, **fields: Any) -> Gap:
    known: dict[str, Any] = {
        "cloud": "lab",
        "campaign": "c",
        "run_id": "r",
        "host": "node-01",
        "group": "sbc",
        "address": "192.0.2.1",
        "method": ProbeMethod.ICMP,
        "started_at": NOW,
        "seconds": seconds,
    }
    return Gap(**known | fields)


def test_a_member_is_out_with_its_node_and_follows_its_server() -> None:
    (line,) = build_board(record(background=BACKGROUND), at(400)).groups
    assert [(m.name, m.host, m.role, m.out) for m in line.members] == [
        ("sbc-a", "node-02", "active", True),
        ("sbc-s", "node-04", "standby", False),
    ]
    assert (line.out, line.tolerated) == (1, 1)
    (moved,) = build_board(record(background=BACKGROUND, places={"id-sbc-a": "node-01"}), at(400)).groups
    assert (moved.out, moved.members[0].host) == (0, "node-01")


def test_the_last_gap_stands_beside_the_sum_of_the_year() -> None:
    own = (gap(0.2), gap(1.5, started_at=at(60)))
    before = gap(20, started_at=NOW - timedelta(days=90))
    known = record(background=BACKGROUND, gaps=own, year_gaps=(before, *own), vnf_of={"sbc": "border"})
    (line,) = build_board(known, at(400)).groups
    assert (line.vnf, line.last_gap_seconds, line.last_gap_at) == ("border", 1.5, at(60))
    assert (line.year_seconds, line.too_long) == (21.7, True)


def test_a_gap_in_which_the_probe_stood_still_counts_for_nothing() -> None:
    still = gap(9, cause="not measured")
    (line,) = build_board(record(background=BACKGROUND, gaps=(still,), year_gaps=(still,)), at(400)).groups
    assert (line.last_gap_seconds, line.year_seconds, line.too_long) == (None, 0.0, False)


def test_a_group_that_is_known_by_its_gaps_alone_is_shown_too() -> None:
    (line,) = build_board(record(gaps=(gap(0.2),), year_gaps=(gap(0.2),)), at(400)).groups
    assert (line.id, line.members) == ("sbc", ())
