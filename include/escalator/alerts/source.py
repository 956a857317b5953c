"""What is needed of a monitoring system; the Alertmanager is one."""

from __future__ import annotations

from typing import Protocol

from escalator.model.alerts import Alert, Matchers, Silence


class AlertSource(Protocol):
    """Alerts and silences. Methods raise the errors of the model."""

    def fetch_alerts(self, matchers: Matchers) -> tuple[Alert, ...]:
        """Read the alerts that fire, match, and are neither silenced nor inhibited. One call."""

    def fetch_silences(self, comment: str) -> tuple[Silence, ...]:
        """Read the silences with exactly that comment that are not over. One call."""

    def put_silence(self, silence: Silence) -> None:
        """Make a silence, or let one that has an id end at another time. One call."""

    def end_silence(self, silence_id: str) -> None:
        """End a silence now; one that is gone is ended. One call."""
