"""The verbs ``escalator check``, ``compat`` and ``bundle``: they judge, and write nothing."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from escalator.backups.address import find_store_url
from escalator.backups.condition import warn_of_none
from escalator.checks.bundle_faults import find_faults
from escalator.checks.projects import describe_projects, write_projects
from escalator.checks.render import show
from escalator.checks.sources import add_source_arguments, read_source
from escalator.documents.bundle_file import read_bundle_file
from escalator.documents.bundle_list import describe_bundle
from escalator.documents.bundles import parse_bundle
from escalator.model.bundle import Bundle
from escalator.model.campaign import OnBlocked, UpgradeMode
from escalator.model.check_report import CheckReport, check_to_document
from escalator.model.errors import InvalidRequestError
from escalator.settings.places import find_own_schema_dir
from escalator.simulator.options import make_options
from escalator.system_support.backup.contents import needs_backup
from escalator.upgrade_manager.conditions.leaving_out import leave_blocked_out
from escalator.upgrade_manager.conditions.question import Question, ask
from escalator.upgrade_manager.conditions.rollback import check_rollback
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.versions.compatibility import judge_step
from escalator.upgrade_manager.versions.release_version import Scheme
from escalator.vim_interface.registry import load_vnfms

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

MET, NOT_MET, NOT_JUDGED = 0, 1, 2


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verbs ``check``, ``compat`` and ``bundle``."""
    check = subparsers.add_parser("check", help="may the nodes be upgraded smoothly? Writes nothing")
    add_source_arguments(check)
    check.add_argument("--rollback", action="store_true", help="check the way back instead")
    check.add_argument(
        "--per-project",
        type=Path,
        metavar="DIR",
        help="write what happens to the servers of each project there, for its owner",
    )
    check.add_argument("--json", action="store_true", help="print escalator.check/1 and nothing else")
    compat = subparsers.add_parser("compat", help="what does a step between two versions mean?")
    compat.add_argument("before", metavar="FROM", help="version now")
    compat.add_argument("after", metavar="TO", help="version wanted")
    compat.add_argument("--scheme", choices=tuple(map(str, Scheme)), default=Scheme.PBR.value)
    compat.add_argument("--json", action="store_true", help="print one document and nothing else")
    actions = subparsers.add_parser("bundle", help="look at the file of a bundle").add_subparsers(
        dest="action", required=True
    )
    lint = actions.add_parser("lint", help="name every fault of the file, with its line")
    lint.add_argument("files", nargs="+", metavar="FILE", type=Path)
    actions.add_parser("schema", help="say where the JSON schema for editors is")


def run(args: argparse.Namespace) -> int:
    """Run the verb that was asked for.

    :return: 0 met, allowed or without fault; 1 not; 2 a bundle's file cannot be read.
    :raises EscalatorError: bad input, or the cloud cannot be read.
    """
    match args.verb:
        case "bundle":
            return _bundle(args)
        case "compat":
            return _compat(args)
        case _:
            return _check(args)


def _check(args: argparse.Namespace) -> int:
    if args.rollback and args.per_project is not None:
        raise InvalidRequestError(
            "--per-project tells of an upgrade, not of its way back", remedy="leave out --rollback"
        )
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
    if skip:
        rest = leave_blocked_out(question, look)
        question, report = rest.question, rest.report
    else:
        report = look(question)
    if bundle is not None and needs_backup(bundle) and find_store_url() is None:
        report = replace(report, conditions=(*report.conditions, warn_of_none(snapshot.cloud)))
    if args.per_project is not None:
        _write_projects(args, question, report, bundle)
    if args.json:
        print(json.dumps(check_to_document(report), indent=1))
    else:
        show(report, sys.stdout)
    return MET if report.met else NOT_MET


def _write_projects(
    args: argparse.Namespace, question: Question, report: CheckReport, bundle: Bundle | None
) -> None:
    options = make_options(
        question.plan.expected,
        max_parallel=args.max_parallel,
        members_stay=question.plan.members_stay,
        mode=UpgradeMode(args.mode),
    )
    name = bundle.name if bundle is not None else None
    projects = describe_projects(question, report, options, bundle=name)
    write_projects(args.per_project, projects)
    print(f"{args.per_project}: a page and a document of {len(projects)} project(s)", file=sys.stderr)


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


def _bundle(args: argparse.Namespace) -> int:
    if args.action == "schema":
        print(find_own_schema_dir() / "bundle.schema.json")
        return MET
    return max([_lint(path) for path in args.files])


def _lint(path: Path) -> int:
    """Print the faults of one file in the form that editors and CI know; an unreadable one hides no other."""
    try:
        document = read_bundle_file(path)
    except InvalidRequestError as exc:
        print(exc.said, file=sys.stderr)
        return NOT_JUDGED
    faults = find_faults(document)
    for fault in faults:
        print(f"{path}:{fault.line or 1}: {fault._replace(line=None)}")
    if faults:
        return NOT_MET
    print(f"{path}: good: {describe_bundle(parse_bundle(document))}")
    return MET
