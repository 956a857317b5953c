"""Symbolic links in the playbook folder: those that lead out of it are refused, before anything is run.

Who may write the folder decides what is run as root on every node. A link hands that right to whoever may
write where it leads; and the folder is no longer the same on all workers, which is what a campaign relies on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from escalator.model.errors import InvalidRequestError
from escalator.model.wording import name_some

_PASSED_OVER = {".git"}


def find_links_out(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give each link below a folder that leads out of it, and where it leads; the folder itself may be one.

    A link from one place in the folder to another one is its owner's way to arrange it. What cannot be read
    is passed over: Ansible cannot read it either.
    """
    home = folder.resolve()
    for place, folders, files in os.walk(home):
        folders[:] = sorted(name for name in folders if name not in _PASSED_OVER)
        for name in (*folders, *sorted(files)):
            path = Path(place, name)
            if path.is_symlink() and not (end := _follow(path)).is_relative_to(home):
                yield path, end


def refuse_links_out(folder: Path, worker: str) -> None:
    """Refuse a playbook folder of a worker with links that lead out of it.

    :raises InvalidRequestError: names them, and where they lead.
    """
    found = [f"{path} leads to {end}" for path, end in find_links_out(folder)]
    if found:
        raise InvalidRequestError(
            f"the worker {worker} has links that lead out of its playbook folder: {name_some(found)}",
            remedy="put the files there, in place of the links, on every worker; or let "
            "ESCALATOR_PLAYBOOK_DIR name a folder that has both",
        )


def _follow(link: Path) -> Path:
    """Return where a link leads; one in a circle leads nowhere, and counts as what it names first."""
    try:
        return link.resolve()
    except (OSError, RuntimeError):
        return link.parent / link.readlink()
