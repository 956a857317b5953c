from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import sh

from escalator.model.bundle import CommandMechanism
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.command_scripts import (
    write_activate_script,
    write_check_script,
    write_read_script,
    write_source_script,
    write_stage_script,
)

COMMANDS = CommandMechanism(version="v", activate="a", service="nova-compute", stage="s")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)


@pytest.mark.parametrize("version", ["", "34 --pre", "../34", "34;reboot", "-1", "3/4"])
def test_a_version_that_cannot_be_is_refused(version: str) -> None:
    for write in (write_stage_script, write_activate_script):
        with pytest.raises(InvalidRequestError):
            write(COMMANDS, version)
    with pytest.raises(InvalidRequestError):
        write_source_script(COMMANDS, version, "true", 5)


@pytest.mark.parametrize("service", ["", "$(reboot)", "-x", "a b"])
def test_a_service_that_cannot_be_is_refused(service: str) -> None:
    with pytest.raises(InvalidRequestError):
        write_read_script(replace(COMMANDS, service=service))


def test_records_of_other_commands_or_versions_are_not_taken_for_these() -> None:
    first = write_stage_script(COMMANDS, "34.0.0")
    (key,) = [line for line in first.splitlines() if line.startswith("key=")]
    for changes in ({"activate": "b"}, {"stage": None}, {"version": "w"}, {"service": "x"}):
        assert key not in write_stage_script(replace(COMMANDS, **changes), "34.0.0")
    assert key not in write_stage_script(COMMANDS, "34.0.1")
    limits = replace(COMMANDS, stage_seconds=5.0, rollback="r")
    assert key in write_stage_script(limits, "34.0.0")


@settings(max_examples=10, deadline=None)
@given(text=TEXTS)
def test_whatever_a_command_is_the_scripts_parse(text: str) -> None:
    mechanism = replace(COMMANDS, version=text, activate=text, stage=text)
    scripts = (
        write_stage_script(mechanism, "3:34.0.0-0lab1~x"),
        write_activate_script(mechanism, "34.0.0"),
        write_read_script(mechanism),
        write_check_script(mechanism, f"/var/{text}"),
        write_source_script(mechanism, "34.0.0", text, 5),
    )
    for script in scripts:
        assert sh.parse(script) == sh.WHOLE
