"""``escalator restore``: put a node back to its backup, through Airflow's REST API; asks twice."""

from __future__ import annotations

import argparse
import sys

from escalator.airflow_client.cli import BAD_INPUT, add_campaign_options
from escalator.airflow_client.cli import run as run_campaign
from escalator.model.procedure import RESTORE


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the verb ``restore`` to a command line."""
    parser = subparsers.add_parser("restore", help="put a node back to its backup, through Airflow")
    what = parser.add_argument_group("what to put back")
    what.add_argument(
        "--backup", metavar="ID", help="which one; none: the newest that an upgrade took of the node"
    )
    what.add_argument("--yes", action="store_true", help="what was changed since is lost: ask nobody")
    add_campaign_options(parser, what, everything="nothing: a restore is of one node")
    parser.set_defaults(run=run, procedure=RESTORE.name)
    return parser


def run(args: argparse.Namespace) -> int:
    """Ask twice, unless told not to; then start the run, and follow it when asked to.

    :return: 0 started (or, when followed, done), 1 failed, 2 bad input or not confirmed: nothing was started.
    """
    hosts = [host for item in args.hosts for host in item.split(",") if host]
    if len(hosts) != 1:
        print("escalator: a restore is of one node\n  -> name it with --hosts", file=sys.stderr)
        return BAD_INPUT
    if not (args.yes or args.dry_run or _confirm(hosts[0], args.backup)):
        print("escalator: not restored, nothing was started", file=sys.stderr)
        return BAD_INPUT
    args.yes = True
    return run_campaign(args)


def _confirm(host: str, backup: str | None) -> bool:
    """Ask twice whether what was changed since the backup may be lost; without a terminal nobody can say."""
    which = f"backup {backup}" if backup else "its newest backup"
    print(f"{host} is put back to {which}: configuration, units and versions that it got since are lost.")
    print("How old it is and what has changed since: run it with --dry-run, and see check_conditions.")
    try:
        if input("Put it back? Type yes: ").strip() != "yes":
            return False
        return input(f"Sure? Type the name of the node, {host}: ").strip() == host
    except EOFError:
        print("\nescalator: there is no terminal to ask at\n  -> give --yes", file=sys.stderr)
        return False
