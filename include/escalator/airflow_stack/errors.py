"""Errors of the native Airflow stack."""

from __future__ import annotations

from escalator.model.errors import EscalatorError


class StackError(EscalatorError):
    """The stack cannot do what was asked for."""


class PortTakenError(StackError):
    """A port that the stack needs belongs to another process."""


class ComponentFailedError(StackError):
    """A component ended, or did not become healthy in time."""
