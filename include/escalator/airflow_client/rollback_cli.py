"""``escalator rollback``: take back what a run of an upgrade changed, through Airflow's REST API."""

from __future__ import annotations

import argparse

from escalator.airflow_client.cli import add_campaign_options, run
from escalator.model.procedure import ROLLBACK


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the verb ``rollback`` to a command line."""
    parser = subparsers.add_parser("rollback", help="take back what an upgrade changed, through Airflow")
    what = parser.add_argument_group("what to take back")
    what.add_argument("--of", metavar="RUN_ID", help="run of the upgrade; none: the last that changed a node")
    add_campaign_options(parser, what, everything="all that the run changed")
    parser.set_defaults(run=run, procedure=ROLLBACK.name)
    return parser
