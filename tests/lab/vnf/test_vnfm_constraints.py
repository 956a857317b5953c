from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, cast

from escalator.lab.vnf.json_server import Answer
from escalator.lab.vnf.service_log import ServiceLog
from escalator.lab.vnf.vnfm_cloud import VnfmCloud
from escalator.lab.vnf.vnfm_constraints import Constraints


class SlowCloud:
    """It takes a constraint at once and answers when it is told to."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.taken, self.may_answer = threading.Event(), threading.Event()

    def find_endpoint(self, service_type: str) -> str:
        return f"http://{service_type}"

    def send(self, method: str, url: str, _body: Any = None) -> Answer:
        if method == "DELETE":
            self.kept.remove(url)
        else:
            self.kept.append(url)
            self.taken.set()
            assert self.may_answer.wait(10)
        return Answer(status=200)


def test_a_constraint_whose_answer_is_on_its_way_is_deleted_and_none_is_put_after_the_end(
    tmp_path: Path,
) -> None:
    cloud = SlowCloud()
    constraints = Constraints(
        cloud=cast("VnfmCloud", cloud),
        groups=[{"group_id": "g1"}, {"group_id": "g2"}],
        instances=[],
        log=ServiceLog(tmp_path / "vnfm.jsonl", "vnfm"),
    )
    put = threading.Thread(target=constraints.push, daemon=True)
    put.start()
    assert cloud.taken.wait(10)
    end = threading.Thread(target=constraints.delete, daemon=True)
    end.start()
    end.join(0.05)
    assert end.is_alive(), "it waits for the answer"
    cloud.may_answer.set()
    end.join(10)
    put.join(10)
    assert not end.is_alive()
    assert not put.is_alive()
    assert cloud.kept == []
