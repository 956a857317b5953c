"""The command line ``escalator``: one verb a package that has one."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from escalator.documents.wording import did_you_mean
from escalator.model.errors import EscalatorError, InvalidRequestError

LONGEST_MESSAGE = 500
BAD_INPUT, OWN_FAULT, INTERRUPTED = 2, 3, 130
ORDERS = "escalator.airflow_client.orders_cli"
PROBES = "escalator.vim_interface.probes.cli"
GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "before a campaign",
        (
            ("doctor", "escalator.doctor.cli", "what this process would use, and whether it can"),
            ("bundle", "escalator.checks.cli", "what is wrong with a bundle's file, line by line"),
            (
                "compat",
                "escalator.checks.cli",
                "what a step between two versions means, and whether it is allowed",
            ),
            ("snapshot", "escalator.inventory.cli", "read a cloud into a file"),
            ("check", "escalator.checks.cli", "may the nodes be upgraded smoothly, and if not, why"),
            ("plan", "escalator.plans.cli", "in which order, where every server goes, how long, and why"),
            ("simulate", "escalator.plans.cli", "play a campaign on a snapshot"),
            ("replay", "escalator.replay.cli", "judge a trace against the snapshot it began from"),
            ("inventory", "escalator.inventory.cli", "write the inventory that the DAGs are made from"),
        ),
    ),
    (
        "begin a run",
        (
            ("run", "escalator.airflow_client.cli", "start a campaign through Airflow and follow it"),
            (
                "rollback",
                "escalator.airflow_client.rollback_cli",
                "take back what a run of a campaign changed",
            ),
            ("restore", "escalator.airflow_client.restore_cli", "put a node back to its backup"),
            ("rollforward", "escalator.airflow_client.rollforward_cli", "bring again what a run had brought"),
        ),
    ),
    (
        "look at one",
        (
            (
                "status",
                "escalator.airflow_client.status_cli",
                "how a campaign stands, and why its nodes wait",
            ),
            ("report", "escalator.board.report_cli", "the report of a run that has ended"),
            ("leases", "escalator.leases.cli", "whose nodes are out, and what to do about each"),
        ),
    ),
    (
        "order something of one that goes on",
        (
            ("pause", ORDERS, "let no node of a campaign go out until resume"),
            ("resume", ORDERS, "let nodes of a campaign go out again"),
            ("stop", ORDERS, "let no node of a run go out any more"),
            ("skip", ORDERS, "leave a node that waits out of a run"),
            ("hold", ORDERS, "hold a node, in flight at its next safe point"),
            ("approve", ORDERS, "say that a campaign goes on, after a node or all"),
            ("abort-moves", ORDERS, "abort the moves off a node, and hold it"),
        ),
    ),
    (
        "VNFs",
        (
            ("vnfms", "escalator.vim_interface.cli", "the managers of VNFs, and whether they are well"),
            ("interruptions", PROBES, "how long services of VNFs were interrupted, by HA group and year"),
            (
                "vim",
                "escalator.vim_interface.register",
                "put the VIM interface's API into a cloud's catalogue",
            ),
        ),
    ),
    (
        "what is kept",
        (
            ("backups", "escalator.backups.cli", "what was saved of nodes before they were changed"),
            ("ledger", "escalator.ledger.cli", "the ledger: its schema, and what it forgets"),
        ),
    ),
    (
        "on this machine",
        (
            ("demo", "escalator.demo.cli", "the lab, Airflow, and one campaign from start to end"),
            ("lab", "escalator.lab.cli", "an embedded OpenStack of real services"),
            ("airflow", "escalator.airflow_stack.cli", "Airflow as processes beside the lab"),
        ),
    ),
)
"""What verbs are for -> these verbs, in the order in which they are met."""
VERBS: tuple[tuple[str, str, str], ...] = tuple(verb for _, verbs in GROUPS for verb in verbs)
"""Verb, module with ``add_parser(subparsers)`` and ``run(args) -> int``, one line of help."""


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong and in one what to do."""

    def error(self, message: str) -> NoReturn:
        """End with exit code 2."""
        said = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}..."
        self.exit(2, f"escalator: {said}\n  -> see {self.prog} --help\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; only its own module is loaded.

    :return: 0 done, 1 not met or failed, 2 bad input, 3 a fault of Escalator's own.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        print(f"escalator {find_release() or 'of a checkout'}")
        return 0
    chosen = next((verb for verb in VERBS if words and words[0] == verb[0]), None)
    if chosen is None:
        return _usage(words)
    verb, name, what = chosen
    try:
        _refuse_lost_folder()
        module = importlib.import_module(name)
        return int(module.run(make_parser(verb, module, what).parse_args(words)))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as exc:  # noqa: BLE001 - a traceback alone says nothing to who reads it
        return _complain(exc)


def make_parser(verb: str, module: ModuleType, what: str) -> Parser:
    """Return the parser of one verb, whose help says what the verb is for."""
    parser = Parser(prog="escalator")
    verbs = parser.add_subparsers(dest="verb", required=True)
    module.add_parser(verbs)
    own = verbs.choices[verb]
    own.description = own.description or what
    return parser


def find_release() -> str | None:
    """Return the version of the installed package; None where it is found on PYTHONPATH alone."""
    try:
        return version("escalator")
    except PackageNotFoundError:
        return None


def _refuse_lost_folder() -> None:
    """Refuse to begin where there is no folder any more: openstacksdk looks there when it is loaded.

    :raises InvalidRequestError: the working directory is gone.
    """
    try:
        Path.cwd()
    except OSError as exc:
        raise InvalidRequestError(
            "the working directory is not there any more", remedy="change to another one"
        ) from exc


def _complain(exc: Exception) -> int:
    """Say what went wrong, and what to do; return the exit code."""
    match exc:
        case EscalatorError():
            error, code = exc, BAD_INPUT
        case OSError(filename=str(name), strerror=str(reason)):
            error, code = EscalatorError(f"{name}: {reason}"), BAD_INPUT
        case _:
            traceback.print_exception(exc)
            words = f"a fault of its own: {type(exc).__name__}: {exc}"
            error, code = EscalatorError(words, remedy="report it with what stands above"), OWN_FAULT
    print(error.said, file=sys.stderr)
    return code


def _usage(words: list[str]) -> int:
    asked = bool(words) and words[0] in {"-h", "--help", "help"}
    if words and not asked:
        near = did_you_mean(words[0], (verb for verb, _, _ in VERBS))
        print(f"escalator: there is no verb {words[0]!r}{near}\n  -> see escalator --help", file=sys.stderr)
        return BAD_INPUT
    stream = sys.stdout if asked else sys.stderr
    print("usage: escalator VERB ...  (escalator VERB --help; escalator --version)", file=stream)
    for purpose, verbs in GROUPS:
        print(f"\n{purpose}:", file=stream)
        for verb, _, what in verbs:
            print(f"  {verb:<13} {what}", file=stream)
    return 0 if asked else BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
