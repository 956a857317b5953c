"""Notes, as they arrive: at a real HTTP server and a real SMTP server of this test's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from tests.builders import NOW, make_plan
from tests.events.test_notes import HELD
from tests.plugins.receivers import Mailed, Posted, receive_mails, receive_posts

from escalator.events.notes import make_note, note_to_document
from escalator.ledger.ledger import Ledger
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory
from escalator.model.occasion import Notify, Occasion, Way

pytestmark = pytest.mark.airflow
BODY = note_to_document(make_note(HELD, Occasion.HELD, url="https://af/x"))
HOOK = Notify(when=(Occasion.HELD,), via=Way.WEBHOOK, conn_id="pager")
MAIL = Notify(when=(Occasion.HELD,), via=Way.SMTP, conn_id="mail", to=("ops@example.org",))
SLACK = Notify(when=(Occasion.HELD,), via=Way.SLACK, conn_id="chat")


@pytest.fixture
def hook() -> Iterator[Posted]:
    with receive_posts() as posted:
        yield posted


@pytest.fixture
def mailbox() -> Iterator[Mailed]:
    with receive_mails() as mailed:
        yield mailed


@pytest.fixture
def notes(airflow_home: Path) -> Any:
    assert airflow_home
    from escalator_airflow import notes

    return notes


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


def test_webhook_gets_the_note_with_what_lets_it_in(
    notes: Any, hook: Posted, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(
        monkeypatch,
        "pager",
        conn_type="http",
        host=f"http://127.0.0.1:{hook.port}",
        extra={"token": "s3cret", "path": "/hooks/escalator"},
    )
    notes.send_note(HOOK, BODY)
    ((path, headers, body),) = hook.taken
    assert (path, body) == ("/hooks/escalator", BODY)
    assert (headers["content-type"], headers["authorization"]) == ("application/json", "Bearer s3cret")


def test_webhook_that_does_not_take_it_is_named_without_its_secret(
    notes: Any, hook: Posted, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook.status = 503
    connect(
        monkeypatch,
        "pager",
        conn_type="http",
        schema="http",
        host="127.0.0.1",
        port=hook.port,
        login="ops",
        password="s3cret",
    )
    with pytest.raises(EscalatorError) as caught:
        notes.send_note(HOOK, BODY)
    assert str(caught.value) == "the webhook of pager answers 503"


@pytest.mark.parametrize("host", ["", "http://127.0.0.1:9", "ftp://x", "http://[", "http://127.0.0.1:99999"])
def test_webhook_that_is_nowhere_fails_as_our_own_error(
    notes: Any, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    connect(monkeypatch, "pager", conn_type="http", host=host)
    with pytest.raises(EscalatorError, match="pager"):
        notes.send_note(HOOK, BODY)


def test_mail_has_the_title_and_the_text_and_no_template_is_read_in_it(
    notes: Any, mailbox: Mailed, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(
        monkeypatch,
        "mail",
        conn_type="smtp",
        host="127.0.0.1",
        port=mailbox.port,
        extra={"from_email": "escalator@example.org", "disable_ssl": True, "disable_tls": True},
    )
    notes.send_note(MAIL, {**BODY, "text": "<b>{{ 7 * 6 }}</b>"})
    (mail,) = mailbox.taken
    assert (mail["subject"], mail["to"]) == ("[lab] node-01 is held", "ops@example.org")
    part = mail.get_body(("html",))
    assert part is not None
    assert part.get_content().strip() == "<pre>&lt;b&gt;{{ 7 * 6 }}&lt;/b&gt;</pre>"


def test_mail_server_that_is_nowhere_is_tried_once(notes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(
        monkeypatch,
        "mail",
        conn_type="smtp",
        host="127.0.0.1",
        port=9,
        extra={"from_email": "escalator@example.org", "disable_ssl": True, "disable_tls": True},
    )
    with pytest.raises(EscalatorError, match="the mail by mail"):
        notes.send_note(MAIL, BODY)


def test_slack_needs_its_provider_and_is_told_by_it(notes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EscalatorError, match="install apache-airflow-providers-slack"):
        notes.send_note(SLACK, BODY)
    made: list[dict[str, Any]] = []
    module = ModuleType("airflow.providers.slack.notifications.slack_webhook")
    notifier = SimpleNamespace(notify=lambda context: made.append({"context": context}))
    module.SlackWebhookNotifier = lambda **fields: made.append(fields) or notifier  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    notes.send_note(SLACK, BODY)
    assert made[0]["slack_webhook_conn_id"] == "chat"
    assert made[0]["text"].startswith("*[lab] node-01 is held*\n2 servers are left")


def test_nobody_is_told_where_nobody_is_declared_or_of_a_dry_run(notes: Any, folders: Path) -> None:
    assert folders
    silent = Inventory(cloud="lab", taken_at=NOW)
    told = Inventory(cloud="lab", taken_at=NOW, notify=(HOOK,))
    assert notes.list_notifiers(make_plan("node-01"), silent, Ledger()) == ()
    assert notes.list_notifiers(make_plan("node-01", dry_run=True), told, Ledger()) == ()
    assert len(notes.list_notifiers(make_plan("node-01"), told, Ledger())) == 1


def test_page_of_the_run_is_named(notes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan("node-01", run_id="manual__2026-11-22T08:00:00+00:00")
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://af.example/")
    assert notes.find_url(plan) == (
        f"https://af.example/dags/{plan.campaign}/runs/manual__2026-11-22T08%3A00%3A00%2B00%3A00"
    )
