"""Looks at campaigns that several readers share for a moment: each of their pages asks every two seconds.

What is shared is what the ledger has. Whether a reader may see it is asked for each of them, before.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from escalator.board.board import Board
from escalator.board.build import build_board
from escalator.board.record import BoardReader

SHARED_FOR = timedelta(seconds=1)
"""How old a look may be that a poll is answered with: half the time between two polls of a page."""
KEPT = 32
"""Runs whose last look is kept."""


@dataclass(slots=True)
class _Look:
    """The last look at a run; ``read_at`` by the clock of the process, in seconds."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    board: Board | None = None
    read_at: float = 0.0


class SharedLooks:
    """The last look at each run, of one process. Threads may share it.

    :param reader: reads what boards are made from.
    :param shared_for: how old a look may be that is shared.
    :param clock: seconds that only go forward.
    """

    def __init__(
        self,
        reader: BoardReader,
        *,
        shared_for: timedelta = SHARED_FOR,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._shared_for = shared_for.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: OrderedDict[tuple[str, str], _Look] = OrderedDict()

    def look(self, dag_id: str, run_id: str, now: datetime) -> Board:
        """Return how a run stands, or stood a second ago at most; who comes meanwhile waits for the reading.

        :raises EscalatorError: as reading does; nothing of that is kept.
        """
        look = self._find(dag_id, run_id)
        with look.lock:
            if look.board is None or self._clock() - look.read_at >= self._shared_for:
                look.read_at = self._clock()
                look.board = self._read(dag_id, run_id, now)
            return look.board

    def look_anew(self, dag_id: str, run_id: str, now: datetime) -> Board:
        """Return how a run stands now: for who has just ordered something of it."""
        return self._read(dag_id, run_id, now)

    def _read(self, dag_id: str, run_id: str, now: datetime) -> Board:
        return build_board(self._reader.read(dag_id, run_id, now), now)

    def _find(self, dag_id: str, run_id: str) -> _Look:
        with self._lock:
            found = self._looks.setdefault((dag_id, run_id), _Look())
            self._looks.move_to_end((dag_id, run_id))
            while len(self._looks) > KEPT:
                self._looks.popitem(last=False)
            return found
