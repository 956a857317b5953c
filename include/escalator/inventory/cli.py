"""The verbs ``escalator snapshot`` and ``escalator inventory``: they read a cloud and write a file."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.cloud_options import add_cloud_options, name_cloud_of
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.snapshots import write_snapshot
from escalator.documents.plain_file import read_file
from escalator.inventory.inventory_file import find_inventory_path, read_inventory, write_inventory
from escalator.inventory.inventory_folder import RENAME, list_clashes_of
from escalator.inventory.read_cloud import read_cloud_for_check
from escalator.inventory.read_nodes import read_inventory_of_cloud
from escalator.inventory.refresh import make_refresh
from escalator.inventory.settings_file import read_settings
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory, split_address
from escalator.settings.places import find_inventory_dir
from escalator.system_support.controller import parse_cells

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

STDOUT = "-"
_LINE_WORDS = 2


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verbs ``snapshot`` and ``inventory``."""
    snapshot = subparsers.add_parser("snapshot", help="read a cloud into a file")
    add_cloud_options(snapshot)
    snapshot.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="the file; - for the terminal"
    )
    inventory = subparsers.add_parser("inventory", help="write the inventory that the DAGs are made from")
    add_cloud_options(inventory)
    inventory.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="the folder; default: ESCALATOR_INVENTORY_DIR, else inventory in ESCALATOR_HOME",
    )
    inventory.add_argument(
        "--addresses",
        type=Path,
        metavar="FILE",
        help="lines `host [user@]address[:port]`, or JSON: where SSH gets; else their hypervisor's IP",
    )
    inventory.add_argument(
        "--cells",
        type=Path,
        metavar="FILE",
        help="what `nova-manage cell_v2 list_hosts` prints; else the cells that the inventory has so far",
    )
    defaults = Inventory.__dataclass_fields__
    for option in ("cloud_conn_id", "ssh_conn_id"):
        name = f"--{option.replace('_', '-')}"
        inventory.add_argument(name, default=defaults[option].default, help="id of the Airflow connection")


def run(args: argparse.Namespace) -> int:
    """Run the verb that was asked for.

    :return: 0.
    :raises EscalatorError: the cloud cannot be read, or the file cannot be written.
    """
    counter = CallCounter()
    credentials = name_cloud_of(args)
    args.cloud = credentials.label
    cloud = Cloud(connect(credentials, counter), counter)
    said = _snapshot(cloud, args) if args.verb == "snapshot" else _inventory(cloud, args)
    print(f"{said}, {counter.total} API calls", file=sys.stderr)
    return 0


def _snapshot(cloud: Cloud, args: argparse.Namespace) -> str:
    snapshot = read_cloud_for_check(cloud, args.cloud)
    if args.output == STDOUT:
        write_snapshot(snapshot, sys.stdout)
    else:
        try:
            with Path(args.output).open("w", encoding="utf-8") as stream:
                write_snapshot(snapshot, stream)
        except OSError as exc:
            raise InvalidRequestError(
                f"{args.output} cannot be written: {exc.strerror}", remedy="choose another file"
            ) from exc
    return f"{len(snapshot.nodes)} nodes, {len(snapshot.servers)} servers"


def _inventory(cloud: Cloud, args: argparse.Namespace) -> str:
    path = find_inventory_path(args.output or find_inventory_dir(), args.cloud)
    settings = read_settings(path.parent, args.cloud)
    addresses = read_addresses(args.addresses) if args.addresses else {}
    before = _read_before(path)
    found = read_inventory_of_cloud(
        cloud,
        args.cloud,
        addresses=addresses,
        cloud_conn_id=args.cloud_conn_id,
        ssh_conn_id=args.ssh_conn_id,
        settings=settings,
        told=_read_told(args.cells, None if settings.cells else before),
    )
    unknown = sorted(addresses.keys() - {node.host for node in found.inventory.nodes})
    if unknown:
        raise InvalidRequestError(
            f"{args.addresses}: the cloud has no nova-compute host {', '.join(unknown)}",
            remedy="use the names of `openstack compute service list`",
        )
    made = make_refresh(before, found.inventory, found.find_busy())
    write_inventory(path, made.inventory)
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for clash in list_clashes_of(path.parent, args.cloud):
        print(f"warning: {clash}; {RENAME}", file=sys.stderr)
    for put_off in made.put_off:
        print(f"warning: put off: {put_off}", file=sys.stderr)
    return f"{path}: {len(made.inventory.nodes)} nodes in {len(made.inventory.domains())} domains"


def _read_told(path: Path | None, before: Inventory | None) -> dict[str, str]:
    """Return the cells as Nova told them: in a file, else as the inventory so far has them.

    :param before: the inventory so far; None: there is none, or the operator declares the cells.

    :raises InvalidRequestError: the file cannot be read, or is none of Nova's.
    """
    if path is None:
        return before.cells() if before is not None else {}
    try:
        return parse_cells(read_file(path))
    except OSError as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc.strerror}", remedy="see its name") from exc
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc}", remedy="see its content") from exc
    except InvalidRequestError as exc:
        raise InvalidRequestError(f"{path}: {exc.message}", remedy=exc.remedy) from exc


def _read_before(path: Path) -> Inventory | None:
    """Read the inventory so far; one that cannot be read is written anew, and its nodes get new DAGs."""
    if not path.exists():
        return None
    try:
        return read_inventory(path)
    except InvalidRequestError as exc:
        print(f"warning: written anew, nodes may change their DAG: {exc.message}", file=sys.stderr)
        return None


def read_addresses(path: Path) -> dict[str, str]:
    """Read where SSH reaches the nodes: host -> address.

    The file holds lines ``host address`` (``#`` begins a comment), or a JSON object: of them, or with a list
    ``nodes`` of objects that have ``host`` and ``address``, as a lab describes itself.

    :raises InvalidRequestError: the file cannot be read, or has another form.
    """
    try:
        text = read_file(path)
    except OSError as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc.strerror}", remedy="see its name") from exc
    except UnicodeDecodeError as exc:
        raise InvalidRequestError(f"{path} is no text in UTF-8", remedy="see its content") from exc
    addresses = _read_text(path, text)
    for host, address in addresses.items():
        try:
            split_address(address)
        except InvalidRequestError as exc:
            raise InvalidRequestError(
                f"{path}: {host}: {exc.message}",
                remedy="such as 192.0.2.7, or with user and port: user@192.0.2.7:2222",
            ) from exc
    return addresses


def _read_text(path: Path, text: str) -> dict[str, str]:
    if not text.lstrip().startswith("{"):
        return _addresses_of_lines(path, text)
    try:
        return _addresses_of_json(json.loads(text))
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise InvalidRequestError(f"{path} has another form: {exc}", remedy='{"host": "address"}') from exc


def _addresses_of_lines(path: Path, text: str) -> dict[str, str]:
    addresses: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != _LINE_WORDS:
            raise InvalidRequestError(f"{path} line {number}: not `host address`: {line.strip()!r}")
        addresses[words[0]] = words[1]
    return addresses


def _addresses_of_json(document: Mapping[str, Any]) -> dict[str, str]:
    if isinstance(document.get("nodes"), list):
        return {str(node["host"]): str(node["address"]) for node in document["nodes"]}
    wrong = sorted(host for host, address in document.items() if not isinstance(address, str))
    if wrong:
        raise TypeError(f"{', '.join(wrong)}: not an address")
    return dict(document)
