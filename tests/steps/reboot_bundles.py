"""Bundles that bring nothing and reboot, as the tests of several steps want them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.steps.worlds import BUNDLE, NEW

from escalator.model.bundle import Bundle, Impact, NoMechanism, RebootPolicy


def make_reboot_bundle(name: str, policy: RebootPolicy) -> tuple[Bundle, dict[str, Any]]:
    """Make a bundle that only reboots, and its document."""
    document = {
        "schema": "escalator.bundle/1",
        "name": name,
        "components": [{"name": "nova-compute", "to": NEW}],
        "mechanism": {"type": "none"},
        "impact": "reboot",
        "reboot": str(policy),
    }
    bundle = replace(BUNDLE, name=name, mechanism=NoMechanism(), impact=Impact.REBOOT, reboot=policy)
    return bundle, document
