from __future__ import annotations

from dataclasses import replace

import pytest
from tests.builders import BUNDLE

from escalator.model.bundle import (
    AnsibleMechanism,
    AptMechanism,
    CommandMechanism,
    Mechanism,
    PlaybookRun,
    VenvMechanism,
)
from escalator.upgrade_manager.conditions.way_back import find_one_way

COMMAND = CommandMechanism(version="v", activate="a", service="s")


@pytest.mark.parametrize(
    ("mechanism", "why"),
    [
        (VenvMechanism(venv="/v", package="nova", service="s"), ""),
        (replace(COMMAND, rollback="r"), ""),
        (COMMAND, "it says to support a rollback, but names no rollback command"),
        (AptMechanism(packages=()), ""),
        (
            AnsibleMechanism(service="s", version="v", activate=PlaybookRun(playbook="p.yml")),
            "it says to support a rollback, but names none for ansible",
        ),
    ],
)
def test_a_mechanism_without_a_way_back_says_why(mechanism: Mechanism, why: str) -> None:
    assert find_one_way(replace(BUNDLE, mechanism=mechanism)) == why
