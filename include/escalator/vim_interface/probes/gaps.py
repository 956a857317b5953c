"""Turn the answers of one probe into gaps. Pure: every time is an argument, in seconds of one clock.

A gap of the service runs from the last good answer to the next one. It is never shorter than the outage, and
at most two periods longer. Times in which the probe itself stood still are cut out and said as not measured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from escalator.model.interruption import NOT_MEASURED
from escalator.vim_interface.probes.rhythm import Rhythm

TIMEOUT = "time-out"
"""Cause of a gap in which nothing came back."""
_NO_ANSWER_YET = f"{NOT_MEASURED}: no answer yet"
_MOST_CAUSES = 3
_KEPT_SENDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A gap in the seconds of the probe's clock; its cause says when it is none of the service."""

    start: float
    end: float
    cause: str

    @property
    def seconds(self) -> float:
        """Return its length."""
        return self.end - self.start


@dataclass(slots=True, kw_only=True)
class GapFinder:
    """Finds the gaps of one address. What happened is told in the order in which it happened.

    :ivar began: when the probe began.
    :ivar answered: a good answer is known from before: a service that is away at the start is interrupted.
        Without one, the time up to the first good answer is not measured: the address may be wrong.
    """

    rhythm: Rhythm
    began: float
    answered: bool = False
    _last_good: float = field(init=False)
    _last_bad: float | None = field(init=False, default=None)
    _bads: list[tuple[float, str]] = field(init=False, default_factory=list)
    _stalls: list[tuple[float, float]] = field(init=False, default_factory=list)
    _sent: dict[int, float] = field(init=False, default_factory=dict)
    _found: deque[Span] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        """Begin at the begin."""
        self._last_good = self.began

    def note_sent(self, number: int, at: float) -> None:
        """Take note of a probe that is on its way."""
        self._sent[number] = at
        if len(self._sent) > _KEPT_SENDS:
            del self._sent[next(iter(self._sent))]

    def note_stall(self, start: float, end: float) -> None:
        """Take note that the probe itself stood still."""
        self._stalls.append((start, end))
        if self.answered and self._hides(start, end):
            self._found.append(Span(start=start, end=end, cause=NOT_MEASURED))

    def note_good(self, number: int, at: float) -> None:
        """Take note of a good answer, however late it is."""
        if self._sent.pop(number, None) is None:
            return  # answered before, or nobody knows any more when it was asked
        if self.answered:
            self._found.extend(self._cut(self._last_good, at))
        else:
            self._found.append(Span(start=self.began, end=at, cause=NOT_MEASURED))
            self.answered = True
        self._last_good, self._last_bad = at, None
        self._bads.clear()
        self._stalls.clear()

    def note_bad(self, number: int, at: float, cause: str) -> None:
        """Take note of a bad answer, or of none in time; a good one may still come after a time-out."""
        sent = self._sent.get(number) if cause == TIMEOUT else self._sent.pop(number, None)
        if sent is None or sent < self._last_good:
            return  # what was asked before the last good answer says nothing of the time after it
        self._bads.append((sent, cause))
        self._last_bad = at

    def take(self) -> tuple[Span, ...]:
        """Return what was found since the last call, and a gap that is still open as far as it is known."""
        found = (*self._found, *self._find_open())
        self._found.clear()
        return found

    def _find_open(self) -> Iterable[Span]:
        if self._last_bad is None:
            return ()
        if self.answered:
            return self._cut(self._last_good, self._last_bad)
        causes = _join_causes(cause for _, cause in self._bads)
        return (Span(start=self.began, end=self._last_bad, cause=f"{_NO_ANSWER_YET} ({causes})"),)

    def _cut(self, start: float, end: float) -> list[Span]:
        """Return what is a gap of the service between two times, without the times in which we stood still.

        A short time of standstill hides nothing: it stays part of a gap, but makes none.
        """
        pieces, begin = [], start
        for stall_start, stall_end in self._stalls:
            if self._hides(stall_start, stall_end):
                pieces.append((begin, stall_start))
                begin = max(begin, stall_end)
        pieces.append((begin, end))
        return [
            Span(start=first, end=last, cause=self._name_cause(first, last))
            for first, last in pieces
            if last - first - self._stood_still(first, last) > self.rhythm.gap_seconds
        ]

    def _hides(self, start: float, end: float) -> bool:
        return end - start > self.rhythm.gap_seconds

    def _stood_still(self, start: float, end: float) -> float:
        return sum(max(0.0, min(end, last) - max(start, first)) for first, last in self._stalls)

    def _name_cause(self, start: float, end: float) -> str:
        return _join_causes(cause for sent, cause in self._bads if start <= sent <= end)


def _join_causes(causes: Iterable[str]) -> str:
    """Name the different causes in their order; none is known yet as long as every answer may still come."""
    different: Sequence[str] = list(dict.fromkeys(causes))
    return ", ".join(different[:_MOST_CAUSES]) or TIMEOUT
