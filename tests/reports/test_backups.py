from __future__ import annotations

from dataclasses import replace

from tests.ledger.test_backup_book import ONE
from tests.reports import campaigns as made

from escalator.model.backup import BackupKind
from escalator.reports.document import build_report
from escalator.reports.render import render_html, render_markdown

CLOUD = replace(ONE, id="cloud-abc", kind=BackupKind.CLOUD, host="", sha256="")


def test_each_backup_has_a_row_in_the_report() -> None:
    document = build_report(made.facts(backups=(ONE, CLOUD)))
    assert [(row["host"], row["id"]) for row in document["backups"]] == [
        (None, "cloud-abc"),
        ("node-01", "node-01-abc"),
    ]
    assert document["backups"][0]["sha256"] == "b" * 64
    for text in (render_markdown(document), render_html(document)):
        assert "node-01-abc" in text
        assert "s3://bucket/lab/node-01/node-01-abc.json" in text


def test_without_backups_nothing_is_said_of_them_nor_of_an_older_report() -> None:
    document = build_report(made.facts())
    assert "Backup" not in render_markdown(document) + render_html(document)
    del document["backups"]
    assert "Backup" not in render_markdown(document) + render_html(document)
