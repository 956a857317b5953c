"""What a list of packages says together with the rest of its bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from escalator.documents.document_model import is_name, list_mappings
from escalator.documents.faults import Fault
from escalator.documents.mechanisms import DEB_VERSION_PATTERN, RPM_VERSION_PATTERN
from escalator.documents.wording import show_name, show_value
from escalator.model.bundle import COMPUTE, Impact
from escalator.model.data_plane import is_service_for_guests, is_under_guests
from escalator.upgrade_manager.versions.release_version import Scheme

_AT = ("mechanism", "packages")
_KINDS = {
    "apt": (Scheme.DEB, DEB_VERSION_PATTERN, "dpkg"),
    "dnf": (Scheme.RPM, RPM_VERSION_PATTERN, "rpm"),
}
"""Mechanism -> the scheme of its components, the form of its versions, and who has the packages."""


def find_package_faults(bundle: Mapping[Any, Any], mechanism: Mapping[Any, Any]) -> Iterator[Fault]:
    """Find packages and components that do not fit one another, and what contradicts the impact.

    :param bundle: the document as it was written, of any form; :param mechanism: the part of it.
    """
    components = {c["name"]: c for _, c in list_mappings(bundle, "components") if is_name(c.get("name"))}
    kind = _KINDS["dnf" if mechanism.get("type") == "dnf" else "apt"]
    carried: dict[str, str] = {}
    names: set[object] = set()
    for index, row in list_mappings(mechanism, "packages"):
        yield from _find_faults_of(row, (*_AT, index), components, kind)
        name, component = row.get("name"), row.get("component")
        if isinstance(name, str) and name in names:
            yield Fault((*_AT, index, "name"), f"{show_name(name)} stands there twice")
        names.add(name if isinstance(name, str) else None)
        if is_name(component) and component in carried:
            yield Fault((*_AT, index, "component"), f"{component} is carried by {carried[component]} already")
        elif is_name(component):
            carried[component] = show_name(name)
    for index, component in list_mappings(bundle, "components"):
        if is_name(component.get("name")) and component["name"] not in carried:
            words = f"no package of the mechanism says component: {component['name']}"
            yield Fault(("components", index), words)
    yield from _find_contradictions(bundle, mechanism)
    if mechanism.get("keyring") is not None and mechanism.get("sources") is None:
        yield Fault(("mechanism", "keyring"), "is of no use without sources")


def _find_faults_of(
    row: Mapping[Any, Any],
    at: tuple[str | int, ...],
    components: Mapping[str, Mapping[Any, Any]],
    kind: tuple[Scheme, str, str],
) -> Iterator[Fault]:
    """Find what is wrong between one package and the component that it carries."""
    scheme, pattern, database = kind
    name, version = row.get("component"), row.get("version")
    if name is None:
        if version is None:
            yield Fault((*at, "version"), "is required where no component says it")
        return
    component = components.get(name) if isinstance(name, str) else None
    if component is None:
        yield Fault((*at, "component"), f"no component is named {show_value(name)}")
        return
    if component.get("scheme") != scheme:
        yield Fault((*at, "component"), f"{name} needs scheme: {scheme}: its version is that of the package")
    to = component.get("to")
    if version is None and isinstance(to, str) and not re.fullmatch(pattern, to):
        yield Fault(
            (*at, "component"), f"{show_value(to)}, to which {name} comes, is no version of {database}'s"
        )
    if isinstance(version, str) and isinstance(to, str) and version != to:
        yield Fault(
            (*at, "version"), f"is {show_value(version)}, but the component {name} comes to {show_value(to)}"
        )
    if name == COMPUTE and row.get("service") is None:
        yield Fault((*at, "service"), f"is required: the systemd service of {COMPUTE}")


def _find_contradictions(bundle: Mapping[Any, Any], mechanism: Mapping[Any, Any]) -> Iterator[Fault]:
    """Find what guests run on in a bundle that is said to touch the agent alone."""
    if bundle.get("impact") not in (None, Impact.CONTROL):
        return
    remedy = "guests run on it, and impact is control: say impact: data or reboot, or leave it out"
    for index, row in list_mappings(mechanism, "packages"):
        for key, judge in (("name", is_under_guests), ("service", is_service_for_guests)):
            if isinstance(row.get(key), str) and judge(row[key]):
                yield Fault((*_AT, index, key), f"{show_name(row[key])}: {remedy}")
    for key, judge in (("removes", is_under_guests), ("restarts", is_service_for_guests)):
        items = mechanism.get(key)
        for index, name in enumerate(items if isinstance(items, list) else ()):
            if isinstance(name, str) and judge(name):
                yield Fault(("mechanism", key, index), f"{show_name(name)}: {remedy}")
