"""Bringing notes to people: a webhook, a mail, Slack; secrets are in Airflow's connections alone."""

from __future__ import annotations

import html
import importlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
from airflow.configuration import conf
from airflow.sdk import BaseHook

from escalator.events.notifying import Notifier
from escalator.events.teller import Hear
from escalator.ledger.ledger import Ledger
from escalator.ledger.note_book import NoteBook
from escalator.model.campaign import CampaignPlan
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.occasion import Notify, Way
from escalator.vim_interface.delivery.credentials import Credentials
from escalator.vim_interface.delivery.http_call import NoAnswer, call

SECONDS = 10.0
"""A step waits no longer for whoever takes a note."""


def list_notifiers(plan: CampaignPlan, inventory: Inventory, ledger: Ledger) -> tuple[Hear, ...]:
    """Return what tells people of a campaign's run; nothing where nobody is declared, and of a dry run."""
    if not inventory.notify or plan.request.dry_run:
        return ()
    run = ledger.run(plan.campaign, plan.run_id)

    def find_life(host: str) -> str:
        leased_at = run.facts(host).leased_at
        return leased_at.isoformat() if leased_at else ""

    return (
        Notifier(
            notify=inventory.notify,
            book=ledger.open(lambda database: NoteBook(database, plan.campaign, plan.run_id)),
            send=send_note,
            find_life=find_life,
            url=find_url(plan),
        ),
    )


def find_url(plan: CampaignPlan) -> str:
    """Return the page of a run in Airflow; empty where ``[api] base_url`` is not set."""
    base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/dags/{quote(plan.campaign)}/runs/{quote(plan.run_id, safe='')}" if base else ""


def send_note(receiver: Notify, body: Mapping[str, Any]) -> None:
    """Send one note.

    :raises EscalatorError: it was not taken; the message has no secret.
    """
    match receiver.via:
        case Way.WEBHOOK:
            _post(receiver.conn_id, body)
        case Way.SMTP:
            _mail(receiver, body)
        case Way.SLACK:
            _tell_slack(receiver.conn_id, body)


def _post(conn_id: str, body: Mapping[str, Any]) -> None:
    """Post a note as JSON to the address of a connection.

    Its host is the whole address, or host, schema and port; ``path`` in the extras is added. Login and
    password, or ``token`` in the extras, let it in.
    """
    found = BaseHook.get_connection(conn_id)
    host, extra = found.host or "", found.extra_dejson
    port = f":{found.port}" if found.port else ""
    url = host if "://" in host else f"{found.schema or 'https'}://{host}{port}"
    path = str(extra.get("path") or "")
    token = extra.get("token")
    credentials = Credentials(
        login=found.login, password=found.password, token=token if isinstance(token, str) else None
    )
    headers = {"content-type": "application/json", "user-agent": "escalator"}
    if (let_in := credentials.make_header()) is not None:
        headers["authorization"] = let_in.decode()
    try:
        request = httpx.Request("POST", url + path, headers=headers, content=json.dumps(body).encode())
    except (httpx.InvalidURL, ValueError, TypeError) as exc:
        raise InvalidRequestError(
            f"the connection {conn_id} has no address that could be posted to",
            remedy="give it a host, such as https://hooks.example.org/escalator",
        ) from exc
    answer = call(request, connect_seconds=SECONDS / 2, seconds=SECONDS)
    if isinstance(answer, NoAnswer):
        raise EscalatorError(f"the webhook of {conn_id}: {answer.error}")
    if not answer.is_good:
        raise EscalatorError(f"the webhook of {conn_id} answers {answer.status}")


def _mail(receiver: Notify, body: Mapping[str, Any]) -> None:
    """Send a mail by the notifier of Airflow's SMTP provider; its texts are no templates here."""
    try:
        from airflow.providers.smtp.hooks.smtp import SmtpHook  # noqa: PLC0415
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier  # noqa: PLC0415
    except ImportError as exc:
        raise _lacking("smtp") from exc

    class QuickSmtpHook(SmtpHook):
        """Tries once and does not wait for long: a step waits for it."""

        smtp_retry_limit = 0
        timeout = int(SECONDS)

    notifier = SmtpNotifier(
        to=list(receiver.to),
        subject=str(body["title"]),
        html_content=f"<pre>{html.escape(str(body['text']))}</pre>",
        smtp_conn_id=receiver.conn_id,
    )
    notifier.hook = QuickSmtpHook(smtp_conn_id=receiver.conn_id)
    try:
        notifier.notify({})
    except Exception as exc:
        raise EscalatorError(f"the mail by {receiver.conn_id}: {type(exc).__name__}: {exc}") from exc


def _tell_slack(conn_id: str, body: Mapping[str, Any]) -> None:
    """Tell an incoming webhook of Slack's by the notifier of Airflow's Slack provider."""
    try:
        slack = importlib.import_module("airflow.providers.slack.notifications.slack_webhook")
    except ImportError as exc:
        raise _lacking("slack") from exc
    text = f"*{body['title']}*\n{body['text']}"
    notifier = slack.SlackWebhookNotifier(slack_webhook_conn_id=conn_id, text=text, timeout=int(SECONDS))
    try:
        notifier.notify({})
    except Exception as exc:
        raise EscalatorError(f"Slack by {conn_id}: {type(exc).__name__}") from exc  # its address is a secret


def _lacking(provider: str) -> InvalidRequestError:
    package = f"apache-airflow-providers-{provider}"
    return InvalidRequestError(f"{package} is not installed", remedy=f"install {package} on workers")
