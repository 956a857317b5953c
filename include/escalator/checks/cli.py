"""The verbs ``escalator check`` and ``escalator compat``: they judge, and write nothing."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from escalator.checks.render import show
from escalator.checks.sources import add_source_arguments, read_source
from escalator.model.campaign import OnBlocked, UpgradeMode
from escalator.model.check_report import check_to_document
from escalator.upgrade_manager.conditions.leaving_out import leave_blocked_out
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.versions.compatibility import judge_step
from escalator.upgrade_manager.versions.release_version import Scheme
from escalator.vim_interface.registry import load_vnfms

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

MET, NOT_MET = 0, 1


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verbs ``check`` and ``compat``."""
    check = subparsers.add_parser("check", help="may the nodes be upgraded smoothly? Writes nothing")
    add_source_arguments(check)
    check.add_argument("--rollback", action="store_true", help="check the way back instead")
    check.add_argument("--json", action="store_true", help="print escalator.check/1 and nothing else")
    compat = subparsers.add_parser("compat", help="what does a step between two versions mean?")
    compat.add_argument("before", metavar="FROM", help="version now")
    compat.add_argument("after", metavar="TO", help="version wanted")
    compat.add_argument("--scheme", choices=tuple(map(str, Scheme)), default=Scheme.PBR.value)
    compat.add_argument("--json", action="store_true", help="print one document and nothing else")


def run(args: argparse.Namespace) -> int:
    """Run the verb that was asked for.

    :return: 0 met or allowed, 1 not.
    :raises EscalatorError: bad input, or the cloud cannot be read.
    """
    return _compat(args) if args.verb == "compat" else _check(args)


def _check(args: argparse.Namespace) -> int:
    snapshot, bundle, hosts = read_source(args, may_lack=True)
    if args.rollback and not args.hosts:
        hosts = tuple(node.host for node in snapshot.nodes if node.upgraded or node.target)
    plan = plan_of_check(
        snapshot, hosts, bundle=bundle, max_parallel=args.max_parallel, mode=UpgradeMode(args.mode)
    )
    scalable = load_vnfms().list_scalable(snapshot, hosts)
    question = ask(plan, snapshot, bundle=bundle, scalable=scalable)
    look = check_rollback if args.rollback else check_upgrade
    skip = OnBlocked(args.on_blocked) is OnBlocked.SKIP
    report = leave_blocked_out(question, look).report if skip else look(question)
    if args.json:
        print(json.dumps(check_to_document(report), indent=1))
    else:
        show(report, sys.stdout)
    return MET if report.met else NOT_MET


def _compat(args: argparse.Namespace) -> int:
    judgement = judge_step(args.before, args.after, args.scheme)
    if args.json:
        words = {"from": args.before, "to": args.after, "scheme": args.scheme, "step": judgement.step.value}
        verdict = {"allowed": judgement.allowed, "message": judgement.message, "remedy": judgement.remedy}
        print(json.dumps(words | verdict, indent=1))
    else:
        print(f"{judgement.step}: {'allowed' if judgement.allowed else 'not allowed'}: {judgement.message}")
        if judgement.remedy:
            print(f"-> {judgement.remedy}")
    return MET if judgement.allowed else NOT_MET
