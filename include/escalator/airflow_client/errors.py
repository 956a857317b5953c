"""Errors of the Airflow client, by what the caller must do about them."""

from __future__ import annotations

from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError


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


class RunTimeoutError(EscalatorError):
    """A run did not reach a final state in the time that the caller gave it."""
