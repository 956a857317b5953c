"""Events as JSON lines: in a file, and in the log of whatever runs, for any log backend of Airflow's."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from escalator.events.event import Event, write_line
from escalator.events.teller import Hear, warn_once

FILE_VARIABLE = "ESCALATOR_EVENTS_FILE"
LOGGER = "escalator.events"
_MODE = 0o640

log = logging.getLogger(LOGGER)


class EventFile:
    """Appends events to a file, opened for each, so that it may be rotated away at any time.

    Each line goes out in one write: those of several processes on one machine do not mix.

    :param path: made when it is not there; its folder has to be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, event: Event) -> None:
        """Append one line. A full disk or a missing right is warned of once: the event is lost."""
        line = write_line(event).encode("ascii") + b"\n"
        try:
            # never waits: of a pipe that nobody reads it is an error
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, _MODE)
            try:
                written = os.write(file, line)
            finally:
                os.close(file)
        except OSError as exc:
            warn_once(f"{FILE_VARIABLE}: events are not written to {self._path}: {exc.strerror or exc}")
            return
        if written < len(line):
            warn_once(f"{FILE_VARIABLE}: events are cut in {self._path}: the disk is full")


def log_event(event: Event) -> None:
    """Say an event in the log of whatever runs, as the line that a file would have."""
    log.info("%s", write_line(event))


def list_line_hearers(environment: Mapping[str, str] = os.environ) -> tuple[Hear, ...]:
    """Return what writes lines: the log, and the file of ``ESCALATOR_EVENTS_FILE`` where it is set."""
    path = environment.get(FILE_VARIABLE)
    return (log_event, EventFile(Path(path))) if path else (log_event,)
