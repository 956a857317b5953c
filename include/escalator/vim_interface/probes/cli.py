"""``escalator interruptions``: how long the services of VNFs were interrupted, by VNF and year."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from escalator.ledger.ledger import Ledger
from escalator.ledger.stop_rows import HostStop
from escalator.model.clock import utcnow
from escalator.model.interruption import (
    SWITCH_SECONDS,
    YEAR,
    YEAR_SECONDS,
    Gap,
    GroupInterruptions,
    name_vnfs,
    sum_gaps,
)
from escalator.model.stops import ServerStop
from escalator.reports.stops import sum_stops
from escalator.vim_interface.registry.ha_sources import read_vnf_names

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

SCHEMA = "escalator.interruptions/1"
WITHIN, TOO_LONG = 0, 1
LAST_YEAR = "last 365 days"
_NOTHING = GroupInterruptions(
    group="", count=0, longest_seconds=0.0, sum_seconds=0.0, not_measured_seconds=0.0
)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``interruptions``."""
    parser = subparsers.add_parser(
        "interruptions", help="how long services of VNFs were interrupted, by VNF, HA group and year"
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
    stops = book.stops(args.cloud)
    known = {*book.clouds(), *(one.cloud for one in stops)}
    clouds = sorted(known) if args.cloud is None else (args.cloud,)
    names = read_vnf_names()
    described = [
        {
            **describe_cloud(cloud, book.since(cloud, _BEGINNING), now, names),
            "planned": describe_planned([s for s in stops if s.cloud == cloud], now, names),
        }
        for cloud in clouds
    ]
    document = {
        "schema": SCHEMA,
        "taken_at": now.isoformat(),
        "limits": {"switch_seconds": SWITCH_SECONDS, "year_seconds": YEAR_SECONDS},
        "clouds": described,
    }
    print(json.dumps(document, indent=1) if args.json else "\n".join(list_lines(document)))
    late = [vnf for cloud in described for vnf in cloud["vnfs"] if vnf["last_year"]["too_long"]]
    return TOO_LONG if late else WITHIN


def describe_cloud(
    cloud: str, gaps: Sequence[Gap], now: datetime, vnf_of: Mapping[str, str]
) -> dict[str, Any]:
    """Sum a cloud's gaps by VNF and by HA group: for the last 365 days, which count, and for each year (UTC).

    :param vnf_of: id of a group -> name of its VNF; a group that is not there is a VNF of its own.
    """
    of_vnf: dict[str, list[Gap]] = {}
    for gap in gaps:
        of_vnf.setdefault(vnf_of.get(gap.group, gap.group), []).append(gap)
    vnfs = []
    for vnf, own in sorted(of_vnf.items()):
        groups = sorted({gap.group for gap in own})
        periods = _describe_periods(name_vnfs(own, vnf_of), now)
        of_group = [{"group": g, **_describe_periods([x for x in own if x.group == g], now)} for g in groups]
        vnfs.append({"vnf": vnf, **periods, "groups": of_group})
    return {"cloud": cloud, "vnfs": vnfs}


def describe_planned(
    stops: Sequence[HostStop], now: datetime, vnf_of: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Sum the stops of servers in the last 365 days by VNF, those of no group by server.

    They breach no limit: who asked for them knew of them.

    :param vnf_of: id of a group -> name of its VNF; a group that is not there is a VNF of its own.
    """
    found: dict[tuple[str, str], list[ServerStop]] = {}
    for _, _, stop in stops:
        if stop.asked_at is not None and stop.asked_at >= now - YEAR:
            group = stop.ha_group
            key = ("server", stop.server_name) if group is None else ("vnf", vnf_of.get(group, group))
            found.setdefault(key, []).append(stop)
    return [{kind: name, **sum_stops(own)} for (kind, name), own in sorted(found.items())]


def _describe_periods(gaps: Sequence[Gap], now: datetime) -> dict[str, Any]:
    """Sum gaps that have one name, for the last 365 days and for each year in which there are some."""
    years = sorted({gap.started_at.year for gap in gaps})
    return {
        "last_year": _describe([gap for gap in gaps if gap.started_at >= now - YEAR]),
        "years": [
            {"year": year, **_describe([gap for gap in gaps if gap.started_at.year == year])}
            for year in years
        ],
    }


def _describe(gaps: Sequence[Gap]) -> dict[str, Any]:
    found = next(iter(sum_gaps(gaps)), _NOTHING)
    return {
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
        if not cloud["vnfs"]:
            yield "  no service was probed yet"
        for row in cloud["planned"]:
            name = f"VNF {row['vnf']}" if "vnf" in row else f"server {row['server']}"
            down = f", {row['down']} not started again" if row["down"] else ""
            yield (
                f"  planned, {LAST_YEAR}: {name} stopped {row['stops']} time(s), longest "
                f"{row['longest_seconds']:.1f} s, sum {row['sum_seconds']:.1f} s{down}"
            )
        for vnf in cloud["vnfs"]:
            yield f"  VNF {vnf['vnf']}"
            yield from (f"    {line}" for line in _list_periods(vnf))
            for group in vnf["groups"]:
                if len(vnf["groups"]) > 1 or group["group"] != vnf["vnf"]:
                    yield f"    HA group {group['group']}"
                    yield from (f"      {line}" for line in _list_periods(group))


def _list_periods(found: dict[str, Any]) -> Iterator[str]:
    yield f"{LAST_YEAR}: {_line(found['last_year'])}"
    yield from (f"{year['year']}: {_line(year)}" for year in found["years"])


def _line(row: dict[str, Any]) -> str:
    unknown = row["not_measured_seconds"]
    return (
        f"{row['gaps']} gap(s), longest {row['longest_seconds']:.2f} s of {SWITCH_SECONDS:g} s, "
        f"sum {row['sum_seconds']:.2f} s of {YEAR_SECONDS:g} s"
        + (f", not measured {unknown:.1f} s" if unknown >= SWITCH_SECONDS else "")
        + ("  TOO LONG" if row["too_long"] else "")
    )
