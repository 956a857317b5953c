from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.builders import NOW, make_plan

from escalator.ledger.backup_book import BackupBook
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.ledger.retention import Retention
from escalator.model.backup import BackupKind, BackupRecord
from escalator.model.campaign import NodeState

Open = Callable[..., Any]
ONE = BackupRecord(
    id="node-01-abc",
    kind=BackupKind.NODE,
    cloud="lab",
    host="node-01",
    campaign="campaign",
    run_id="run",
    bundle="nova-34",
    taken_at=NOW,
    size_bytes=5 << 30,
    sha256="a" * 64,
    manifest_sha256="b" * 64,
    url="s3://bucket/lab/node-01/node-01-abc.json",
    verified_at=NOW,
)
TWO = replace(ONE, id="node-02-abc", host="node-02", taken_at=NOW + timedelta(minutes=1))


@pytest.fixture
def book(ledger: Ledger) -> BackupBook:
    for record in (ONE, TWO):
        ledger.backups().record(record)
    return ledger.backups()


def test_a_backup_reads_as_it_was_recorded(book: BackupBook) -> None:
    assert book.find(ONE.id) == ONE
    assert book.find("other") is None


def test_backups_are_found_by_run_cloud_and_node_the_newest_first(book: BackupBook) -> None:
    assert book.of_run("campaign", "run") == (TWO, ONE)
    assert book.of_run("campaign", "other") == ()
    assert book.list_all() == book.list_all("lab") == (TWO, ONE)
    assert book.list_all("lab", "node-01") == (ONE,)
    assert book.list_all("other") == ()


def test_one_that_is_taken_again_is_replaced_one_that_is_verified_says_when(book: BackupBook) -> None:
    later = NOW + timedelta(days=1)
    book.record(replace(ONE, size_bytes=7))
    book.note_verified(ONE.id, later)
    assert book.find(ONE.id) == replace(ONE, size_bytes=7, verified_at=later)
    book.forget(ONE.id)
    book.forget(ONE.id)
    assert book.list_all() == (TWO,)


def test_backups_are_needed_while_their_run_is_and_outlive_it(
    ledger: Ledger, open_campaign: Open, book: BackupBook
) -> None:
    assert book.find_need("campaign", "run") == ""
    plan = replace(make_plan("node-01"), campaign="campaign", run_id="run")
    open_campaign(ledger, plan, now=NOW)
    run = ledger.run("campaign", "run")
    assert "not at its end" in book.find_need("campaign", "run")
    run.set_progress("node-01", NodeState.SKIPPED, now=NOW)
    assert "not concluded" in book.find_need("campaign", "run")
    run.set_document(Document.REPORT, {})
    assert book.find_need("campaign", "run") == ""
    ledger.prune(Retention(age=timedelta(), runs=0), NOW + timedelta(days=1))
    assert book.of_run("campaign", "run") == (TWO, ONE)
