"""The process that runs one Ansible command on the worker, and leaves no process and no file of it behind.

It is a program of its own: ``python -P keeper.py``. It reads one line of JSON (what to run), then a line for
every time that whoever started it says "go on". It writes a line of JSON for each event, and one at the end.

What it starts ends with it: when the limit is reached, when nobody said "go on" for too long, when the other
end of its input is gone, as it is when whoever started it was killed. Ansible's own workers and SSH leave the
process group and even the session; but all of them are descendants, and Linux gives those that lose their
parent to the keeper (``PR_SET_CHILD_SUBREAPER``): it ends them one and all. The folder with the inventory,
the key and the password of the vault goes then as well.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

FOLDER = "{folder}"
"""Stands in arguments, files and the environment for the folder of this run."""
PREFIX = "escalator-ansible-"
_MEMORY = Path("/dev/shm")  # noqa: S108  secrets stay in memory where they can
_LOCK = "lock"
_SUBREAPER = 36
_TOLD = {
    "playbook_on_play_start",
    "playbook_on_stats",
    "runner_item_on_failed",
    "runner_on_failed",
    "runner_on_ok",
    "runner_on_skipped",
    "runner_on_unreachable",
    "error",
    "verbose",
    "warning",
}
"""Events of the runner that anybody wants to hear of."""
_WORDS = ("msg", "message", "stderr", "reason", "module_stderr", "module_stdout")
"""What a failed task says for itself."""
_LAST_BYTES = 4000
_MOST_OF_AN_ITEM = 60
_UNHEARD_SECONDS = 15.0
"""How long the runner may take to see that its command was ended."""


class Keeper:
    """Keeps one run.

    :param request: ``argv``, ``env``, ``files``, ``cwd``, ``limit_seconds``, ``silence_seconds``.
    """

    def __init__(self, request: Mapping[str, Any], folder: Path) -> None:
        self._request = request
        self._folder = folder
        self._heard = time.monotonic()
        self._limit = self._heard + float(request["limit_seconds"])
        self._done = threading.Event()
        self.ended = ""

    def run(self) -> dict[str, Any]:
        """Run it to its end; returns what the last line says."""
        for name, text in self._request["files"].items():
            path = self._folder / name
            path.touch(mode=0o600)
            path.write_text(self._put(text), encoding="utf-8")
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()
        said = self._run()
        self._done.set()
        return said

    def _run(self) -> dict[str, Any]:
        import ansible_runner  # noqa: PLC0415  where it lacks, the caller has said so

        program, *arguments = (self._put(word) for word in self._request["argv"])
        runner = ansible_runner.interface.init_command_config(
            program,
            cmdline_args=arguments,
            private_data_dir=str(self._folder),
            host_cwd=self._request["cwd"],
            envvars={name: self._put(text) for name, text in self._request["env"].items()},
            event_handler=_tell,
            quiet=True,
            settings={"pexpect_timeout": 0.2},
        )
        runner.config.cwd = self._request["cwd"]
        runner.run()
        with runner.stdout as output:
            text = output.read()
        return {"code": runner.rc, "output": text[-_LAST_BYTES:]}

    def _put(self, text: str) -> str:
        return text.replace(FOLDER, str(self._folder))

    def _listen(self) -> None:
        """Hear "go on"; the end of the input is the end of whoever started this."""
        for _ in sys.stdin:
            self._heard = time.monotonic()
        self._end("nobody waits for it any more")

    def _watch(self) -> None:
        silence = float(self._request["silence_seconds"])
        while not self._done.wait(0.1):
            now = time.monotonic()
            if now > self._limit:
                self._end("limit")
            elif now > self._heard + silence:
                self._end("silence")

    def _end(self, why: str) -> None:
        """End the command and all that it started; the runner sees that, or this process ends without it."""
        if self._done.is_set() or self.ended:
            return
        self.ended = why
        until = time.monotonic() + _UNHEARD_SECONDS
        while time.monotonic() < until:
            end_descendants()
            if self._done.wait(0.1):
                return
        self.finish({"code": None, "output": ""})
        os._exit(1)

    def finish(self, said: Mapping[str, Any]) -> None:
        """End what is left, remove the folder, and say the last line."""
        end_descendants()
        shutil.rmtree(self._folder, ignore_errors=True)
        _say({"end": {**said, "ended": self.ended}})

    def end_by_signal(self, *_: object) -> None:
        """End the run as a signal wants it; the thread that runs it hears of the signal."""
        threading.Thread(target=self._end, args=("a signal",), daemon=True).start()


def end_descendants() -> None:
    """Kill every descendant of this process, until there is none; what has ended is buried by its parent."""
    while found := [pid for pid, state in _find_descendants() if state != "Z"]:
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def _find_descendants() -> list[tuple[int, str]]:
    parents: dict[int, tuple[int, str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            parents[int(stat.parent.name)] = (int(parent), state)
    family, grown = {os.getpid()}, True
    while grown:
        children = {pid for pid, (parent, _) in parents.items() if parent in family} - family
        family |= children
        grown = bool(children)
    return [(pid, parents[pid][1]) for pid in family if pid in parents and pid != os.getpid()]


def find_place() -> Path:
    """Return where runs have their folders: in memory where that is possible."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def make_folder(inside: Path) -> Path:
    """Make the folder of a run; those of keepers that were killed go."""
    for old in inside.glob(f"{PREFIX}*"):
        with suppress(OSError), (old / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=inside))
    fcntl.flock(os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
    return folder


def _tell(event: Mapping[str, Any]) -> bool:
    """Say what has happened; False: no file of it is kept."""
    if event.get("event") in _TOLD:
        _say({"event": _shorten(event)})
    return False


def _say(line: Mapping[str, Any]) -> None:
    with suppress(OSError):  # nobody listens: the end comes from _listen
        sys.stdout.write(json.dumps(line, default=str) + "\n")
        sys.stdout.flush()


def _shorten(event: Mapping[str, Any]) -> dict[str, Any]:
    data = event.get("event_data") or {}
    result = data.get("res") or {}
    said = {name: str(result[name])[-_LAST_BYTES:] for name in _WORDS if result.get(name)}
    return {
        "name": event.get("event"),
        "output": str(event.get("stdout") or "")[-_LAST_BYTES:],
        **{name: str(data.get(name) or "") for name in ("play", "task", "host")},
        "item": _name_item(result),
        "ignored": bool(data.get("ignore_errors")),
        "changed": result.get("changed") is True,
        "said": said,
        "processed": list(data.get("processed") or ()),
    }


def _name_item(result: Mapping[str, Any]) -> str:
    item = result.get("_ansible_item_label", result.get("item"))
    if isinstance(item, Mapping):
        item = item.get("key") or item.get("name") or item
    return "" if item is None else str(item)[:_MOST_OF_AN_ITEM]


def main() -> None:
    """Run what the first line of the input says."""
    os.umask(0o077)
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    request = json.loads(sys.stdin.readline())
    keeper = Keeper(request, make_folder(Path(request["place"])))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, keeper.end_by_signal)
    said: dict[str, Any] = {"code": None, "output": ""}
    try:
        said = keeper.run()
    except Exception as exc:  # noqa: BLE001  whatever it is, the other side has to hear of it
        said = {"code": None, "output": f"{type(exc).__name__}: {exc}"}
    keeper.finish(said)
    os._exit(0)  # a thread still reads the input, and Python would trip over that at its end


if __name__ == "__main__":
    main()
