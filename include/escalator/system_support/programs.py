"""Programs of an operator's on the machine that runs the task: what they get of us, and their time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from escalator.model.errors import InvalidRequestError, TransientError

NOTHING: Mapping[str, str] = MappingProxyType({})
_MOST_CHARACTERS = 400
"""So much is kept of what a program says, from its end."""
_PASSED_ON = ("PATH", "LANG", "HOME")
"""What a program gets of our environment, which may hold secrets."""


class Ended(NamedTuple):
    """How a program ended, and the end of what it said."""

    code: int
    said: str


def run_program(
    argv: Sequence[str],
    timeout_seconds: float,
    *,
    given: Mapping[str, str] = NOTHING,
    named_in: str = "the VNF file",
) -> Ended:
    """Run a program without a shell; when its time is over, it and its children are killed.

    :param given: what its environment holds beside the little that it gets of ours.
    :param named_in: where an operator finds it, for messages.
    :raises InvalidRequestError: it cannot be started.
    :raises TransientError: its time is over.
    """
    ours = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**ours, **given},
                start_new_session=True,
            )
        except OSError as exc:
            raise InvalidRequestError(
                f"{argv[0]} cannot be started: {exc.strerror}",
                remedy=f"see {named_in}, and the file's rights",
            ) from exc
        try:
            code = process.wait(timeout_seconds)
        except subprocess.TimeoutExpired as exc:
            _kill(process)
            raise TransientError(
                f"{argv[0]} did not end within {timeout_seconds:g} s and was killed",
                remedy=f"see what it does, or give it more time in {named_in}",
            ) from exc
        except BaseException:
            _kill(process)
            raise
        end = output.seek(0, os.SEEK_END)
        output.seek(max(0, end - 4 * _MOST_CHARACTERS))
        return Ended(code, output.read().decode(errors="replace")[-_MOST_CHARACTERS:])


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
