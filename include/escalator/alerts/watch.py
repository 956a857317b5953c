"""The alerts of one cloud by its settings: which of them let no node go, and the silences of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from escalator.alerts.source import AlertSource
from escalator.model.alerts import Alert, AlertSettings, Silence
from escalator.model.errors import EscalatorError


class AlertWatch:
    """What a campaign asks of the monitoring system; it is opened at the first question.

    :ivar settings: what the operator declares.
    :param open_source: opens it, reading its connection.
    """

    def __init__(self, settings: AlertSettings, open_source: Callable[[], AlertSource]) -> None:
        self.settings = settings
        self._open = open_source
        self._source: AlertSource | None = None

    def find_firing(self) -> tuple[Alert, ...]:
        """Read the alerts of the gate that fire. One call for each line of the gate.

        :raises EscalatorError: they cannot be read.
        """
        with self._asked() as source:
            found = {a.fingerprint: a for line in self.settings.gate for a in source.fetch_alerts(line)}
        return tuple(found[key] for key in sorted(found))

    def see_that_it_answers(self) -> None:
        """Ask something, for a check. One call.

        :raises EscalatorError: it does not.
        """
        with self._asked() as source:
            source.fetch_silences("")

    def ensure_silent(self, host: str, comment: str, *, now: datetime, until: datetime) -> None:
        """See that a node is silenced until then; a second run writes nothing.

        One call, and one for each silence that is made or made longer.

        :param comment: by which the silences of the node are found.
        :raises EscalatorError: it cannot be done.
        """
        with self._asked() as source:
            there = {silence.matchers: silence for silence in source.fetch_silences(comment)}
            for line in self.settings.silence:
                matchers = tuple(matcher.of_host(host) for matcher in line)
                new = Silence(matchers=matchers, comment=comment, starts_at=now, ends_at=until)
                found = there.get(matchers, new)
                if found is new or found.ends_at < until:
                    source.put_silence(replace(found, ends_at=until))

    def end_silent(self, comment: str) -> None:
        """End the silences of a node; a second run finds none. One call, and one for each.

        :raises EscalatorError: it cannot be done.
        """
        with self._asked() as source:
            for silence in source.fetch_silences(comment):
                if silence.id is not None:
                    source.end_silence(silence.id)

    @contextmanager
    def _asked(self) -> Iterator[AlertSource]:
        """Give what is asked; after an error it is opened anew, a password may have been changed."""
        source = self._source or self._open()
        try:
            yield source
        except EscalatorError:
            self._source = None
            raise
        self._source = source
