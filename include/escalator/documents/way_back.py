"""The bundle of a way back: what a bundle brought, with what there was before in its place."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from escalator.model.errors import InvalidRequestError


def turn_back(document: Mapping[str, Any], before: Mapping[str, str]) -> dict[str, Any]:
    """Return a bundle whose components are what there was before, by the same mechanism.

    Reboot, impact and ``verify`` hooks stay as they are: they are of the node, not of the version. What
    ``pre`` and ``post`` hooks do belongs to the way forward.

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
    back["components"] = [{**each, "to": before[each["name"]]} for each in document["components"]]
    back["rollback"] = {"supported": False}
    hooks = back.get("hooks") or {}
    for when in ("pre", "post"):
        hooks.pop(when, None)
    return back
