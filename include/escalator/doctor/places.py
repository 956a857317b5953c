"""Looks at the folders: inventories and what stands beside them, bundles, VNF files, reports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from escalator.backups.address import find_store_url, hide_credentials
from escalator.doctor.findings import Finding, Health, describe_fault, find_source
from escalator.documents.bundle_file import find_bundle_dir, list_bundle_names, read_bundle_document
from escalator.documents.bundles import parse_bundle
from escalator.documents.window_file import NAME as WINDOWS
from escalator.documents.window_file import read_window_document
from escalator.documents.windows import parse_windows
from escalator.inventory.inventory_folder import RENAME, find_clashes, read_own_inventory, say_clashes
from escalator.inventory.settings_file import ENDING, read_settings
from escalator.model.errors import EscalatorError
from escalator.model.inventory import Inventory
from escalator.settings import places
from escalator.settings.sharing import INVENTORY_VARIABLE
from escalator.vim_interface.registry import find_vnf_dir, load_ha_sources, load_vnfms
from escalator.vim_interface.registry.vnfms import NAME as VNFMS


def judge_places(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look at every folder."""
    yield from _look_at_inventories(environment)
    yield from _look_at_bundles(environment)
    yield _look_at_vnf_files(environment)
    yield _look_at_reports(environment)
    yield _look_at_backups(environment)


def _look_at_inventories(environment: Mapping[str, str]) -> Iterator[Finding]:
    source = find_source(environment, INVENTORY_VARIABLE)
    try:
        folder = places.find_inventory_dir(environment)
    except EscalatorError as exc:
        yield describe_fault("inventory folder", exc, source)
        return
    if not folder.is_dir():
        yield Finding(
            about="inventory folder",
            found=f"{folder} is not there",
            source=source,
            health=Health.FAULT,
            remedy="make it, writable for the workers; then run the DAG `inventory`",
        )
        return
    paths = sorted(folder.glob("*.json"))
    clouds = ", ".join(path.stem for path in paths) or "no cloud yet"
    writable = os.access(folder, os.W_OK)
    yield Finding(
        about="inventory folder",
        found=f"{folder}: {clouds}{'' if writable else '; not writable for this user'}",
        source=source,
        health=Health.WELL if writable and paths else Health.WARNING,
        remedy="run the DAG `inventory` for each cloud" if writable else "workers must be able to write it",
    )
    good: list[Inventory] = []
    for path in paths:
        try:
            good.append(read_own_inventory(path))
        except EscalatorError as exc:
            yield describe_fault(f"inventory {path.stem}", exc)
    for clash in say_clashes(find_clashes(good)):
        yield Finding(about="DAGs", found=clash, health=Health.FAULT, remedy=RENAME)
    for path in sorted(folder.glob(f"*{ENDING}")):
        cloud = path.name.removesuffix(ENDING)
        yield from _faults(f"inventory settings {cloud}", partial(read_settings, folder, cloud))
    yield from _faults(WINDOWS, partial(_read_windows, folder))
    yield from _faults(VNFMS, partial(load_vnfms, folder))


def _read_windows(folder: Path) -> None:
    document = read_window_document(folder)
    if document is not None:
        parse_windows(document)


def _look_at_bundles(environment: Mapping[str, str]) -> Iterator[Finding]:
    folder = find_bundle_dir(environment)
    names = list_bundle_names(folder)
    there = ", ".join(names) if names else "no bundle" if folder.is_dir() else "there is no such folder"
    yield Finding(
        about="bundle folder",
        found=f"{folder}: {there}",
        source=find_source(environment, places.BUNDLE_VARIABLE),
        health=Health.WELL if names else Health.FAULT,
        remedy=f"put a bundle there, or set {places.BUNDLE_VARIABLE} to the folder that has them",
    )
    for name in names:
        yield from _faults(f"bundle {name}", partial(_read_bundle, folder, name))


def _read_bundle(folder: Path, name: str) -> None:
    parse_bundle(read_bundle_document(folder, name))


def _look_at_vnf_files(environment: Mapping[str, str]) -> Finding:
    folder = find_vnf_dir(environment)
    source = find_source(environment, places.VNF_VARIABLE)
    try:
        load_ha_sources(folder)
    except EscalatorError as exc:
        return describe_fault("VNF files", exc, source)
    count = len([path for path in folder.glob("*.yaml") if path.name != VNFMS])
    return Finding(about="VNF files", found=f"{folder}: {count}", source=source)


def _look_at_reports(environment: Mapping[str, str]) -> Finding:
    folder = places.find_report_dir(environment)
    there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    writable = there.is_dir() and os.access(there, os.W_OK)
    return Finding(
        about="report folder",
        found=f"{folder}{'' if writable else ' cannot be written by this user'}",
        source=find_source(environment, places.REPORT_VARIABLE),
        health=Health.WELL if writable else Health.WARNING,
        remedy=f"set {places.REPORT_VARIABLE} to a folder that workers can write",
    )


def _look_at_backups(environment: Mapping[str, str]) -> Finding:
    """Look at the store where it is a folder; another is tried by every check of a cloud."""
    about, source = "backups", find_source(environment, places.BACKUP_VARIABLE)
    url = find_store_url(environment)
    if url is None:
        return Finding(about=about, found="no store is set: nodes are changed without them", source=source)
    if "://" in url and not url.startswith("file://"):
        return Finding(about=about, found=hide_credentials(url), source=source)
    folder = Path(url.removeprefix("file://"))
    usable = folder.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK)
    return Finding(
        about=about,
        found=f"{folder}{'' if usable else ' is no folder that this user can write'}",
        source=source,
        health=Health.WELL if usable else Health.WARNING,
        remedy="make it, off the nodes, writable for the workers",
    )


def _faults(about: str, read: Callable[[], object]) -> Iterator[Finding]:
    """Say what is wrong with a file; nothing when it is well."""
    try:
        read()
    except (EscalatorError, OSError) as exc:
        yield describe_fault(about, exc)
