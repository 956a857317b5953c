"""What a node told before its archive, read from the lines of the script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from escalator.system_support.node_software import parse_software

_Source = tuple[str | None, str | None]
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_FILE = re.compile(r"(?P<name>[^_/]+)_(?P<version>[^_]+)_(?P<arch>[^_.]+)\.deb")
_UNIT_KEYS = {"FragmentPath": "unit", "UnitFileState": "enabled", "ActiveState": "active"}
_PARTS = {"package": 5, "origin": 5, "unit": 3, "link": 3, "python": 2, "boot": 2}
"""The kind of a line -> how many fields it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An installed package of the operating system.

    :ivar status: as dpkg abbreviates it: ``ii`` is whole, ``hi`` whole and held.
    :ivar source: URL that the node's sources have it at, without credentials; None: none of them has it.
    :ivar sha256: of the file there; None: the source does not tell.
    """

    name: str
    version: str
    arch: str
    status: str
    source: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTold:
    """What a node has, as it told it.

    :ivar software: component -> version, as the inventory and precheck read it.
    :ivar units: service -> what systemd tells of it: its ``unit`` and ``drop_ins``, whether ``enabled``,
        whether ``active``.
    :ivar links: link -> where it leads.
    :ivar python: distributions in the environment of the link, as ``name-version``.
    """

    boot_id: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    packages: tuple[Package, ...] = ()
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    python: tuple[str, ...] = ()


def parse_told(text: str) -> NodeTold:
    """Read what the script printed before the archive; lines of another form are passed over."""
    rows: dict[str, list[list[str]]] = {kind: [] for kind in _PARTS}
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == _PARTS.get(fields[0]):
            rows[fields[0]].append(fields[1:])
    return NodeTold(
        boot_id=next((boot for (boot,) in rows["boot"]), ""),
        software=parse_software(text),
        packages=_read_packages(rows["package"], rows["origin"]),
        units=_read_units(rows["unit"]),
        links={link: target for link, target in rows["link"] if target},
        python=tuple(sorted(name for (name,) in rows["python"])),
    )


def _read_packages(rows: Iterable[list[str]], origins: Iterable[list[str]]) -> tuple[Package, ...]:
    """Put packages and where they came from together: files have no epoch in their names."""
    sources: dict[tuple[str, str, str], _Source] = {}
    for url, file, _, checksum in origins:
        found = _FILE.fullmatch(unquote(file))
        kind, _, digits = checksum.partition(":")
        source = _CREDENTIALS.sub("//", url.strip("'")), digits if kind == "SHA256" else None
        if found is not None:
            sources[found["name"], _without_epoch(found["version"]), found["arch"]] = source
        else:
            sources[file, "", ""] = source
    return tuple(
        Package(
            name=name, version=version, arch=arch, status=status.strip(), source=found[0], sha256=found[1]
        )
        for name, version, arch, status in sorted(rows)
        if status[1:2] != "n"
        for found in [_find_source(sources, name, _without_epoch(version), arch)]
    )


def _find_source(
    sources: Mapping[tuple[str, str, str], _Source], name: str, version: str, arch: str
) -> _Source:
    rpm = f"{name}-{version}.{arch}.rpm", "", ""
    return sources.get((name, version, arch)) or sources.get(rpm) or (None, None)


def _without_epoch(version: str) -> str:
    return version.partition(":")[2] or version


def _read_units(rows: Iterable[list[str]]) -> dict[str, dict[str, str]]:
    units: dict[str, dict[str, str]] = {}
    for unit, line in rows:
        key, _, value = line.partition("=")
        name = "drop_ins" if key == "DropInPaths" else _UNIT_KEYS.get(key)
        if name is not None:
            units.setdefault(unit, {})[name] = value
    return units
