"""Settings of the VIM interface, from the environment of Airflow's API server."""

from __future__ import annotations

import os
from collections.abc import Mapping

from escalator.model.errors import InvalidRequestError

MOST_SESSIONS_VARIABLE = "ESCALATOR_VIM_MAX_SESSIONS"
BUNDLE_VARIABLE = "ESCALATOR_VIM_BUNDLE"
MOST_SESSIONS = 20


def find_most_sessions(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many sessions of a cloud may be open: ``ESCALATOR_VIM_MAX_SESSIONS``.

    :raises InvalidRequestError: it is no number.
    """
    text = environment.get(MOST_SESSIONS_VARIABLE) or str(MOST_SESSIONS)
    if not text.isdecimal():
        raise InvalidRequestError(
            f"{MOST_SESSIONS_VARIABLE} is {text!r}", remedy="set it to a whole number from 0 on"
        )
    return int(text)


def find_chosen_bundle(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the bundle of sessions that name none: ``ESCALATOR_VIM_BUNDLE``; None when it is not set."""
    return environment.get(BUNDLE_VARIABLE) or None
