"""Say what the lab is doing: one plain line a step, with the seconds since the start."""

import sys
import time
from collections.abc import Callable


class Progress:
    """Print lines with the elapsed time.

    :param write: receives each line; standard error when it is left out.
    :param clock: returns seconds; only differences count.
    """

    def __init__(
        self, write: Callable[[str], None] | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write or _to_stderr
        self._clock = clock
        self._start = clock()

    def say(self, text: str) -> None:
        """Print one line."""
        self._write(f"[{self.elapsed_seconds():6.1f} s] {text}")

    def elapsed_seconds(self) -> float:
        """Return the seconds since this progress began."""
        return self._clock() - self._start


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def silent() -> Progress:
    """Return a progress that prints nothing."""
    return Progress(lambda line: None)  # noqa: ARG005
