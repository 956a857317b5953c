"""From the body of a maintenance session to the runs that it asks for: one for each DAG with hosts of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from escalator.documents.bundle_file import find_bundle_dir, list_bundle_names
from escalator.documents.requests import KEYS, parse_request
from escalator.documents.wording import did_you_mean
from escalator.inventory.parts import list_parts
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import Inventory
from escalator.model.naming import make_dag_id
from escalator.model.procedure import UPGRADE
from escalator.model.wording import name_some
from escalator.settings.places import BUNDLE_VARIABLE as FOLDER_VARIABLE
from escalator.vim_interface.wire.bodies import SessionBody
from escalator_airflow.web.answers import RefusedError
from escalator_airflow.web.means import WantedRun
from escalator_airflow.web.session_settings import BUNDLE_VARIABLE, find_chosen_bundle

_OF_METADATA = tuple(key for key in KEYS if key != "hosts")
"""Parameters of a campaign that the metadata may carry."""


def plan_runs(inventory: Inventory, body: SessionBody, now: datetime) -> tuple[WantedRun, ...]:
    """Say which runs a session asks for; nothing is written.

    :raises RefusedError: names everything that is wrong with one of them.
    """
    _refuse_unknown_hosts(inventory, body.hosts)
    folder = find_bundle_dir()
    bundles = list_bundle_names(folder)
    asked = {key: value for key, value in (body.metadata or {}).items() if key in _OF_METADATA}
    asked["bundle"] = asked.get("bundle") or _choose_bundle(folder, bundles)
    runs: list[WantedRun] = []
    for dag_id, domain, hosts in _list_dags(inventory):
        mine = [host for host in hosts if not body.hosts or host in body.hosts]
        if not mine:
            continue
        conf = {**asked, "hosts": [] if len(mine) == len(hosts) else mine}
        try:
            request = parse_request(
                conf, cloud=inventory.cloud, domain=domain, known_hosts=hosts, bundles=bundles, now=now
            )
        except InvalidRequestError as exc:
            raise _refused(
                f"{dag_id}: {exc.message}", "correct hosts or metadata and send it again; nothing was started"
            ) from exc
        if request.window_end is not None and request.window_end <= body.maintenance_at:
            end = f"{request.window_end:%Y-%m-%d %H:%M:%S} UTC"
            raise _refused(
                f"{dag_id}: window_end: {end} is not after maintenance_at: no node would go out",
                "name a later window_end in the metadata, or an earlier maintenance_at; nothing was started",
            )
        runs.append(WantedRun(dag_id=dag_id, where=domain, conf=conf))
    if not runs:
        raise _refused(f"cloud {inventory.cloud} has no compute node", "refresh its inventory")
    return tuple(runs)


def _list_dags(inventory: Inventory) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Give id, drain domain and hosts of each DAG of a cloud."""
    for domain in inventory.domains():
        for part, hosts in list_parts(inventory, domain).items():
            yield make_dag_id(UPGRADE.name, inventory.cloud, domain, part), domain, hosts


def _refuse_unknown_hosts(inventory: Inventory, hosts: list[str]) -> None:
    known = {node.host for node in inventory.nodes}
    unknown = sorted(set(hosts) - known)
    if unknown:
        hint = did_you_mean(unknown[0], known)
        raise _refused(
            f"hosts: cloud {inventory.cloud} has no compute node {name_some(unknown)}{hint}",
            "use the names of its nova-compute services, or [] for all of them",
        )


def _choose_bundle(folder: Path, bundles: tuple[str, ...]) -> str:
    """Return the bundle of a session that names none: the one of the setting, else the only one there is."""
    chosen = find_chosen_bundle()
    if chosen in bundles:
        return chosen
    if chosen is None and len(bundles) == 1:
        return bundles[0]
    there = f"{folder} has {len(bundles)}: {', '.join(bundles)}" if bundles else f"{folder} has none"
    known = f"{BUNDLE_VARIABLE} is not set" if chosen is None else f"{BUNDLE_VARIABLE} names {chosen!r}"
    raise _refused(
        f"metadata.bundle: the session names no bundle, {known}, and the bundle folder {there}",
        f"name one of them in the metadata, or set {BUNDLE_VARIABLE} to one of them for the API server"
        if bundles
        else f"put the file of a bundle there, or set {FOLDER_VARIABLE} for the API server",
    )


def _refused(message: str, remedy: str) -> RefusedError:
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, message, remedy=remedy)
