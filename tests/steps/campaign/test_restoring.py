"""Which backup is put back, and which run had the node last."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.steps.test_rollback import fail
from tests.steps.worlds import NEW, NODE, OLD, World

from escalator.documents.bundles import parse_bundle
from escalator.ledger.records import Document
from escalator.model.backup import BackupKind, BackupRecord
from escalator.model.campaign import NodeState, RunOf, Step
from escalator.model.decisions import Admission
from escalator.model.errors import InvalidRequestError, NodeFaultError
from escalator.model.lease import LeaseMark
from escalator.steps.campaign.restoring import describe_loss, find_to_restore

PART = "__lab__cell1"
UPGRADE, ROLLBACK, RESTORE = (f"{verb}{PART}" for verb in ("upgrade", "rollback", "restore"))


def save(world: World, backup_id: str, campaign: str, run_id: str, host: str = NODE) -> None:
    world.ledger.backups().record(
        BackupRecord(
            id=backup_id,
            kind=BackupKind.NODE,
            cloud="lab",
            campaign=campaign,
            run_id=run_id,
            bundle="nova-34",
            taken_at=world.clock(),
            size_bytes=1,
            manifest_sha256="a",
            url="u",
            verified_at=world.clock(),
            host=host,
            sha256="b",
        )
    )


def open_run(world: World, campaign: str, run_id: str) -> None:
    world.plan = replace(world.plan, campaign=campaign, run_id=run_id)
    world.open(world.plan)
    document = {**world.recorded.document(Document.BUNDLE), "rollback": {"supported": False}}
    world.recorded.set_document(Document.BUNDLE, document)


def find(world: World, backup_id: str | None = None, host: str = NODE):  # type: ignore[no-untyped-def]  # noqa: ANN201
    return find_to_restore(world.ledger, PART, cloud="lab", host=host, backup_id=backup_id)


def test_a_node_whose_rollback_failed_is_taken_over_and_put_back(world: World) -> None:
    open_run(world, UPGRADE, "run-1")
    fail(world)
    save(world, "of-upgrade", UPGRADE, "run-1")
    world.plan = replace(
        world.plan,
        campaign=ROLLBACK,
        run_id="back-1",
        target_version=OLD,
        undoes=RunOf(campaign=UPGRADE, run_id="run-1", version=NEW),
    )
    world.open(world.plan)
    world.nodes[NODE].activate_faults.append(NodeFaultError("the old one does not start either"))
    world.run_up_to(Step.UPGRADE)
    world.run(Step.RELEASE)
    save(world, "of-rollback", ROLLBACK, "back-1")
    lease = world.service().lease
    assert lease is not None
    assert (lease.campaign, lease.mark) == (ROLLBACK, LeaseMark.FAILED)

    found = find(world)
    assert (found.restores.backup, found.holder.run_id) == ("of-upgrade", "back-1")
    bundle = parse_bundle(found.bundle_document)
    assert bundle.target_version() == OLD
    later = found.restores.taken_at + timedelta(hours=3, minutes=12)
    said = describe_loss(found, NODE, later)
    assert "3 h 12 min ago" in said
    assert f"before {UPGRADE} run-1 and {ROLLBACK} back-1" in said

    world.bundle = bundle
    world.plan = replace(
        world.plan, campaign=RESTORE, run_id="restore-1", undoes=found.holder, restores=found.restores
    )
    world.open(world.plan)
    assert world.admit().admission is Admission.ADMIT
    world.run_up_to(Step.RELEASE)
    assert (world.enabled(), world.progress().state) == (True, NodeState.RELEASED)
    assert world.recorded.plan() == world.plan


def test_what_cannot_be_put_back_is_refused_with_a_reason(world: World) -> None:
    open_run(world, UPGRADE, "run-1")
    with pytest.raises(InvalidRequestError, match="there is no backup of node-03 that was taken for a run"):
        find(world, host="node-03")
    with pytest.raises(InvalidRequestError, match="there is no backup gone"):
        find(world, "gone", "node-03")
    save(world, "other", UPGRADE, "run-1", host="node-02")
    with pytest.raises(InvalidRequestError, match="backup other is of node-02 of lab, not of node-03 of lab"):
        find(world, "other", "node-03")
    save(world, "mine", UPGRADE, "run-1", host="node-03")
    with pytest.raises(InvalidRequestError, match="the ledger does not know that run run-1"):
        find(world, host="node-03")
