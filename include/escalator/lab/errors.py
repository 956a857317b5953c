"""Errors of the lab."""

from __future__ import annotations

from escalator.model.errors import EscalatorError


class LabError(EscalatorError):
    """Say what the lab could not do, and what a person can do about it.

    :param message: one sentence: what went wrong.
    :param remedy: one sentence: what to do now.
    """

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)


class PortTakenError(LabError):
    """A port that the lab needs belongs to another process."""


class ServiceFailedError(LabError):
    """A service of the lab ended or did not answer in time."""


class ApiError(LabError):
    """An OpenStack API of the lab answered with an error.

    :param status: HTTP status, 0 when there was no answer at all.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
