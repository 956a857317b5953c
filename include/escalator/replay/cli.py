"""The verb ``escalator replay``: judges a trace against the snapshot that it began from."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.cloud_manager.snapshots import compute_snapshot_digest, read_snapshot
from escalator.documents.plain_file import read_file
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError
from escalator.replay.judge import check_trace
from escalator.replay.report import ReplayOptions, ReplayReport

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

SCHEMA = "escalator.replay/1"
_MOST_DIGITS = 18
_SHOWN = 50
"""Violations that are printed one by one."""


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``replay``."""
    parser = subparsers.add_parser("replay", help="judge a trace against the snapshot it began from")
    parser.add_argument("--snapshot", required=True, type=Path, metavar="FILE", help="escalator.snapshot/1")
    parser.add_argument(
        "--trace", required=True, type=Path, metavar="FILE", help="escalator.trace/1, or the report with one"
    )
    parser.add_argument(
        "--impact",
        choices=("control", "data", "reboot"),
        default="data",
        help="of the bundle; control: guests that stay are not touched (default: data)",
    )
    parser.add_argument(
        "--members-stay", choices=("yes", "no"), help="HA members; default: as the trace does"
    )
    parser.add_argument("--concurrent-migrations", type=int, metavar="N", help="moves from one node at once")
    parser.add_argument("--upgrade-seconds", type=float, metavar="S", help="default: as measured")
    parser.add_argument("--migration-fixed-seconds", type=float, metavar="S", help="default: as measured")
    parser.add_argument("--migration-seconds-per-gib", type=float, default=0.0, metavar="S")
    parser.add_argument("--json", action="store_true", help="print one document and nothing else")


def run(args: argparse.Namespace) -> int:
    """Judge the trace and say what was found.

    :return: 0 clean, 1 a rule was broken.
    :raises InvalidRequestError: a file cannot be read, or is not of its schema.
    """
    snapshot, trace = read_snapshot(args.snapshot), _load(args.trace)
    trace = trace.get("trace", trace)
    if not isinstance(trace, dict):
        raise InvalidRequestError(
            f"{args.trace}: its key trace is no mapping", remedy="see escalator.trace/1"
        )
    report = check_trace(snapshot, trace, _options(args, snapshot))
    if args.json:
        print(json.dumps(report_to_document(report), indent=1))
    else:
        _say(report)
    return 0 if report.clean else 1


def report_to_document(report: ReplayReport) -> dict[str, Any]:
    """Write a report as plain JSON data."""
    return {
        "schema": SCHEMA,
        "clean": report.clean,
        "counts": report.counts(),
        "violations": [asdict(v) | {"code": str(v.code)} for v in report.violations],
        "facts": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(report.facts).items()},
    }


def _options(args: argparse.Namespace, snapshot: CloudSnapshot) -> ReplayOptions:
    return ReplayOptions(
        members_stay=None if args.members_stay is None else args.members_stay == "yes",
        guests_untouched=args.impact == "control",
        concurrent_migrations=args.concurrent_migrations,
        upgrade_seconds=args.upgrade_seconds,
        migration_fixed_seconds=args.migration_fixed_seconds,
        migration_seconds_per_gib=args.migration_seconds_per_gib,
        snapshot_sha256=compute_snapshot_digest(snapshot),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_file(path), parse_int=_read_whole)
    except OSError as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc.strerror}", remedy="see its name") from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(f"{path} is no JSON: {exc}", remedy="see its content") from exc
    if not isinstance(document, dict):
        raise InvalidRequestError(f"{path} holds no JSON object", remedy="see its content")
    return document


def _read_whole(digits: str) -> int:
    """Read a whole number that can be reckoned with."""
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _say(report: ReplayReport) -> None:
    for violation in report.violations[:_SHOWN]:
        print(violation)
    if len(report.violations) > _SHOWN:
        print(f"... and {len(report.violations) - _SHOWN} more", file=sys.stderr)
    facts = report.facts
    print(
        f"{len(facts.upgraded)} upgraded, {len(facts.held)} held; moves {facts.moves} of at least "
        f"{facts.moves_lower_bound}, {facts.standby_moves} of standbys; switchovers {facts.switchovers} of "
        f"{facts.groups} groups; {facts.makespan_seconds:.0f} s of at least "
        f"{facts.makespan_lower_bound_seconds:.0f} s; {facts.most_out} out at once"
    )
    print("clean" if report.clean else f"{len(report.violations)} violations: {report.counts()}")
