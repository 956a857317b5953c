"""``escalator rollforward``: bring again what a run had brought, by the ledger and through Airflow."""

from __future__ import annotations

import argparse
import json

from escalator.airflow_client.cli import BAD_INPUT, add_campaign_options, complain
from escalator.airflow_client.cli import run as run_campaign
from escalator.documents.bundle_file import find_bundle_dir, read_bundle_document
from escalator.ledger.ledger import Ledger
from escalator.ledger.records import Document
from escalator.model.campaign import NodeState
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.model.naming import make_dag_id
from escalator.model.procedure import UPGRADE
from escalator.model.wording import name_some


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the verb ``rollforward`` to a command line."""
    parser = subparsers.add_parser("rollforward", help="bring again what a run had brought, after a restore")
    what = parser.add_argument_group("what to bring again")
    what.add_argument(
        "--run",
        dest="again",
        required=True,
        metavar="RUN_ID",
        help="run of the upgrade, as the ledger has it",
    )
    add_campaign_options(parser, what, everything="all that the run upgraded and gave back")
    defaults = {"on_failed_node": None, "ask_before_one_way": False}
    parser.set_defaults(run=run, procedure=UPGRADE.name, **defaults)
    return parser


def run(args: argparse.Namespace) -> int:
    """Find in the ledger what the run brought, and to which nodes; then start that upgrade, and follow it.

    :return: 0 started (or, when followed, done), 1 failed, 2 bad input: nothing was started.
    """
    try:
        args.dag = args.dag or _name_dag(args)
        args.bundle, hosts = find_applied(Ledger(), args.dag, args.again, list_hosts(args))
    except EscalatorError as error:
        complain(error)
        return BAD_INPUT
    args.hosts = list(hosts)
    print(f"bundle {args.bundle} is brought again to {', '.join(hosts)}, as by run {args.again}", flush=True)
    return run_campaign(args)


def list_hosts(args: argparse.Namespace) -> tuple[str, ...]:
    """Return the nodes that are named; none: all."""
    return tuple(host for item in args.hosts for host in item.split(",") if host)


def find_applied(
    ledger: Ledger, campaign: str, run_id: str, hosts: tuple[str, ...] = ()
) -> tuple[str, tuple[str, ...]]:
    """Find what a run brought: its bundle, and the nodes that it upgraded, verified and gave back, in order.

    :param hosts: those that are meant; empty: all of them.
    :raises InvalidRequestError: nothing can be brought again: why, and what to do.
    """
    run = ledger.run(campaign, run_id)
    plan = run.plan()
    if plan is None or plan.request.dry_run:
        said = "was a dry run" if plan is not None else "is in no ledger"
        raise InvalidRequestError(
            f"run {run_id} of {campaign} {said}", remedy="name a run that upgraded nodes, by --run and --dag"
        )
    applied = tuple(node.host for node in run.nodes() if node.state is NodeState.RELEASED)
    lacking = sorted(set(hosts) - set(applied))
    if lacking or not applied:
        which = name_some(lacking) if lacking else "any node"
        raise InvalidRequestError(
            f"run {run_id} of {campaign} did not upgrade {which}",
            remedy=f"leave them out; it upgraded {name_some(applied) or 'none'}",
        )
    bundle = plan.request.bundle
    now = json.loads(json.dumps(read_bundle_document(find_bundle_dir(), bundle)))
    if now != run.document(Document.BUNDLE):
        raise InvalidRequestError(
            f"bundle {bundle} is not what run {run_id} brought: its file was changed since",
            remedy="put back the file as it was, or upgrade the nodes with escalator run",
        )
    return bundle, hosts or applied


def _name_dag(args: argparse.Namespace) -> str:
    if not (args.cloud and args.domain):
        raise InvalidRequestError(
            "the run's DAG is not known", remedy="give --cloud and --domain, or --dag upgrade__…"
        )
    return make_dag_id(UPGRADE.name, args.cloud, args.domain)
