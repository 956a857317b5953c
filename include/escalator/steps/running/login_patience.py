"""Patience with a node that refuses the log-in: where accounts come from a directory, that passes in minutes.

Nobody waits for it in a worker: the step ends and is tried again by the scheduler, a node at the door goes
back to wait. Since when the node refuses is remembered, so that it is not for ever.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from escalator.model.errors import LoginRefusedError
from escalator.steps.running.context import StepContext

log = logging.getLogger("escalator.steps.running.login_patience")

BORNE = timedelta(minutes=5)
"""For so long a node may refuse the log-in; then that is for a person to mend."""


def bear_refusal(ctx: StepContext, refusal: LoginRefusedError) -> bool:
    """Tell whether a refused log-in is to be tried again later; remember since when the node refuses.

    :raises SupersededError: this attempt is not the newest of its node.
    """
    now = ctx.now()
    since = ctx.facts.login_refused_at
    if since is None:
        ctx.remember(login_refused_at=now)
        since = now
    borne = now < since + BORNE
    if borne:
        log.warning("tried again until %s: %s", (since + BORNE).isoformat(), refusal)
    else:
        ctx.remember(login_refused_at=None)  # who clears the task later begins anew
    return borne


def forget_refusal(ctx: StepContext) -> None:
    """Forget that the node refused: it lets us in again, or nothing more is tried."""
    if ctx.facts.login_refused_at is not None:
        ctx.remember(login_refused_at=None)
