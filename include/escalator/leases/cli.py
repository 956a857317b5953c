"""``escalator leases``: whose nodes are out; give one back or mark it when nobody else will."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from escalator.airflow_client.cli import URL_VARIABLE, add_airflow_options, open_client
from escalator.airflow_client.client import AirflowClient
from escalator.airflow_client.errors import NotInAirflowError
from escalator.airflow_client.records import DagRun
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.cloud_options import add_cloud_options, name_cloud_of
from escalator.cloud_manager.connection import connect
from escalator.leases.actions import mark_lease_failed, release_lease
from escalator.leases.advice import Action, refuse_action
from escalator.leases.known import find_known_leases
from escalator.leases.render import leases_to_document, list_lease_lines
from escalator.leases.settle import settle_runs
from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.cloud import ComputeService
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.known_lease import KnownLease
from escalator.model.run_life import FindLife, RunLife

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

DONE, NOT_DONE = 0, 1
SETTLE = "settle"
DAG_OF_EVERY_AIRFLOW = "inventory"
"""A DAG that every Airflow with Escalator has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Where:
    """The cloud, the ledger, and the Airflow that says which runs live."""

    cloud: Cloud
    ledger: Ledger
    find_life: FindLife

    def find_leases(self, services: tuple[ComputeService, ...]) -> tuple[KnownLease, ...]:
        return find_known_leases(services, self.ledger, self.find_life)


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``leases``."""
    parser = subparsers.add_parser("leases", help="whose nodes are out, and what to do about each")
    _add_common(parser)
    parser.add_argument("--json", action="store_true", help="print escalator.leases/1 and nothing else")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    for action, words in (
        (Action.RELEASE, "give a node back whose lease nobody ends"),
        (Action.MARK_FAILED, "leave it out, marked FAILED: it counts against max_parallel no more"),
    ):
        one = _add_action(actions, str(action), words)
        one.add_argument("host", metavar="HOST", help="nova-compute service host")
        one.add_argument("--yes", action="store_true", default=False, help="do not ask")
        one.add_argument(
            "--foreign",
            metavar="ID",
            default=None,
            help="id of the installation that took the lease, when it is not known here whether it lives",
        )
        one.add_argument(
            "--unverified",
            action="store_true",
            default=False,
            help="give back a node whose software may be another and was never verified",
        )
    _add_action(actions, SETTLE, "write into the ledger that runs which are over have ended")


def _add_action(actions: Subparsers, name: str, words: str) -> argparse.ArgumentParser:
    """Add an action; options of the verb may stand before it or behind it."""
    parser = actions.add_parser(name, help=words, argument_default=argparse.SUPPRESS)
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_cloud_options(parser)
    add_airflow_options(parser)


def run(args: argparse.Namespace) -> int:
    """List the leases, or do what was asked for.

    :return: 0 done, 1 a person said no.
    :raises EscalatorError: the cloud or the ledger cannot be read, or what was asked for must not be done.
    """
    counter, credentials = CallCounter(), name_cloud_of(args)
    args.cloud = credentials.label
    cloud, ledger = Cloud(connect(credentials, counter), counter), Ledger()
    with _open_airflow(args) as find_life:
        where = _Where(cloud=cloud, ledger=ledger, find_life=find_life)
        if args.action == SETTLE:
            return _settle(where, args.cloud)
        if args.action is not None:
            return _act(where, args)
        return _list(where, args)


@contextmanager
def _open_airflow(args: argparse.Namespace) -> Iterator[FindLife]:
    """Give what asks Airflow whether a run lives; nobody is asked when no address is known."""
    if not (args.airflow_url or os.environ.get(URL_VARIABLE)):
        yield lambda _dag_id, _run_id: RunLife.NOT_ASKED
        return
    with open_client(args) as client:
        yield partial(find_run_life, client)


def find_run_life(client: AirflowClient, dag_id: str, run_id: str) -> RunLife:
    """Ask Airflow over REST how a run stands; a run that it does not say anything about may live.

    What knows no run at all may be no Airflow, or another one: only where Escalator's DAGs are is it deleted.
    """
    try:
        run = _find_run(client, dag_id, run_id)
        if run is None:
            client.get_dag(DAG_OF_EVERY_AIRFLOW)
            return RunLife.DELETED
    except EscalatorError as exc:
        print(f"warning: Airflow does not say whether run {run_id} of {dag_id} lives: {exc}", file=sys.stderr)
        return RunLife.NOT_ASKED
    return RunLife.FINISHED if run.state.is_final else RunLife.RUNNING


def _find_run(client: AirflowClient, dag_id: str, run_id: str) -> DagRun | None:
    try:
        return client.get_run(dag_id, run_id)
    except NotInAirflowError:
        return None


def _list(where: _Where, args: argparse.Namespace) -> int:
    leases, now = where.find_leases(where.cloud.fetch_services()), utcnow()
    if args.json:
        document = leases_to_document(args.cloud, where.ledger.installation(), leases, now)
        print(json.dumps(document, indent=1))
        return DONE
    print(f"cloud {args.cloud}, seen by installation {where.ledger.installation()}")
    for line in list_lease_lines(leases, now):
        print(line)
    return DONE


def _act(where: _Where, args: argparse.Namespace) -> int:
    """Show one lease, ask, and end it."""
    action = Action(args.action)
    service = where.cloud.fetch_service(args.host)
    leases = where.find_leases((service,))
    if not leases:
        found = (
            f"its reason is {service.disabled_reason!r}" if service.disabled_reason else "it has no reason"
        )
        raise InvalidRequestError(
            f"{args.host} is {service.status} and has no lease of Escalator's: {found}",
            remedy="nothing was written; a node that a person disabled is that person's to enable",
        )
    (known,) = leases
    refuse_action(action, known, foreign=args.foreign, unverified=args.unverified)
    for line in list_lease_lines(leases, utcnow()):
        print(line)
    if not args.yes and not _is_agreed(action, known):
        print("nothing was written")
        return NOT_DONE
    act = release_lease if action is Action.RELEASE else mark_lease_failed
    print(act(where.cloud, where.ledger, known, who=_name_person(), now=utcnow()))
    return DONE


def _is_agreed(action: Action, known: KnownLease) -> bool:
    """Ask a person at the terminal."""
    would = f"enable {known.host}" if action is Action.RELEASE else f"leave {known.host} out, marked FAILED"
    try:
        return input(f"{would}? Type yes: ").strip() == "yes"
    except EOFError as exc:
        raise InvalidRequestError("nobody is there to be asked", remedy="add --yes") from exc


def _name_person() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container whose user has no name
        user = f"uid-{os.getuid()}"
    return f"{user}@{platform.node()}"


def _settle(where: _Where, cloud: str) -> int:
    services = where.cloud.fetch_services()
    runs = [(run, where.find_life(run.dag_id, run.run_id)) for run in where.ledger.unsettled_runs(cloud)]
    unknown = sorted({run.run_id for run, life in runs if life is RunLife.NOT_ASKED})
    lines = list(settle_runs(where.ledger, runs, services, who=_name_person(), now=utcnow()))
    for line in lines or ["nothing is to be settled"]:
        print(line)
    for run_id in unknown:
        print(
            f"warning: run {run_id} is left as it is: Airflow was not asked whether it lives", file=sys.stderr
        )
    return DONE
