"""``escalator run``: start an upgrade through Airflow's REST API, and follow it."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from escalator.airflow_client.client import AirflowClient
from escalator.airflow_client.errors import NotInAirflowError, RunTimeoutError
from escalator.airflow_client.follow import choose_view, follow
from escalator.airflow_client.progress import list_of_campaign
from escalator.airflow_client.records import RunState
from escalator.airflow_client.run_end import describe_failures, find_report_of_run
from escalator.airflow_client.transport import Password
from escalator.documents.plain_file import read_file
from escalator.model.approval import Approval
from escalator.model.campaign import MODE_HELP, OnBlocked, OnInterruption, OnSlowMove, UpgradeMode
from escalator.model.errors import EscalatorError, InvalidRequestError, TransientError
from escalator.model.failed_nodes import OnFailedNode
from escalator.model.naming import make_dag_id
from escalator.model.procedure import RESTORE, ROLLBACK, UPGRADE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from escalator.airflow_client.records import DagRun

DONE, FAILED, BAD_INPUT = 0, 1, 2
URL_VARIABLE = "ESCALATOR_AIRFLOW_URL"
USER_VARIABLE = "ESCALATOR_AIRFLOW_USER"
PASSWORD_VARIABLE = "ESCALATOR_AIRFLOW_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_FILE_VARIABLE = "ESCALATOR_AIRFLOW_PASSWORD_FILE"  # noqa: S105 - the name of a variable


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the verb ``run`` to a command line."""
    parser = subparsers.add_parser("run", help="upgrade the nodes of a drain domain through Airflow")
    what = parser.add_argument_group("what to upgrade")
    what.add_argument("--bundle", required=True, help="the version files to bring")
    what.add_argument(
        "--on-failed-node",
        choices=tuple(map(str, OnFailedNode)),
        help="a node that fails stays out of service (quarantine), is taken back at the end of the campaign "
        "(rollback-node), or all nodes that the campaign changed are (rollback-campaign); as the bundle says",
    )
    add_campaign_options(parser, what, everything="all of the domain")
    what.add_argument(
        "--ask-before-one-way",
        action="store_true",
        help="wait for a person before the first node that cannot go back",
    )
    parser.set_defaults(run=run, procedure=UPGRADE.name)
    return parser


def add_campaign_options(
    parser: argparse.ArgumentParser, what: argparse._ArgumentGroup, *, everything: str
) -> None:
    """Add the options that every campaign has: where it goes, how it goes about it, where Airflow is.

    :param everything: which nodes it is for when none is named.
    """
    what.add_argument("--cloud", help="name of the cloud in the inventory")
    what.add_argument("--domain", help="drain domain; may be left out when the cloud has one only")
    what.add_argument("--dag", help="id of the DAG, instead of cloud and domain")
    what.add_argument(
        "--hosts",
        action="append",
        default=[],
        metavar="HOST[,HOST]",
        help=f"nodes; none means {everything}",
    )
    _add_limits(what)
    parser.add_argument("--run-id", help="id of the run; made by Airflow when left out")
    parser.add_argument("--follow", action="store_true", help="show every step until the run has ended")
    add_airflow_options(parser)


def _add_limits(how: argparse._ArgumentGroup) -> None:
    """Declare how a campaign goes about its nodes: its parameters but bundle and hosts."""
    how.add_argument("--max-parallel", type=int, default=1, metavar="K", help="nodes out of service at once")
    how.add_argument(
        "--max-failed-nodes",
        type=_failures,
        default=0,
        metavar="N|P%",
        help="how many nodes may fail before it stops: a number, or a share such as 10%% (0)",
    )
    how.add_argument(
        "--mode", choices=tuple(map(str, UpgradeMode)), default=UpgradeMode.SMOOTH.value, help=MODE_HELP
    )
    how.add_argument(
        "--spill", type=_share, default=1.0, metavar="SHARE", help="servers that may move twice, 0 to 1 (1)"
    )
    how.add_argument(
        "--on-blocked",
        choices=tuple(map(str, OnBlocked)),
        default=OnBlocked.REFUSE.value,
        help="a node that something blocks: skip leaves it out, refuse (the default) starts nothing",
    )
    how.add_argument(
        "--on-interruption",
        choices=tuple(map(str, OnInterruption)),
        default=OnInterruption.REPORT.value,
        help="a service that was interrupted for too long: stop admissions, or report (the default)",
    )
    how.add_argument(
        "--leave-standbys",
        dest="move_standbys",
        action="store_false",
        help="let standbys take over where they are: none moves to an upgraded node before",
    )
    how.add_argument(
        "--approval",
        choices=tuple(map(str, Approval)),
        default=Approval.NONE.value,
        help="wait for a person after the first node that was given back (canary), or after each",
    )
    how.add_argument(
        "--allow-downgrade", action="store_true", help="the bundle may bring an older version than there is"
    )
    how.add_argument("--dry-run", action="store_true", help="decide everything, write nothing")
    _add_time_limits(how)


def _add_time_limits(how: argparse._ArgumentGroup) -> None:
    how.add_argument(
        "--on-slow-move",
        choices=tuple(map(str, OnSlowMove)),
        default=OnSlowMove.ABORT.value,
        help="a live move that takes too long: abort (the default), or force_complete: its guest pauses",
    )
    how.add_argument(
        "--migration-timeout-seconds",
        type=int,
        default=900,
        metavar="SECONDS",
        help="a migration that takes longer is aborted and tried elsewhere (900)",
    )
    how.add_argument(
        "--migration-timeout-seconds-per-gib",
        type=_finite,
        default=0.0,
        metavar="SECONDS",
        help="so long for each GiB of the server's memory, where that is more (0: all the same)",
    )
    how.add_argument(
        "--soak-seconds",
        type=int,
        default=0,
        metavar="SECONDS",
        help="so long no other node goes out after one was given back (0)",
    )
    how.add_argument(
        "--canary-move-seconds",
        type=int,
        default=0,
        metavar="SECONDS",
        help="a canary is moved into each upgraded node and out again within that time (0: none is)",
    )
    how.add_argument(
        "--window-end",
        metavar="TIME",
        help="no node goes out after it, such as 2026-11-22T08:00:00Z; those in flight finish",
    )


def add_airflow_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where Airflow is and how to log in."""
    where = parser.add_argument_group("where Airflow is")
    where.add_argument("--airflow-url", help=f"address of the API server ({URL_VARIABLE})")
    where.add_argument("--airflow-user", help=f"user ({USER_VARIABLE}; admin)")
    where.add_argument(
        "--airflow-password-file",
        type=Path,
        help=f"file with the password ({PASSWORD_FILE_VARIABLE}; the password itself: {PASSWORD_VARIABLE})",
    )


def _failures(text: str) -> int | str:
    """Read a number of nodes, or a share of them; how many there may be is Airflow's to judge."""
    number = text.removesuffix("%")
    if not (number.isascii() and number.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is no number of nodes, and no share such as 10%")
    return text if text.endswith("%") else int(number)


def _finite(text: str) -> float:
    """Read a number; NaN and infinity are no JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return number


def _share(text: str) -> float:
    """Read a share; NaN and infinity are no JSON."""
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return share


def open_client(args: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> AirflowClient:
    """Make a client from options, else from the environment.

    :raises InvalidRequestError: the address or the password is missing or cannot be read.
    """
    url = args.airflow_url or environment.get(URL_VARIABLE)
    if not url:
        raise InvalidRequestError(
            "no address of Airflow is known", remedy=f"set {URL_VARIABLE} or --airflow-url"
        )
    return AirflowClient(
        url,
        login=Password(
            user=args.airflow_user or environment.get(USER_VARIABLE) or "admin",
            password=_read_password(args.airflow_password_file, environment),
        ),
    )


def run(args: argparse.Namespace) -> int:
    """Start the run; follow it when asked to.

    :return: 0 started (or, when followed, done), 1 failed, 2 bad input: nothing was started.
    """
    try:
        with open_client(args) as client:
            started = start(client, args)
            print(f"run {started.run_id} of {started.dag_id} is {started.state}", flush=True)
            return _follow(client, started) if args.follow else DONE
    except RunTimeoutError as error:
        complain(error)
        return FAILED
    except (InvalidRequestError, TransientError) as error:
        complain(error)
        return BAD_INPUT


def start(client: AirflowClient, args: argparse.Namespace) -> DagRun:
    """Find the DAG and trigger it.

    :raises InvalidRequestError: there is no such DAG, it is paused, or Airflow refuses the parameters.
    """
    dag_id = args.dag or find_dag_id(client, args.procedure, cloud=args.cloud, domain=args.domain)
    try:
        dag = client.get_dag(dag_id)
    except NotInAirflowError as error:
        raise InvalidRequestError(
            f"Airflow has no DAG {dag_id}: {error.detail}",
            remedy="check --cloud and --domain; a new inventory takes some seconds to be read",
        ) from error
    if dag.is_paused:
        raise InvalidRequestError(
            f"the DAG {dag_id} is paused: its runs would wait for ever",
            remedy=f"unpause it: airflow dags unpause {dag_id}",
        )
    return client.trigger(dag_id, read_conf(args), run_id=args.run_id)


def read_conf(args: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of the run as the DAG's form names them."""
    return {
        **_read_what(args),
        "hosts": [host for item in args.hosts for host in item.split(",") if host],
        "max_parallel": args.max_parallel,
        "max_failed_nodes": args.max_failed_nodes,
        "soak_seconds": args.soak_seconds,
        "approval": args.approval,
        "canary_move_seconds": args.canary_move_seconds,
        "allow_downgrade": args.allow_downgrade,
        "dry_run": args.dry_run,
        "mode": args.mode,
        "spill": args.spill,
        "on_blocked": args.on_blocked,
        "on_interruption": args.on_interruption,
        "move_standbys": args.move_standbys,
        "on_slow_move": args.on_slow_move,
        "migration_timeout_seconds": args.migration_timeout_seconds,
        "migration_timeout_seconds_per_gib": args.migration_timeout_seconds_per_gib,
        "window_end": args.window_end,
    }


def _read_what(args: argparse.Namespace) -> dict[str, Any]:
    """Return what the run brings: a bundle, what there was before a run, or what a backup has."""
    match args.procedure:
        case ROLLBACK.name:
            return {"run_id": args.of}
        case RESTORE.name:
            return {"backup": args.backup, "approved": args.yes}
        case _:
            return {
                "bundle": args.bundle,
                "on_failed_node": args.on_failed_node,
                "ask_before_one_way": args.ask_before_one_way,
            }


def complain(error: EscalatorError) -> None:
    """Say an error on stderr: one line what, one line what to do."""
    print(error.said, file=sys.stderr)


def _follow(client: AirflowClient, started: DagRun) -> int:
    with choose_view(Console()) as view:
        ended = follow(client, started, view)
    instances = list_of_campaign(ended, client.task_instances(ended.dag_id, ended.run_id))
    for failure in describe_failures(client, ended, instances):
        print(f"escalator: {failure}", file=sys.stderr)
    if report := find_report_of_run(client, ended, instances):
        print(f"report: {report}", flush=True)
    print(f"run {ended.run_id} of {ended.dag_id}: {ended.state}", flush=True)
    return DONE if ended.state is RunState.SUCCESS else FAILED


def find_dag_id(client: AirflowClient, procedure: str, *, cloud: str | None, domain: str | None) -> str:
    """Return the id of the DAG of a drain domain.

    :raises InvalidRequestError: no cloud is named, or it has no such DAG, or several.
    """
    if not cloud:
        raise InvalidRequestError("no cloud is named", remedy="give --cloud, or --dag")
    if domain:
        return make_dag_id(procedure, cloud, domain)
    found = [dag.dag_id for dag in client.list_dags(prefix=make_dag_id(procedure, cloud, ""))]
    match found:
        case [only]:
            return only
        case []:
            raise InvalidRequestError(
                f"Airflow has no {procedure} DAG of a cloud {cloud}",
                remedy="write its inventory: escalator inventory",
            )
        case _:
            raise InvalidRequestError(
                f"the cloud {cloud} has {len(found)} drain domains",
                remedy=f"name one of --dag {', '.join(found)}",
            )


def _read_password(path: Path | None, environment: Mapping[str, str]) -> str:
    if path is None and (password := environment.get(PASSWORD_VARIABLE)):
        return password
    chosen = path or environment.get(PASSWORD_FILE_VARIABLE)
    if not chosen:
        raise InvalidRequestError(
            "no password for Airflow is known",
            remedy=f"set {PASSWORD_FILE_VARIABLE} or {PASSWORD_VARIABLE}, or give --airflow-password-file",
        )
    try:
        return read_file(Path(chosen)).strip()
    except OSError as error:
        raise InvalidRequestError(f"the password file {chosen} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidRequestError(
            f"the password file {chosen} is no text in UTF-8",
            remedy="put the password alone into it",
        ) from error
