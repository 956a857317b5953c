"""The guests of one hypervisor, kept on disk, and the log of what happens to them. Standard library only."""

import fcntl
import json
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One guest.

    :param name: the hypervisor's name of the guest (``instance-0000002a``).
    :param uuid: Nova's id of the server.
    :param state: power state, in Nova's numbers (1 running, 3 paused, 4 shut down, 7 suspended).
    """

    name: str
    uuid: str
    state: int


class GuestLike(Protocol):
    """Anything with the three attributes of a guest, such as Nova's own ``FakeInstance``."""

    @property
    def name(self) -> str:
        """Return the hypervisor's name of the guest."""

    @property
    def uuid(self) -> str:
        """Return Nova's id of the server."""

    @property
    def state(self) -> int:
        """Return the power state."""


class GuestBook(MutableMapping[str, Any]):
    """Guests by their id; the file is the truth, so they outlive the process that wrote it.

    :param folder: the hypervisor's folder; holds ``guests.json``.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "guests.json"

    def __getitem__(self, uuid: str) -> Guest:
        """Return a guest."""
        found = self._read()[uuid]
        return Guest(name=found["name"], uuid=found["uuid"], state=found["state"])

    def __setitem__(self, uuid: str, guest: GuestLike) -> None:
        """Write a guest down."""
        with self._changing() as guests:
            guests[uuid] = {"name": guest.name, "uuid": guest.uuid, "state": guest.state}

    def __delitem__(self, uuid: str) -> None:
        """Strike a guest out."""
        with self._changing() as guests:
            del guests[uuid]

    def __iter__(self) -> Iterator[str]:
        """Go through the ids."""
        return iter(self._read())

    def __len__(self) -> int:
        """Count the guests."""
        return len(self._read())

    def set_state(self, uuid: str, state: int) -> None:
        """Change the power state of a guest.

        :raises KeyError: when there is no such guest.
        """
        with self._changing() as guests:
            guests[uuid]["state"] = state

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            return dict(json.loads(self._file.read_text()))
        except FileNotFoundError:
            return {}

    @contextmanager
    def _changing(self) -> "Iterator[dict[str, dict[str, Any]]]":
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            guests = self._read()
            yield guests
            draft = self._file.with_suffix(".tmp")
            draft.write_text(json.dumps(guests, indent=1))
            draft.replace(self._file)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """One JSON line for everything that happens to a guest.

    :param folder: the hypervisor's folder; holds ``guest-events.jsonl``.
    :param host: the node that writes.
    """

    folder: Path
    host: str

    def write(self, event: str, *, guest: str, name: str, **more: str | float | None) -> None:
        """Append one event with the time in seconds since the epoch."""
        record = {"t": round(time.time(), 6), "host": self.host, "guest": guest, "name": name, "event": event}
        with (self.folder / "guest-events.jsonl").open("a") as log:
            log.write(json.dumps(record | more) + "\n")
