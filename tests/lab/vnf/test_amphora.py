from __future__ import annotations

from pathlib import Path

from escalator.lab.vnf.amphora import apply
from escalator.lab.vnf.balancer import Balancer, Member, Members
from escalator.lab.vnf.service_log import ServiceLog, read_events


def test_weights_are_those_of_octavia_and_each_change_is_written_down(tmp_path: Path) -> None:
    members = {name: Member(name=name, address="", port=0) for name in ("a", "b")}
    balancer = Balancer(Members(members=members), ServiceLog(tmp_path / "log.jsonl", "balancer"))
    for rows in ([("a", 0), ("b", 1), ("stranger", 7)], [("a", 0), ("b", 1)], []):
        apply(balancer, rows)
    assert [(member.name, member.weight) for member in members.values()] == [("a", 0), ("b", 1)]
    (event,) = read_events([tmp_path / "log.jsonl"])
    assert (event["member"], event["was"], event["weight"]) == ("a", 1, 0)
