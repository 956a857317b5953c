"""What a node has lost, or got, since its backup, and what is put back: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from escalator.system_support.mechanisms.restore_packages import DPKG, RPM, PackageTool

CACHES = ("/var/cache/apt/", *RPM.caches)
"""Where the files of packages lie in a backup; they are not put back as files."""
_WHOLE = ("ii", "hi")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageBack:
    """A package that is put back.

    :ivar now: version that is there; empty: none, or it is not whole.
    :ivar file: name of its file; :ivar place: where the backup has it, empty: nowhere.
    :ivar url: where it came from; empty: unknown.
    :ivar sha256: of the file; empty: nobody told.
    """

    name: str
    version: str
    now: str
    file: str
    place: str = ""
    url: str = ""
    sha256: str = ""


def find_packages(
    manifest: Mapping[str, Any],
    names: Iterable[str],
    now: Mapping[str, tuple[str, str]],
    tool: PackageTool = DPKG,
) -> tuple[PackageBack, ...]:
    """Find which packages are not what the backup has.

    :param names: those that count: what the bundle names, and what came along with it.
    :param now: key of a package, as the tool makes it -> its version and its status there.
    """
    wanted, places = frozenset(names), _find_places(manifest, tool)
    found = []
    for row in manifest.get("packages", ()):
        name, version, arch = str(row["name"]), str(row["version"]), str(row["arch"])
        has, status = now.get(tool.make_key(name, arch), ("", ""))
        if name not in wanted or tool.is_left(name) or (has == version and status.strip() in _WHOLE):
            continue
        file = tool.name_file(name, version, arch)
        found.append(
            PackageBack(
                name=name,
                version=version,
                now=has,
                file=file,
                place=places.get(file, ""),
                url=str(row.get("source") or ""),
                sha256=str(row.get("sha256") or ""),
            )
        )
    return tuple(found)


def _find_places(manifest: Mapping[str, Any], tool: PackageTool) -> dict[str, str]:
    """Return where the backup has the files of packages: name of the file -> its path there."""
    paths = (str(row["path"]) for row in manifest.get("files", ()))
    return {path.rpartition("/")[2]: path for path in paths if path.startswith(tool.caches)}


def list_files(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the files that are put back, with their checksums: those of packages are not among them."""
    return {
        str(row["path"]): str(row["sha256"])
        for row in manifest.get("files", ())
        if row.get("type") == "file" and not str(row["path"]).startswith(CACHES)
    }


def find_changed(files: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files that are not what they were, sorted; those that are gone are among them."""
    return tuple(sorted(path for path, sha256 in files.items() if now.get(path) != sha256))


def find_target(manifest: Mapping[str, Any], link: str) -> str:
    """Return where a link led; empty: there is no such link in the backup."""
    return str(manifest.get("links", {}).get(link, ""))
