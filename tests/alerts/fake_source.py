"""A small monitoring system for the steps; ``test_alertmanager_real.py`` holds it to the real one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from escalator.model.alerts import Alert, Matchers, Silence


@dataclass
class FakeSource:
    """Alerts and silences in memory.

    :ivar errors: what its next calls raise; :ivar acted: called before and after every write.
    """

    alerts: list[Alert] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    acted: Callable[[], None] = lambda: None
    calls: int = 0
    writes: int = 0

    def fetch_alerts(self, matchers: Matchers) -> tuple[Alert, ...]:
        self._ask()
        return tuple(a for a in self.alerts if all(a.labels.get(m.name) == m.value for m in matchers))

    def fetch_silences(self, comment: str) -> tuple[Silence, ...]:
        self._ask()
        return tuple(s for s in self.silences if s.comment == comment)

    def put_silence(self, silence: Silence) -> None:
        self._ask()
        self.acted()
        self.writes += 1
        self.silences = [s for s in self.silences if s.id != silence.id]
        self.silences.append(replace(silence, id=silence.id or f"s-{self.writes}"))
        self.acted()

    def end_silence(self, silence_id: str) -> None:
        self._ask()
        self.acted()
        self.writes += 1
        self.silences = [s for s in self.silences if s.id != silence_id]
        self.acted()

    def _ask(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
