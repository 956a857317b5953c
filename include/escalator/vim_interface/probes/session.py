"""The probes of one run in this process: what is to be probed goes in, gaps come out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.model.clock import utcnow
from escalator.model.interruption import Gap, ProbeMethod
from escalator.model.vnf_means import ProbeTarget
from escalator.vim_interface.probes.gaps import Span
from escalator.vim_interface.probes.loop_thread import PROBES, LoopThread
from escalator.vim_interface.probes.prober import Prober
from escalator.vim_interface.probes.rhythm import Rhythm, read_rhythm


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A service address that is to be probed.

    :ivar host: the node that is worked on; a second node of the group changes nothing.
    :ivar answered: the run knows that it answers.
    """

    host: str
    target: ProbeTarget
    answered: bool = False


class ProbeSession:
    """Probes the service addresses of one run; made and used in any thread, but one call at a time.

    :param clock: the time (aware) when the session begins; from then on a monotonic clock counts.
    """

    def __init__(
        self,
        *,
        cloud: str,
        campaign: str,
        run_id: str,
        rhythm: Rhythm | None = None,
        thread: LoopThread = PROBES,
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        self._cloud, self._campaign, self._run_id = cloud, campaign, run_id
        self._thread = thread
        self._clock = clock
        self._prober = Prober(rhythm or read_rhythm())
        self._watched: dict[ProbeTarget, Watched] = {}
        self._epoch: datetime = clock()
        self._task: asyncio.Task[None] | None = None
        thread.enter()
        try:
            thread.run(self._begin())
        except TimeoutError:
            thread.leave()
            raise

    def update(self, watched: Iterable[Watched]) -> tuple[Gap, ...]:
        """Say what is to be probed from now on, and return what was found since the last call.

        A gap that is still open comes as far as it is known, again and again, longer each time.
        """
        return self._thread.run(self._update({one.target: one for one in watched}))

    def close(self) -> tuple[Gap, ...]:
        """End all probes and return what they found last; the session is of no use any more."""
        try:
            gaps = self.update(())
            self._thread.run(self._end())
            return gaps
        finally:
            self._thread.leave()

    async def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._epoch = self._clock() - timedelta(seconds=loop.time())
        self._task = loop.create_task(self._prober.run())

    async def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _update(self, wanted: dict[ProbeTarget, Watched]) -> tuple[Gap, ...]:
        for target in self._watched.keys() - wanted.keys():
            self._prober.stop(target)
        found = self._prober.take()
        gaps = tuple(self._make_gap(self._watched[t], span) for t, spans in found.items() for span in spans)
        self._watched = {target: self._watched.get(target, one) for target, one in wanted.items()}
        for target, one in self._watched.items():
            self._prober.start(target, answered=one.answered)
        return gaps

    def _make_gap(self, watched: Watched, span: Span) -> Gap:
        target = watched.target
        return Gap(
            cloud=self._cloud,
            campaign=self._campaign,
            run_id=self._run_id,
            host=watched.host,
            group=target.group,
            address=name_address(target),
            method=target.method,
            started_at=self._epoch + timedelta(seconds=span.start),
            seconds=round(span.seconds, 6),
            cause=span.cause,
        )


def name_address(target: ProbeTarget) -> str:
    """Name what is probed, in one word."""
    match target.method:
        case ProbeMethod.ICMP:
            return target.address
        case ProbeMethod.TCP:
            address = f"[{target.address}]" if ":" in target.address else target.address
            return f"{address}:{target.port}"
        case ProbeMethod.HTTP:
            return target.url or target.address
