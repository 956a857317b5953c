from __future__ import annotations

import copy
from typing import Any

import pytest

from escalator.documents.bundles import parse_bundle
from escalator.documents.way_back import turn_back
from escalator.model.bundle import HookTime, Impact, RebootPolicy
from escalator.model.errors import InvalidRequestError

DOCUMENT: dict[str, Any] = {
    "schema": "escalator.bundle/1",
    "name": "nova-34",
    "components": [{"name": "nova-compute", "to": "34.0.0"}],
    "mechanism": {"type": "venv", "venv": "/opt/nova/venv", "package": "nova", "service": "nova-compute"},
    "impact": "reboot",
    "reboot": "always",
    "hooks": {"pre": ["true"], "post": ["true"], "verify": ["test -e /run/good"]},
    "rollback": {"supported": True},
}


def test_what_there_was_before_is_brought_by_the_same_mechanism() -> None:
    before = copy.deepcopy(DOCUMENT)
    back = parse_bundle(turn_back(DOCUMENT, {"nova-compute": "33.0.2"}))
    forward = parse_bundle(DOCUMENT)
    assert before == DOCUMENT
    assert (back.name, back.target_version()) == ("nova-34-back", "33.0.2")
    assert back.mechanism == forward.mechanism
    assert (back.impact, back.reboot) == (Impact.REBOOT, RebootPolicy.ALWAYS)
    assert not back.rollback_supported
    assert back.hooks[HookTime.VERIFY] == forward.hooks[HookTime.VERIFY]
    assert not back.hooks.get(HookTime.PRE)
    assert not back.hooks.get(HookTime.POST)


def test_a_bundle_without_hooks_has_none() -> None:
    plain = {key: value for key, value in DOCUMENT.items() if key != "hooks"}
    assert not parse_bundle(turn_back(plain, {"nova-compute": "33.0.2"})).has_hooks


def test_a_component_whose_version_before_nobody_knows_is_refused() -> None:
    two = {**DOCUMENT, "components": [*DOCUMENT["components"], {"name": "qemu", "to": "10.0.0"}]}
    with pytest.raises(InvalidRequestError, match="what qemu had before is not recorded"):
        turn_back(two, {"nova-compute": "33.0.2"})
