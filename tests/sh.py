"""The sh of this machine, asked about scripts for nodes and about functions of theirs."""

from __future__ import annotations

import subprocess

WHOLE = (0, "")
"""How :func:`parse` ends for a script that sh can read: nothing is said."""


def parse(script: str) -> tuple[int, str]:
    """Let sh read a script and run nothing of it; return its exit code, and what it says."""
    done = subprocess.run(["sh", "-n"], input=script.encode(), capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def call(functions: str, line: str, given: str) -> list[str]:
    """Call a function of a script with an input, and return the lines that it prints."""
    done = subprocess.run(
        ["sh", "-euc", f"{functions}\n{line}"], input=given, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()
