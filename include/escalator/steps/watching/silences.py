"""The alerts of a node are silenced while it is out, and never for ever."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

from escalator.model.errors import EscalatorError, SupersededError
from escalator.model.watchers import Silencing
from escalator.steps.running.context import StepContext

log = logging.getLogger("escalator.steps.watching.silences")


def begin_silence(ctx: StepContext, expected_seconds: float) -> None:
    """Silence the alerts of a node before its lease is taken; a second run finds what the first one made.

    :param expected_seconds: how long the node is expected to be out.
    :raises TransientError: the monitoring system does not answer.
    :raises InvalidRequestError: it does not take the silence.
    """
    alerts = ctx.campaign.alerts
    if alerts is None or not alerts.settings.silence:
        return
    ctx.ensure_current()
    now, known = ctx.now(), ctx.facts.silencing
    until = now + timedelta(seconds=expected_seconds) + alerts.settings.margin
    goes_on = known is not None and known.ended_at is None
    begun = known.set_at if known is not None and goes_on else now
    until = max(until, known.ends_at) if known is not None and goes_on else until  # none is made shorter
    ctx.remember(silencing=Silencing(comment=make_comment(ctx), set_at=begun, ends_at=until))
    alerts.ensure_silent(ctx.host, make_comment(ctx), now=now, until=until)
    log.info("%s: its alerts are silenced until %s", ctx.host, until.isoformat(timespec="seconds"))


def extend_silence(ctx: StepContext, limit_seconds: float) -> None:
    """Let the silence of a node last as long as a step that begins may take; what fails is only said.

    :param limit_seconds: the step's hard limit.
    """
    alerts = ctx.campaign.alerts
    known = ctx.facts.silencing if alerts is not None else None
    if alerts is None or known is None or known.ended_at is not None:
        return
    now = ctx.now()
    until = now + timedelta(seconds=limit_seconds) + alerts.settings.margin
    if until <= known.ends_at:
        return
    try:
        alerts.ensure_silent(ctx.host, known.comment, now=now, until=until)
    except SupersededError:
        raise
    except EscalatorError as exc:
        log.warning("%s: its silence ends at %s all the same: %s", ctx.host, known.ends_at.isoformat(), exc)
        return
    ctx.remember(silencing=replace(known, ends_at=until))


def end_silence(ctx: StepContext) -> tuple[str, ...]:
    """End the silence of a node that is back; a second run has nothing to end.

    :return: what could not be ended, in words: it runs out by itself.
    """
    known = ctx.facts.silencing
    if known is None or known.ended_at is not None:
        return ()
    ctx.ensure_current()
    left = f"the silence of its alerts runs out at {known.ends_at.isoformat(timespec='seconds')}"
    if ctx.campaign.alerts is None:
        return (f"{left}: no Alertmanager is declared any more",)
    try:
        ctx.campaign.alerts.end_silent(known.comment)
    except EscalatorError as exc:
        return (f"{left}: {exc}",)
    ctx.remember(silencing=replace(known, ended_at=ctx.now()))
    log.info("%s: the silence of its alerts is ended", ctx.host)
    return ()


def end_earlier_silences(ctx: StepContext) -> tuple[str, ...]:
    """End the silences that earlier runs left on a node that stayed out: this run gives it back.

    A second run ends none twice.

    :return: what could not be ended, in words: it runs out by itself.
    """
    alerts, book = ctx.campaign.alerts, ctx.campaign.watches
    if alerts is None or book is None:
        return ()
    left: list[str] = []
    for found in book.find_silencings(ctx.plan.request.cloud, ctx.host, ctx.now()):
        if found.comment == make_comment(ctx):
            continue
        ctx.ensure_current()
        try:
            alerts.end_silent(found.comment)
        except EscalatorError as exc:
            ends = found.ends_at.isoformat(timespec="seconds")
            left.append(f"the silence that an earlier run left on its alerts runs out at {ends}: {exc}")
        else:
            log.info("%s: the silence that an earlier run left on its alerts is ended", ctx.host)
    return tuple(left)


def make_comment(ctx: StepContext) -> str:
    """Say why a node is silenced; a step that is run again finds the silence by exactly these words."""
    run, token = ctx.run, ctx.plan.lease(ctx.host).token
    return f"Escalator: {ctx.host} is out, campaign {run.campaign}, run {run.run_id}, token {token}"
