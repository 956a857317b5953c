"""``escalator vnfms``: which managers of VNFs are registered, and whether they are well."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.documents.wording import did_you_mean
from escalator.model.errors import InvalidRequestError
from escalator.settings.places import find_inventory_dir
from escalator.vim_interface.registry.health import ManagerHealth, fetch_health
from escalator.vim_interface.registry.vnfms import NAME, load_vnfms

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

SCHEMA = "escalator.vnfm-health/1"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``vnfms``."""
    parser = subparsers.add_parser("vnfms", help="the managers of VNFs, and whether they are well")
    parser.add_argument("--json", action="store_true", help=f"print {SCHEMA} and nothing else")
    parser.add_argument("--cloud", metavar="NAME", help="only those of one cloud")
    parser.add_argument(
        "--inventory",
        type=Path,
        metavar="DIR",
        help="the folder; default: ESCALATOR_INVENTORY_DIR, else inventory in ESCALATOR_HOME",
    )


def run(args: argparse.Namespace) -> int:
    """List the managers.

    :return: 0, however they are.
    :raises InvalidRequestError: the file has faults, or there is no such folder: nobody knows then.
    """
    folder = args.inventory or find_inventory_dir()
    if not folder.is_dir():
        raise InvalidRequestError(
            f"there is no folder {folder} of inventory files",
            remedy="name the folder that Airflow reads, with --inventory or ESCALATOR_INVENTORY_DIR",
        )
    found = load_vnfms(folder)
    states = fetch_health(found.of_cloud(args.cloud) if args.cloud else found.vnfms)
    if args.json:
        print(json.dumps({"schema": SCHEMA, "vnfms": [_to_document(state) for state in states]}, indent=1))
        return 0
    if not states and found.vnfms:
        clouds = {vnfm.cloud for vnfm in found.vnfms}
        print(f"no manager of cloud {args.cloud} in {folder / NAME}{did_you_mean(args.cloud, clouds)}")
        return 0
    for line in list_lines(states, folder / NAME):
        print(line)
    return 0


def _to_document(state: ManagerHealth) -> dict[str, Any]:
    vnfm = state.vnfm
    return {
        "id": vnfm.id,
        "cloud": vnfm.cloud,
        "role": str(vnfm.role),
        "kind": str(vnfm.kind),
        "url": vnfm.url,
        "projects": list(vnfm.projects),
        "selects": "all" if not vnfm.selectors else "some",
        "conn_id": vnfm.conn_id,
        "health": str(state.health),
        "reason": state.reason,
    }


def list_lines(states: Sequence[ManagerHealth], file: Path) -> Iterator[str]:
    """Give the managers as plain lines, three each."""
    if not states:
        yield f"no manager: nobody is told what happens; {file} would name them"
    for state in states:
        vnfm = state.vnfm
        which = "servers of" if vnfm.selectors else "all servers of"
        health = f"{state.health}: {state.reason}" if state.reason else str(state.health)
        yield f"{vnfm.id}  {vnfm.role} of cloud {vnfm.cloud}, {vnfm.kind}, {health}"
        yield f"  {vnfm.url}"
        yield f"  {which} {', '.join(vnfm.projects)}"
