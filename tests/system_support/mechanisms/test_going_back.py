"""A mechanism in reverse, on the software of a fake node."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.steps.fake_mechanism import FakeMechanism, NodeSoftware
from tests.steps.fake_records import Fuse

from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code
from escalator.model.way_back import WayBack
from escalator.system_support.mechanisms import Effect, GoingBack, NodeJob

OLD, NEW = "33.0.2", "34.0.0"
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def make_node(installed: str, before: str | None) -> NodeSoftware:
    return NodeSoftware(host="node-01", fuse=Fuse(), running=installed, installed=installed, before=before)


def make_job(node: NodeSoftware, version: str = OLD) -> NodeJob:
    return NodeJob(
        connect=cast("Any", lambda: nullcontext(node)),
        version=version,
        job_id="job",
        deadline=NOW + timedelta(minutes=1),
        clock=lambda: NOW,
        sleep=lambda _: None,
    )


BACK = GoingBack(forward=FakeMechanism(), undone=NEW)


def test_a_node_goes_back_once() -> None:
    node = make_node(NEW, OLD)
    assert BACK.stage(make_job(node)) is Effect.ALREADY_STAGED
    assert BACK.activate(make_job(node)) is Effect.ACTIVATED
    assert BACK.activate(make_job(node)) is Effect.ALREADY_ACTIVE
    assert (node.running, node.switched) == (OLD, 1)
    found = BACK.installed(cast("Any", node))
    assert found is not None
    assert found.running == OLD


@pytest.mark.parametrize(
    ("before", "wanted", "words"),
    [
        (None, OLD, "its way back from 34.0.0 is one-way: x"),
        ("32.0.0", OLD, "its way back from 34.0.0 is back to nova-compute 32.0.0, and not to 33.0.2"),
    ],
)
def test_a_node_that_does_not_go_back_there_is_refused_before_it_is_touched(
    before: str | None, wanted: str, words: str
) -> None:
    node = make_node(NEW, before)
    (verdict,) = BACK.check_source(cast("Any", node), wanted)
    assert (verdict.code, verdict.message, verdict.blocks) == (Code.NO_WAY_BACK, words, True)
    with pytest.raises(NodeFaultError, match="way back") as refused:
        BACK.stage(make_job(node, wanted))
    assert refused.value.code is Code.NO_WAY_BACK
    assert node.switched == 0


def test_nobody_goes_back_from_a_way_back() -> None:
    node = make_node(OLD, NEW)
    assert BACK.way_back(cast("Any", node), OLD).is_one_way
    with pytest.raises(NodeFaultError):
        BACK.roll_back(make_job(node))


class TellsAll(FakeMechanism):
    """Tells of QEMU, too."""

    def way_back(self, shell: Any, version: str) -> WayBack:
        del shell, version
        return WayBack.to_previous({"nova-compute": OLD, "qemu": "7.2"})


def test_every_component_has_to_go_back_to_what_it_was() -> None:
    node = cast("Any", make_node(NEW, OLD))
    good = GoingBack(forward=TellsAll(), undone=NEW, before={"qemu": "7.2", "untold": "1"})
    assert good.check_source(node, OLD) == ()
    (verdict,) = GoingBack(forward=TellsAll(), undone=NEW, before={"qemu": "8"}).check_source(node, OLD)
    assert verdict.message.endswith("is back to nova-compute 33.0.2, qemu 7.2, and not to qemu 8")
