"""Required actions of Airflow's: how a task asks a person, and what that person said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn

from airflow.sdk.exceptions import TaskAwaitingInput
from airflow.sdk.execution_time.hitl import upsert_hitl_detail

NOBODY = "nobody in time"


class Said(NamedTuple):
    """The word that was chosen, and by whom; empty: nobody said one in time."""

    word: str
    by: str


def ask_person(
    context: Mapping[str, Any],
    *,
    subject: str,
    question: str,
    default: StrEnum,
    method: str,
    timeout: timedelta,
) -> NoReturn:
    """Ask a person, as a required action of this task: it waits without a worker or a trigger.

    :param default: what counts when nobody answers in time; its type has the words to choose from.
    :param method: of the operator: it hears the answer.
    """
    upsert_hitl_detail(
        ti_id=context["ti"].id,
        subject=subject,
        body=question,
        options=[str(word) for word in type(default)],
        defaults=[str(default)],
        params={},
    )
    raise TaskAwaitingInput(method_name=method, timeout=timeout)


def read_said(event: Mapping[str, Any], default: StrEnum) -> Said:
    """Read what a person said; without a word in time the default."""
    chosen = event.get("chosen_options") or [default]
    user = event.get("responded_by_user") or {}
    return Said(chosen[0], str(user.get("name") or user.get("id") or ""))
