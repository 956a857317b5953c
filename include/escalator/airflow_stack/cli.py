"""``escalator airflow up | down | status``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from escalator.airflow_stack.settings import StackSettings
from escalator.airflow_stack.stack import AirflowStack
from escalator.model.errors import EscalatorError, InvalidRequestError

if TYPE_CHECKING:
    import argparse

    from escalator.airflow_stack.stack import StackStatus

DONE, NOT_RUNNING, BAD_INPUT = 0, 1, 2
INSTANCE_VARIABLE = "ESCALATOR_STACK_INSTANCE"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the group ``airflow`` to a command line."""
    parser = subparsers.add_parser(
        "airflow", help="a real Airflow on this machine, for demonstrations and tests"
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start it and wait until it is healthy")
    up.add_argument("--parallelism", type=int, default=8, metavar="N", help="tasks that run at once")
    up.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="variable for every component"
    )
    down = verbs.add_parser("down", help="end it, and nothing else")
    down.add_argument("--wipe", action="store_true", help="remove its database, runs and logs too")
    status = verbs.add_parser("status", help="which of its processes run, and how they are")
    for verb in (up, down, status):
        verb.add_argument(
            "--instance", type=int, metavar="0-9", help=f"which stack of this machine ({INSTANCE_VARIABLE})"
        )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Do what the verb says.

    :return: 0 done, 1 not (healthily) running, 2 it could not be done.
    """
    try:
        stack = AirflowStack(read_settings(args))
        match args.verb:
            case "up":
                stack.up()
                print("\n".join(make_client_variables(stack.settings)))
            case "down":
                stack.down(wipe=args.wipe)
            case _:
                return _show(stack.status())
    except EscalatorError as error:
        print(error.said, file=sys.stderr)
        return BAD_INPUT
    return DONE


def read_settings(args: argparse.Namespace) -> StackSettings:
    """Return the settings that options and environment choose.

    :raises InvalidRequestError: a value cannot be used.
    """
    return StackSettings(
        instance=_instance(args.instance),
        parallelism=getattr(args, "parallelism", 8),
        extra_env=dict(_assignment(text) for text in getattr(args, "env", ())),
    )


def make_client_variables(settings: StackSettings) -> tuple[str, ...]:
    """Return shell lines that let ``escalator run`` find this stack."""
    return (
        f"export ESCALATOR_AIRFLOW_URL={settings.url}",
        f"export ESCALATOR_AIRFLOW_PASSWORD_FILE={settings.password_file}",
    )


def _instance(chosen: int | None) -> int:
    if chosen is not None:
        return chosen
    text = os.environ.get(INSTANCE_VARIABLE) or "0"
    if not text.isdecimal():
        raise InvalidRequestError(f"{INSTANCE_VARIABLE}={text!r} is not a number", remedy="choose 0 to 9")
    return int(text)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidRequestError(f"--env {text!r} is not NAME=VALUE")
    return name, value


def _show(status: StackStatus) -> int:
    for component in status.components:
        print(f"{component.name:<14} {component.pid or '-'}")
    print(f"{'address':<14} {status.url}")
    print(f"{'folder':<14} {status.folder}")
    match status.unhealthy:
        case None:
            print(f"{'health':<14} no answer")
        case ():
            print(f"{'health':<14} healthy")
        case parts:
            print(f"{'health':<14} not healthy: {', '.join(parts)}")
    return DONE if status.is_healthy else NOT_RUNNING
