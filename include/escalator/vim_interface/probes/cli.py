"""``escalator interruptions``: how long the services of VNFs were interrupted, by HA group and year."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from escalator.ledger.ledger import Ledger
from escalator.model.clock import utcnow
from escalator.model.interruption import (
    SWITCH_SECONDS,
    YEAR,
    YEAR_SECONDS,
    Gap,
    GroupInterruptions,
    sum_gaps,
)

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

SCHEMA = "escalator.interruptions/1"
WITHIN, TOO_LONG = 0, 1
LAST_YEAR = "last 365 days"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``interruptions``."""
    parser = subparsers.add_parser(
        "interruptions", help="how long services of VNFs were interrupted, by HA group and year"
    )
    parser.add_argument("--cloud", metavar="NAME", help="only this one; default: every cloud of the ledger")
    parser.add_argument("--json", action="store_true", help=f"print {SCHEMA} and nothing else")


def run(args: argparse.Namespace) -> int:
    """Sum the gaps of the ledger and print them.

    :return: 0 every service is within its limits in the last 365 days, 1 one is not.
    :raises EscalatorError: the ledger cannot be read.
    """
    now = utcnow()
    book = Ledger().gaps()
    clouds = book.clouds() if args.cloud is None else (args.cloud,)
    described = [describe_cloud(cloud, book.since(cloud, _BEGINNING), now) for cloud in clouds]
    document = {
        "schema": SCHEMA,
        "taken_at": now.isoformat(),
        "limits": {"switch_seconds": SWITCH_SECONDS, "year_seconds": YEAR_SECONDS},
        "clouds": described,
    }
    print(json.dumps(document, indent=1) if args.json else "\n".join(list_lines(document)))
    late = [row for cloud in described for row in cloud["last_year"] if row["too_long"]]
    return TOO_LONG if late else WITHIN


def describe_cloud(cloud: str, gaps: Sequence[Gap], now: datetime) -> dict[str, Any]:
    """Sum a cloud's gaps by HA group: for the last 365 days, which count, and for each year (UTC)."""
    recent = [gap for gap in gaps if gap.started_at >= now - YEAR]
    years = sorted({gap.started_at.year for gap in gaps})
    return {
        "cloud": cloud,
        "last_year": [_describe(found) for found in sum_gaps(recent)],
        "years": [
            {"year": year, "groups": [_describe(found) for found in sum_gaps(_of_year(gaps, year))]}
            for year in years
        ],
    }


def _of_year(gaps: Sequence[Gap], year: int) -> list[Gap]:
    return [gap for gap in gaps if gap.started_at.year == year]


def _describe(found: GroupInterruptions) -> dict[str, Any]:
    return {
        "group": found.group,
        "gaps": found.count,
        "longest_seconds": round(found.longest_seconds, 3),
        "sum_seconds": round(found.sum_seconds, 3),
        "not_measured_seconds": round(found.not_measured_seconds, 3),
        "too_long": found.too_long is not None or found.sum_seconds > YEAR_SECONDS,
    }


def list_lines(document: dict[str, Any]) -> Iterator[str]:
    """Give the sums as plain lines."""
    limits = document["limits"]
    yield f"allowed: {limits['switch_seconds']:g} s at once, {limits['year_seconds']:g} s within a year"
    if not document["clouds"]:
        yield "no service was probed yet"
    for cloud in document["clouds"]:
        yield f"cloud {cloud['cloud']}"
        if not cloud["years"]:
            yield "  no service was probed yet"
            continue
        for title, rows in [(LAST_YEAR, cloud["last_year"])] + [
            (str(year["year"]), year["groups"]) for year in cloud["years"]
        ]:
            yield f"  {title}"
            yield from (f"    {line}" for line in map(_line, rows))


def _line(row: dict[str, Any]) -> str:
    unknown = row["not_measured_seconds"]
    return (
        f"{row['group']}: {row['gaps']} gap(s), longest {row['longest_seconds']:.2f} s, "
        f"sum {row['sum_seconds']:.2f} s"
        + (f", not measured {unknown:.1f} s" if unknown >= SWITCH_SECONDS else "")
        + ("  TOO LONG" if row["too_long"] else "")
    )
