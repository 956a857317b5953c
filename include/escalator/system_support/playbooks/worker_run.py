"""Running one Ansible command on the worker, under a keeper that ends all of it when this process ends."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from escalator.system_support.playbooks import keeper
from escalator.system_support.playbooks.node_lock import RENEW_SECONDS, SILENCE_SECONDS
from escalator.system_support.playbooks.outcome import Outcome

_NOT_FOR_PLAYBOOKS = ("AIRFLOW", "_AIRFLOW", "ESCALATOR_", "OS_", "ANSIBLE_HOST_KEY_CHECKING")
"""Beginnings of variables that a playbook is not given: they lead to secrets, or away from host keys."""
_LONGEST_LINE = 1 << 22
_AFTER_SECONDS = 30.0
"""How long a keeper may take to end after its run."""
HIDDEN = "***"

GoOn = Callable[[], bool]
"""Asked every now and then whether the run may go on: False: not known now; it raises what ends the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsibleRun:
    """What is run. ``{folder}`` stands for the folder of the run, in all texts.

    :ivar argv: program and arguments; no secret may stand in them.
    :ivar files: names and texts of files in the folder; never in a repr.
    :ivar env: variables beside those of this process; :ivar cwd: where it runs.
    :ivar limit_seconds: after so long it is ended.
    :ivar secrets: texts that no log may have.
    :ivar place: where the folder of the run is made; a short path, as sockets lie in it.
    """

    argv: tuple[str, ...]
    cwd: Path
    limit_seconds: float
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    place: Path = field(default_factory=keeper.find_place)
    silence_seconds: float = SILENCE_SECONDS
    renew_seconds: float = RENEW_SECONDS


def run_ansible(run: AnsibleRun, *, go_on: GoOn, say: Callable[[str], None]) -> Outcome:
    """Run it to its end; when this raises, or this process is killed, no process of it is left here.

    :param say: is given a line for each result of a task.
    :raises Exception: what ``go_on`` raises.
    """
    outcome = Outcome()
    with tempfile.TemporaryFile() as trouble, _start(run, trouble) as process:
        try:
            for line in _listen(run, process, go_on):
                _take(line, outcome, lambda text: say(hide(text, run.secrets)))
        finally:
            with suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]  # it was asked for
            with suppress(subprocess.TimeoutExpired):
                process.wait(_AFTER_SECONDS)
        if not outcome.output and outcome.code is None:
            trouble.seek(0)
            outcome.output = trouble.read().decode(errors="replace")[-4000:]
    return _without(outcome, run.secrets)


def hide(text: str, secrets: tuple[str, ...]) -> str:
    """Return a text without the secrets."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _start(run: AnsibleRun, trouble: IO[bytes]) -> subprocess.Popen[bytes]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_FOR_PLAYBOOKS)}
    process = subprocess.Popen(
        [sys.executable, "-P", str(Path(keeper.__file__).resolve())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=trouble,
        env=kept,
        start_new_session=True,
    )
    request = {
        "argv": run.argv,
        "env": dict(run.env),
        "files": dict(run.files),
        "cwd": str(run.cwd),
        "place": str(run.place),
        "limit_seconds": run.limit_seconds,
        "silence_seconds": run.silence_seconds,
    }
    with suppress(OSError):  # it has ended: its last words say why
        process.stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    return process


def _listen(run: AnsibleRun, process: subprocess.Popen[bytes], go_on: GoOn) -> Iterator[bytes]:
    """Yield the keeper's lines until it ends; let it go on every now and then."""
    output = process.stdout
    kept = b""
    asked = time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)  # type: ignore[arg-type]
        while True:
            if selector.select(max(0.0, asked + run.renew_seconds - time.monotonic())):
                chunk = os.read(output.fileno(), 1 << 16)  # type: ignore[union-attr]
                if not chunk:
                    return
                *lines, kept = (kept + chunk)[-_LONGEST_LINE:].split(b"\n")
                yield from lines
            if time.monotonic() >= asked + run.renew_seconds:
                asked = time.monotonic()
                if go_on():
                    with suppress(OSError):
                        process.stdin.write(b"\n")  # type: ignore[union-attr]
                        process.stdin.flush()  # type: ignore[union-attr]


def _take(line: bytes, outcome: Outcome, say: Callable[[str], None]) -> None:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return
    if "end" in found:
        outcome.code = found["end"]["code"]
        outcome.output = str(found["end"]["output"])
        outcome.ended = str(found["end"]["ended"])
    elif text := outcome.take(found.get("event") or {}):
        say(text)


def _without(outcome: Outcome, secrets: tuple[str, ...]) -> Outcome:
    outcome.output = hide(outcome.output, secrets)
    outcome.troubles = [hide(text, secrets) for text in outcome.troubles]
    outcome.errors = [hide(text, secrets) for text in outcome.errors]
    return outcome
