"""What a verb judges: a cloud or its snapshot, a bundle, the hosts. Bad input is refused before anything."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.cloud_options import add_cloud_options, name_cloud_of
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.snapshots import read_snapshot
from escalator.documents.bundle_file import find_bundle_dir, read_bundle_document, read_bundle_file
from escalator.documents.bundles import parse_bundle
from escalator.documents.wording import did_you_mean
from escalator.inventory.read_cloud import read_cloud_for_check
from escalator.model.bundle import Bundle
from escalator.model.campaign import MODE_HELP, OnBlocked, UpgradeMode
from escalator.model.cloud import CloudSnapshot
from escalator.model.errors import InvalidRequestError
from escalator.model.unread import CloudPart
from escalator.upgrade_manager.conditions.unread import OF_PLACES
from escalator.upgrade_manager.state.targets import mark_targets


class Source(NamedTuple):
    """What was read: the snapshot with its targets marked, the bundle, the hosts of the targets by name."""

    snapshot: CloudSnapshot
    bundle: Bundle | None
    hosts: tuple[str, ...]


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare where the cloud is, what is brought to which nodes, and under which limits."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--cloud", metavar="NAME", help="read this cloud of clouds.yaml; default: OS_CLOUD, or the openrc's"
    )
    where.add_argument("--snapshot", type=Path, metavar="FILE", help="read this snapshot")
    add_cloud_options(parser, cloud=False)
    parser.add_argument("--bundle", metavar="B", help="what to bring: name of a bundle, or its file")
    parser.add_argument(
        "--hosts", action="append", default=[], metavar="HOST[,HOST]", help="nodes; default: all to upgrade"
    )
    parser.add_argument("--max-parallel", type=int, default=1, metavar="K", help="nodes out at once (1)")
    parser.add_argument(
        "--mode",
        choices=tuple(map(str, UpgradeMode)),
        default=UpgradeMode.SMOOTH.value,
        help=MODE_HELP,
    )
    parser.add_argument(
        "--on-blocked",
        choices=tuple(map(str, OnBlocked)),
        default=OnBlocked.REFUSE.value,
        help="a node that something blocks: skip leaves it out, refuse (the default) starts nothing",
    )


def read_source(args: argparse.Namespace, *, may_lack: bool = False) -> Source:
    """Read what :func:`add_source_arguments` asked for.

    The targets are ``--hosts``; else the nodes that the snapshot marks as targets; else all that are not
    upgraded yet. A node that runs all that the bundle brings counts as upgraded.

    :param may_lack: a check says what the cloud does not let this user read; a plan needs all of it.
    :raises InvalidRequestError: a file cannot be read, a host is not known, or K is impossible.
    :raises EscalatorError: the cloud cannot be read.
    """
    bundle = read_bundle(args.bundle) if args.bundle else None
    snapshot = read_snapshot(args.snapshot) if args.snapshot else _read_cloud(args)
    if not may_lack:
        _refuse_unread(snapshot)
    hosts = _known_hosts(args.hosts, snapshot)
    _refuse_impossible(args.max_parallel, snapshot)
    marked = mark_targets(snapshot, bundle, hosts)
    return Source(marked, bundle, tuple(node.host for node in marked.nodes if node.target))


def read_bundle(name: str) -> Bundle:
    """Read a bundle by its name among the bundles, or by its path.

    :raises InvalidRequestError: there is none, it is no YAML, or has faults.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return parse_bundle(read_bundle_file(Path(name)))
    return parse_bundle(read_bundle_document(find_bundle_dir(), name))


def _read_cloud(args: argparse.Namespace) -> CloudSnapshot:
    counter, credentials = CallCounter(), name_cloud_of(args)
    return read_cloud_for_check(Cloud(connect(credentials, counter), counter), credentials.label)


def _known_hosts(words: Sequence[str], snapshot: CloudSnapshot) -> tuple[str, ...]:
    asked = [host for word in words for host in map(str.strip, word.split(","))]
    if words and not any(asked):
        raise InvalidRequestError("--hosts names no host", remedy="leave it out to mean all nodes")
    known = {node.host for node in snapshot.nodes}
    unknown = [f"{host!r}{did_you_mean(host, known)}" for host in asked if host and host not in known]
    if unknown:
        raise InvalidRequestError(
            f"cloud {snapshot.cloud} has no compute node {'; '.join(unknown)}",
            remedy="use the names of `openstack compute service list --service nova-compute`",
        )
    return tuple(sorted({host for host in asked if host}))


def _refuse_unread(snapshot: CloudSnapshot) -> None:
    """Refuse to plan by a cloud of which something is not known that places of servers need."""
    needed = {*OF_PLACES, CloudPart.SERVICES}
    unread = [item for item in snapshot.unread if item.part in needed and not item.partly]
    if unread:
        said = "; ".join(f"{item.part.replace('_', ' ')} ({item.message})" for item in unread)
        raise InvalidRequestError(
            f"no plan can be made of cloud {snapshot.cloud}, it does not let this user read: {said}",
            remedy="`escalator check` names the policies that allow it",
        )


def _refuse_impossible(max_parallel: int, snapshot: CloudSnapshot) -> None:
    """Refuse a K that no state of the cloud could carry: one node at least must stay in."""
    if not snapshot.nodes:
        raise InvalidRequestError(
            f"cloud {snapshot.cloud} has no compute node", remedy="see `openstack compute service list`"
        )
    most = max(1, len(snapshot.nodes) - 1)
    if not 1 <= max_parallel <= most:
        raise InvalidRequestError(
            f"--max-parallel {max_parallel} is impossible: the cloud has {len(snapshot.nodes)} nodes",
            remedy=f"choose a number from 1 to {most}",
        )
