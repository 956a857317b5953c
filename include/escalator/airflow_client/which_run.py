"""Which run of a campaign a verb is about: the one that is named, else the one that goes on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from escalator.airflow_client.cli import add_airflow_options, find_dag_id
from escalator.airflow_client.errors import NotInAirflowError
from escalator.model.errors import InvalidRequestError
from escalator.model.procedure import ROLLBACK, UPGRADE

if TYPE_CHECKING:
    from escalator.airflow_client.client import AirflowClient
    from escalator.airflow_client.records import DagRun


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which campaign is meant, and where Airflow is."""
    what = parser.add_argument_group("which campaign")
    what.add_argument("--cloud", help="name of the cloud in the inventory")
    what.add_argument("--domain", help="drain domain; may be left out when the cloud has one only")
    what.add_argument("--dag", help="id of the DAG, instead of cloud and domain, such as restore__…")
    what.add_argument(
        "--rollback", action="store_true", help="a run of rollback__… of that domain, not of its upgrade"
    )
    what.add_argument("--run-id", help="id of the run; none: the one that goes on")
    add_airflow_options(parser)


def find_run(client: AirflowClient, args: argparse.Namespace, *, ended: bool = False) -> DagRun:
    """Find the run that is meant.

    :param ended: without its id the newest will do, though it has ended.
    :raises InvalidRequestError: there is none, or several go on.
    """
    procedure = ROLLBACK.name if args.rollback else UPGRADE.name
    dag_id = args.dag or find_dag_id(client, procedure, cloud=args.cloud, domain=args.domain)
    try:
        if args.run_id:
            return client.get_run(dag_id, args.run_id)
        runs = client.list_runs(dag_id)
    except NotInAirflowError as error:
        remedy = "check --dag or --cloud and --domain, and --run-id"
        raise InvalidRequestError(f"Airflow has no such run: {error.detail}", remedy=remedy) from error
    going = [run for run in runs if not run.state.is_final]
    match going or (list(runs[:1]) if ended else []):
        case [only]:
            return only
        case [] if ended:
            raise InvalidRequestError(f"{dag_id} has no run yet", remedy="start one: escalator run")
        case []:
            raise InvalidRequestError(
                f"no run of {dag_id} goes on, and nothing can be ordered of one that has ended",
                remedy="escalator status shows how the last one ended",
            )
        case several:
            names = ", ".join(run.run_id for run in several)
            raise InvalidRequestError(
                f"{len(several)} runs of {dag_id} go on", remedy=f"name one of --run-id {names}"
            )
