from __future__ import annotations

import copy
from typing import Any

import pytest

from escalator.documents.bundles import parse_bundle
from escalator.documents.way_back import turn_back
from escalator.model.bundle import HookTime, Impact, RebootPolicy
from escalator.model.campaign import RunOf
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms import find_brought

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


PACKAGES: dict[str, Any] = {
    **DOCUMENT,
    "components": [
        {"name": "nova-compute", "to": "3:34.0.0-1", "scheme": "deb"},
        {"name": "qemu", "to": "1:10.0.2+ds-2~bpo12+1", "scheme": "deb"},
    ],
    "mechanism": {
        "type": "apt",
        "packages": [
            {"name": "nova-compute", "component": "nova-compute", "service": "nova-compute"},
            {"name": "qemu-system-x86", "component": "qemu", "version": "1:10.0.2+ds-2~bpo12+1"},
            {"name": "python3-nova", "version": "3:34.0.0-1"},
        ],
    },
}


def test_every_component_goes_back_and_its_package_with_it() -> None:
    back = turn_back(PACKAGES, {"nova-compute": "3:33.0.2-1", "qemu": "1:7.2+dfsg-7+deb12u18+b3"})
    bundle = parse_bundle(back)
    assert bundle.target_version("qemu") == "1:7.2+dfsg-7+deb12u18+b3"
    assert PACKAGES["mechanism"]["packages"][1]["version"] == "1:10.0.2+ds-2~bpo12+1"
    run = RunOf(campaign="c", run_id="r", version="3:34.0.0-1", components={"qemu": "1:10.0.2+ds-2~bpo12+1"})
    assert find_brought(bundle, run) == parse_bundle(PACKAGES).mechanism
    assert find_brought(bundle, None) == bundle.mechanism != parse_bundle(PACKAGES).mechanism


def test_a_node_may_tell_of_a_package_where_the_bundle_names_a_release() -> None:
    two = {**DOCUMENT, "components": [*DOCUMENT["components"], {"name": "qemu", "to": "10.0.0"}]}
    back = parse_bundle(turn_back(two, {"nova-compute": "33.0.2", "qemu": "1:7.2+dfsg-7+deb12u18+b3"}))
    assert [(c.to, c.scheme) for c in back.components] == [
        ("33.0.2", "pbr"),
        ("1:7.2+dfsg-7+deb12u18+b3", "deb"),
    ]
    with pytest.raises(InvalidRequestError, match="what qemu had before, 'x', is no version"):
        turn_back(two, {"nova-compute": "33.0.2", "qemu": "x"})
