"""The verbs ``escalator plan`` and ``escalator simulate``: they read, play, and write nothing to a cloud."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.checks.sources import add_source_arguments, read_source
from escalator.cloud_manager.snapshots import compute_snapshot_digest, read_snapshot
from escalator.model.campaign import MODE_HELP, LeftOut, OnBlocked, UpgradeMode
from escalator.model.durations import DEFAULT_DURATIONS, History
from escalator.model.errors import InvalidRequestError
from escalator.plans.plan import SKIPPED, make_plan
from escalator.plans.render import list_plan_lines, list_trace_lines
from escalator.simulator.engine import simulate
from escalator.simulator.options import SimulationOptions, make_options
from escalator.upgrade_manager.conditions.leaving_out import leave_blocked_out, leave_nodes_out
from escalator.upgrade_manager.conditions.question import ask
from escalator.upgrade_manager.conditions.upgrade import check_upgrade, plan_of_check
from escalator.upgrade_manager.drain.durations import learn

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

DONE, INFEASIBLE = 0, 1
_MOST = 1e9


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verbs ``plan`` and ``simulate``."""
    plan = subparsers.add_parser("plan", help="in which order, where to, how long, and why")
    add_source_arguments(plan)
    plan.add_argument("--json", action="store_true", help="print escalator.plan/1 and nothing else")
    _add_output(plan, "the plan, as JSON")
    _add_simulate(subparsers)


def run(args: argparse.Namespace) -> int:
    """Run the verb that was asked for.

    :return: 0 done, 1 not feasible: some node would be held.
    :raises EscalatorError: bad input, or the cloud cannot be read.
    """
    return _plan(args) if args.verb == "plan" else _simulate(args)


def _add_simulate(subparsers: Subparsers) -> None:
    verb = subparsers.add_parser("simulate", help="play a campaign on a snapshot")
    verb.add_argument("--snapshot", type=Path, required=True, metavar="FILE", help="escalator.snapshot/1")
    whole, share, seconds = _number(int, 1), _number(float, 0, 1), _number(float, 0)
    defaults = SimulationOptions()
    for name, kind, words in (
        ("max_parallel", whole, "nodes out at once"),
        (
            "spill",
            share,
            "share of the servers that may move twice to keep K nodes out; of a campaign it is 1",
        ),
        ("concurrent_migrations", whole, "moves at once from one node"),
        ("upgrade_seconds", seconds, "time of one node's upgrade, without its moves (s)"),
        ("migration_fixed_seconds", seconds, "time of every move (s)"),
        ("migration_seconds_per_gib", seconds, "further time for each GiB of memory (s)"),
        ("seed", _number(int, 0), "number that the search for a good order begins from"),
    ):
        default = getattr(defaults, name)
        option = f"--{name.replace('_', '-')}"
        verb.add_argument(
            option, type=kind, default=default, metavar="N", help=f"{words} (default {default})"
        )
    verb.add_argument(
        "--mode", choices=tuple(map(str, UpgradeMode)), default=defaults.mode.value, help=MODE_HELP
    )
    verb.add_argument("--json", action="store_true", help="print escalator.trace/1 and nothing else")
    _add_output(verb, "the trace, as JSON")


def _add_output(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help=f"where to write {what}")


def _number(kind: type[int | float], least: float, most: float = _MOST) -> Callable[[str], Any]:
    """Return a reader of numbers from ``least`` to ``most``."""

    def read(text: str) -> float:
        value = kind(text)
        if not least <= value <= most:
            limit = f"at most {most:.0f}" if value > most else f"at least {least}"
            wanted = limit if most == _MOST else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"{text} is not {wanted}")
        return value

    read.__name__ = "number" if kind is float else "whole number"
    return read


def _plan(args: argparse.Namespace) -> int:
    source = read_source(args)
    mode = UpgradeMode(args.mode)
    left_out: tuple[LeftOut, ...] = ()
    if OnBlocked(args.on_blocked) is OnBlocked.SKIP:
        asked = plan_of_check(
            source.snapshot, source.hosts, bundle=source.bundle, max_parallel=args.max_parallel, mode=mode
        )
        question = ask(asked, source.snapshot, bundle=source.bundle)
        left_out = leave_blocked_out(question, check_upgrade).left_out
    options = make_options(
        learn(History(), source.bundle) if source.bundle else DEFAULT_DURATIONS,
        max_parallel=args.max_parallel,
        members_stay=source.bundle.members_stay if source.bundle else True,
        mode=mode,
    )
    name = source.bundle.name if source.bundle else None
    snapshot = leave_nodes_out(source.snapshot, left_out)
    components = source.bundle.components if source.bundle else ()
    document = make_plan(snapshot, options, bundle=name, components=components, left_out=left_out).document
    _put(args, document, list_plan_lines)
    return DONE if document["feasible"] else INFEASIBLE


def _simulate(args: argparse.Namespace) -> int:
    snapshot = read_snapshot(args.snapshot)
    options = SimulationOptions(
        max_parallel=args.max_parallel,
        spill=args.spill,
        concurrent_migrations=args.concurrent_migrations,
        upgrade_seconds=args.upgrade_seconds,
        migration_fixed_seconds=args.migration_fixed_seconds,
        migration_seconds_per_gib=args.migration_seconds_per_gib,
        seed=args.seed,
        mode=UpgradeMode(args.mode),
    )
    trace = simulate(snapshot, options, digest=compute_snapshot_digest(snapshot))
    _put(args, trace, list_trace_lines)
    held = (held["code"] for held in trace["result"]["held"])
    return DONE if all(code in SKIPPED for code in held) else INFEASIBLE


def _put(args: argparse.Namespace, document: dict[str, Any], lines: Callable[[Any], Any]) -> None:
    """Write the file that was asked for, and print the document or its lines."""
    if args.output is not None:
        try:
            with args.output.open("w", encoding="utf-8") as file:
                json.dump(document, file)
                file.write("\n")
        except OSError as exc:
            raise InvalidRequestError(
                f"{args.output} cannot be written: {exc.strerror}", remedy="choose another file"
            ) from exc
    if args.json:
        json.dump(document, sys.stdout)
        sys.stdout.write("\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(document))
