"""How many inotify objects this computer allows: the systemd of every machine takes some of root's.

With Linux's own 128 about a dozen machines come up; of the next ones systemd logs "Failed to create inotify
object: Too many open files" and starts nothing more.
"""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger("escalator.lab.machine.watches")
LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
ENOUGH = 1024
"""For the machines of ten labs."""


def ensure_enough_watches(limit: Path = LIMIT) -> None:
    """Raise the limit where it is lower, until this computer boots next; where that is refused, say so."""
    try:
        if int(limit.read_text()) < ENOUGH:
            limit.write_text(f"{ENOUGH}\n")
            log.info("%s is %d now", limit, ENOUGH)
    except (OSError, ValueError) as exc:
        log.warning("%s stays as it is, many machines at once may not come up: %s", limit, exc)
