"""Probes many addresses in one event loop, and keeps an eye on the loop's own clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from escalator.model.errors import EscalatorError
from escalator.model.interruption import NOT_MEASURED, ProbeMethod
from escalator.model.vnf_means import ProbeTarget
from escalator.vim_interface.probes.connection import ConnectionAsker, HttpAttempt, connect_once
from escalator.vim_interface.probes.echo import EchoAsker
from escalator.vim_interface.probes.gaps import GapFinder, Span
from escalator.vim_interface.probes.rhythm import Rhythm
from escalator.vim_interface.probes.telling import Asker, Tell

log = logging.getLogger("escalator.vim_interface.probes")

MakeAsker = Callable[[ProbeTarget, Tell, float], Asker]


@dataclass(slots=True, kw_only=True)
class _Watch:
    """One address that is probed."""

    finder: GapFinder
    asker: Asker
    due: float
    number: int = 0


@dataclass(slots=True)
class Prober:
    """Probes addresses, each in its own rhythm; everything here happens in one event loop.

    An address that cannot be probed is one of which nothing is measured.
    """

    rhythm: Rhythm = field(default_factory=Rhythm)
    make_asker: MakeAsker = field(default_factory=lambda: make_asker)
    _mute: dict[ProbeTarget, tuple[float, str]] = field(default_factory=dict)
    _watches: dict[ProbeTarget, _Watch] = field(default_factory=dict)
    _left: dict[ProbeTarget, tuple[Span, ...]] = field(default_factory=dict)
    _last_look: float = 0.0

    async def run(self) -> None:
        """Probe until the task is cancelled."""
        self._last_look = asyncio.get_running_loop().time()
        try:
            while True:
                now = self._look_at_clock()
                for watch in tuple(self._watches.values()):
                    if now >= watch.due:
                        self._ask(watch, now)
                await asyncio.sleep(self.rhythm.beat_seconds)
        finally:
            for target in tuple(self._watches):
                self.stop(target)

    def start(self, target: ProbeTarget, *, answered: bool) -> None:
        """Begin to probe an address; one that is probed already stays as it is.

        :param answered: it is known from before that the address answers.
        """
        if target in self._watches or target in self._mute:
            return
        now = self._look_at_clock()
        finder = GapFinder(rhythm=self.rhythm, began=now, answered=answered)

        def tell(number: int, cause: str | None) -> None:
            at = self._look_at_clock()
            if cause is None:
                finder.note_good(number, at)
            else:
                finder.note_bad(number, at, cause)

        try:
            asker = self.make_asker(target, tell, self.rhythm.timeout_seconds)
        except (EscalatorError, OSError, ValueError) as exc:
            log.warning("%s %s cannot be probed: %s", target.method, target.address, exc)
            self._mute[target] = (now, f"{NOT_MEASURED}: it cannot be probed: {exc}")
            return
        self._watches[target] = _Watch(finder=finder, asker=asker, due=now)

    def stop(self, target: ProbeTarget) -> None:
        """End the probing of an address; what it found stays to be taken once."""
        found = self._take_one(target)
        if found:
            self._left[target] = (*self._left.get(target, ()), *found)
        self._mute.pop(target, None)
        watch = self._watches.pop(target, None)
        if watch is not None:
            watch.asker.close()

    def take(self) -> dict[ProbeTarget, tuple[Span, ...]]:
        """Return what was found since the last call, and the gaps that are still open."""
        found, self._left = self._left, {}
        for target in (*self._watches, *self._mute):
            found[target] = (*found.get(target, ()), *self._take_one(target))
        return {target: spans for target, spans in found.items() if spans}

    def _take_one(self, target: ProbeTarget) -> tuple[Span, ...]:
        if target in self._watches:
            return self._watches[target].finder.take()
        if target in self._mute:
            began, cause = self._mute[target]
            return (Span(start=began, end=self._look_at_clock(), cause=cause),)
        return ()

    def _ask(self, watch: _Watch, now: float) -> None:
        """Send the next probe; those that we missed because we stood still are not made up for."""
        period = self.rhythm.period_seconds
        watch.due = max(watch.due + period, now + period / 2)
        watch.number += 1
        watch.finder.note_sent(watch.number, now)
        watch.asker.ask(watch.number)

    def _look_at_clock(self) -> float:
        """Return the time; before anything else is noted, every watch hears that we stood still until now."""
        now = asyncio.get_running_loop().time()
        if now - self._last_look > 2 * self.rhythm.beat_seconds:
            for watch in self._watches.values():
                watch.finder.note_stall(self._last_look, now)
        self._last_look = now
        return now


def make_asker(target: ProbeTarget, tell: Tell, timeout_seconds: float) -> Asker:
    """Make what asks a target.

    :raises InvalidRequestError: the kernel does not let it.
    :raises ValueError: the target lacks something.
    """
    match target.method:
        case ProbeMethod.ICMP:
            return EchoAsker(target.address, tell, timeout_seconds=timeout_seconds)
        case ProbeMethod.TCP:
            if target.port is None:
                raise ValueError("tcp needs a port")
            address, port = target.address, target.port
            return ConnectionAsker(lambda: connect_once(address, port), tell, timeout_seconds=timeout_seconds)
        case ProbeMethod.HTTP:
            if target.url is None:
                raise ValueError("http needs a URL")
            return ConnectionAsker(HttpAttempt(target.url), tell, timeout_seconds=timeout_seconds)
