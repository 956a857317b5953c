"""``escalator ledger upgrade | current | claim | prune``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from escalator.ledger import schema
from escalator.ledger.database import Database, ledger_url, parse_url
from escalator.ledger.ledger import Ledger
from escalator.ledger.retention import KEPT_DAYS, KEPT_RUNS, Retention
from escalator.ledger.tables import HEAD
from escalator.model.clock import utcnow
from escalator.model.errors import EscalatorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  (argparse has no public name)

OK, NOT_MET, BAD_INPUT = 0, 1, 2


def add_parser(commands: Subparsers) -> argparse.ArgumentParser:
    """Add the ``ledger`` command to a parser's subcommands."""
    parser = commands.add_parser("ledger", help="make, upgrade and look at the ledger's database")
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs and options of the command."""
    parser.add_argument(
        "--url", help="SQLAlchemy URL; default: ESCALATOR_LEDGER_URL, else a file of your own"
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("upgrade", help="make the ledger, or bring its schema to this release")
    verbs.add_parser("current", help="say which schema it has; exit code 1 when it is not this release's")
    verbs.add_parser("claim", help="make a copy of another ledger an installation of its own")
    prune = verbs.add_parser("prune", help="forget old runs, but none that somebody still needs")
    prune.add_argument(
        "--older-than",
        type=int,
        default=KEPT_DAYS,
        metavar="DAYS",
        help=f"keep every run that was opened since then; default: {KEPT_DAYS}",
    )
    prune.add_argument(
        "--keep",
        type=int,
        default=KEPT_RUNS,
        metavar="RUNS",
        help=f"keep so many of the newest runs of each cloud, however old; default: {KEPT_RUNS}",
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would be forgotten")


def run(arguments: argparse.Namespace) -> int:
    """Carry the command out.

    :return: 0 done or up to date, 1 the schema is not this release's.
    :raises EscalatorError: when the URL is not usable or the database is away.
    """
    url = arguments.url or ledger_url()
    database = Database(parse_url(url))
    if arguments.verb == "upgrade":
        before = database.revision()
        schema.upgrade(url)
        print(f"ledger {database.shown}: schema {before or 'none'} -> {database.revision()}")
        return OK
    if arguments.verb == "claim":
        print(f"ledger {database.shown}: installation {Ledger(url).claim()}")
        return OK
    if arguments.verb == "prune":
        return _prune(Ledger(url), arguments)
    found = database.revision()
    print(f"ledger {database.shown}: schema {found or 'none'}, this release has {HEAD}")
    return OK if found == HEAD else NOT_MET


def _prune(ledger: Ledger, arguments: argparse.Namespace) -> int:
    """Forget old runs; say which, and why others are kept."""
    retention = Retention.of_days(arguments.older_than, runs=arguments.keep)
    found = ledger.prune(retention, utcnow(), dry_run=arguments.dry_run)
    going = [run for run in found if not run.needed]
    word = "would be forgotten" if arguments.dry_run else "forgotten"
    for run in found:
        said = f"kept: {run.needed}" if run.needed else word
        print(f"{run.opened_at:%Y-%m-%d} {run.cloud} {run.campaign} {run.run_id}: {said}")
    print(f"{len(going)} run(s) {word}, {len(found) - len(going)} old one(s) kept")
    return OK


def main(words: Sequence[str] | None = None) -> int:
    """Run ``python -m escalator.ledger``; errors go to stderr, one line what, one line what to do."""
    parser = argparse.ArgumentParser(prog="python -m escalator.ledger", description=__doc__)
    add_arguments(parser)
    arguments = parser.parse_args(words)
    try:
        return run(arguments)
    except EscalatorError as exc:
        remedy = f"\n{exc.remedy}" if exc.remedy else ""
        parser.exit(BAD_INPUT, f"{exc.message}{remedy}\n")
