"""``escalator ledger upgrade | current | claim``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from escalator.ledger import schema
from escalator.ledger.database import Database, ledger_url, parse_url
from escalator.ledger.ledger import Ledger
from escalator.ledger.tables import HEAD
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
    found = database.revision()
    print(f"ledger {database.shown}: schema {found or 'none'}, this release has {HEAD}")
    return OK if found == HEAD else NOT_MET


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
