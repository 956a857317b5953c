"""Errors of the Airflow client, by what the caller must do about them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError

P = ParamSpec("P")
T = TypeVar("T")


class RequestRefusedError(InvalidRequestError):
    """Airflow refused a request: bad parameters, a conflict, a missing right.

    :param status: HTTP status of the answer, 400 to 499.
    :param detail: Airflow's own words.
    """

    def __init__(self, detail: str, *, status: int, remedy: str | None = None) -> None:
        super().__init__(detail, remedy=remedy)
        self.status = status
        self.detail = detail


class NotInAirflowError(RequestRefusedError):
    """A DAG, run, task, pool or connection of that name does not exist in Airflow."""


class LoginRefusedError(RequestRefusedError):
    """Airflow knows neither this user and password nor this token."""


class AirflowUnavailableError(TransientError):
    """Airflow's API server did not answer, or answered with an error of its own."""


def refuse_other_forms(read: Callable[P, T]) -> Callable[P, T]:
    """Let what reads an answer say that it has another form than Airflow's, in place of a KeyError."""

    @functools.wraps(read)
    def read_or_refuse(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            raise AirflowUnavailableError(
                f"an answer is not as Airflow's: {type(exc).__name__}: {exc}",
                remedy="check the address of Airflow, and that it is Airflow 3",
            ) from exc

    return read_or_refuse


class RunTimeoutError(EscalatorError):
    """A run did not reach a final state in the time that the caller gave it."""
