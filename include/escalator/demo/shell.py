"""What a person's shell needs for a demonstration that was left running."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.airflow_stack.cli import INSTANCE_VARIABLE as STACK_VARIABLE
from escalator.airflow_stack.cli import make_client_variables
from escalator.demo.demo_world import CLOUD
from escalator.lab.settings import INSTANCE_VARIABLE as LAB_VARIABLE
from escalator.settings.sharing import LEDGER_VARIABLE

if TYPE_CHECKING:
    from escalator.airflow_stack.stack import AirflowStack
    from escalator.demo.demo_world import DemoWorld

SHELL_FILE = "environment"


def write_shell(world: DemoWorld, stack: AirflowStack) -> Path:
    """Write a file, for its owner alone, that a shell reads: every verb then means this demonstration.

    :return: where it is.
    """
    path = world.folder / SHELL_FILE
    text = "\n".join(make_shell_lines(world, stack)) + "\n"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - the mode is set before the first byte is written
        file.write(text)
    return path


def make_shell_lines(world: DemoWorld, stack: AirflowStack) -> list[str]:
    """Return the lines: where Airflow, the ledger, the cloud and the folders are, and the command itself."""
    variables = {
        **world.variables,
        LEDGER_VARIABLE: stack.database_url("escalator"),
        LAB_VARIABLE: str(world.instance),
        STACK_VARIABLE: str(world.instance),
        "OS_CLIENT_CONFIG_FILE": str(world.clouds_yaml),
        "OS_CLOUD": CLOUD,
    }
    return [
        *make_client_variables(stack.settings),
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"',
    ]


def list_ways_in(world: DemoWorld, stack: AirflowStack) -> list[str]:
    """Return what a person may do with a demonstration that was left running, a line each."""
    url, shell = stack.settings.url, world.folder / SHELL_FILE
    return [
        f"Airflow: {url}  user admin, password in {stack.settings.password_file}",
        f"the board: {url}/escalator/board, or Escalator in the navigation there",
        f"for a shell: . {shlex.quote(str(shell))}   then: escalator status --cloud {CLOUD}",
        "to end both, there: escalator demo --down",
    ]
