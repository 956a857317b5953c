"""The bundle of a way back: what a bundle brought, with what there was before in its place."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.release_version import ReleaseVersion, Scheme


def turn_back(document: Mapping[str, Any], before: Mapping[str, str]) -> dict[str, Any]:
    """Return a bundle whose components are what there was before, by the same mechanism.

    Packages that carry no component are named in the version that was brought: the mechanism knows from its
    own records what they were. Reboot, impact and ``verify`` hooks stay as they are: they are of the node,
    not of the version. What ``pre`` and ``post`` hooks do belongs to the way forward.

    :param document: of ``escalator.bundle/1``, without faults.
    :param before: component -> its version before.
    :raises InvalidRequestError: the version of a component is not known.
    """
    unknown = [each["name"] for each in document["components"] if each["name"] not in before]
    if unknown:
        raise InvalidRequestError(
            f"what {', '.join(unknown)} had before is not recorded", remedy="bring it back by hand"
        )
    back: dict[str, Any] = copy.deepcopy(dict(document))
    back["name"] = f"{document['name']}-back"
    back["components"] = [_turn(each, before[each["name"]]) for each in document["components"]]
    for package in back["mechanism"].get("packages") or ():
        if package.get("version") is not None and package.get("component") in before:
            package["version"] = before[package["component"]]
    back["rollback"] = {"supported": False}
    hooks = back.get("hooks") or {}
    for when in ("pre", "post"):
        hooks.pop(when, None)
    return back


def _turn(component: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return a component in another version; of one that is no package nodes may tell the package's."""
    given = component.get("scheme") or Scheme.PBR.value
    for scheme in (given,) if given != Scheme.PBR else map(str, Scheme):
        with suppress(InvalidRequestError):
            ReleaseVersion.parse(version, scheme)
            return {**component, "to": version} | ({} if scheme == given else {"scheme": scheme})
    raise InvalidRequestError(
        f"what {component['name']} had before, {version!r}, is no version", remedy="bring it back by hand"
    )
