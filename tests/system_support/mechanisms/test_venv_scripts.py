from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import sh

from escalator.model.bundle import VenvMechanism
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.venv_scripts import (
    write_activate_script,
    write_check_script,
    write_read_script,
    write_source_script,
    write_stage_script,
)

NOVA = VenvMechanism(venv="/opt/nova/venv", package="nova", service="nova-compute")
PATHS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=20
)


@pytest.mark.parametrize(
    "changes",
    [
        {"venv": "opt/venv"},
        {"venv": "/"},
        {"venv": "/opt/../etc"},
        {"venv": "/opt/a\nb"},
        {"package": ""},
        {"package": "nova; reboot"},
        {"package": "--index"},
        {"service": "$(reboot)"},
        {"installer": "conda"},
    ],
)
def test_a_mechanism_that_cannot_work_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError):
        write_stage_script(replace(NOVA, **changes), "34.0.0")


@pytest.mark.parametrize("version", ["", "34.0.0 --pre", "../34", "34;reboot", "-1"])
@pytest.mark.parametrize("script", [write_stage_script, write_activate_script, write_source_script])
def test_a_version_that_cannot_be_is_refused(version: str, script: Any) -> None:
    with pytest.raises(InvalidRequestError):
        script(NOVA, version)


def test_the_installer_decides_the_tools() -> None:
    with_pip = write_stage_script(NOVA, "34.0.0")
    assert "-m pip install" in with_pip
    assert "nova==34.0.0" in with_pip
    with_uv = write_stage_script(replace(NOVA, installer="/usr/local/bin/uv"), "34.0.0")
    assert "/usr/local/bin/uv pip install" in with_uv
    assert "-m pip" not in with_uv


def test_uv_is_told_the_interpreter_only_when_the_bundle_names_one() -> None:
    with_uv = replace(NOVA, installer="uv")
    assert 'uv venv --no-progress "$target"' in write_stage_script(with_uv, "34.0.0")
    named = replace(with_uv, python="/usr/bin/python3.11")
    assert "uv venv --no-progress --python /usr/bin/python3.11 " in write_stage_script(named, "34.0.0")


@settings(max_examples=10, deadline=None)
@given(name=PATHS, python=PATHS)
def test_whatever_the_paths_are_called_the_scripts_parse_and_quote_them(name: str, python: str) -> None:
    mechanism = replace(NOVA, venv=f"/opt/{name.replace('..', '_')}x", python=f"/usr/{python}")
    scripts = (
        write_stage_script(mechanism, "34.0.0"),
        write_activate_script(mechanism, "34.0.0"),
        write_read_script(mechanism),
        write_check_script(mechanism, f"/var/{name}"),
        write_source_script(mechanism, "34.0.0"),
    )
    for script in scripts:
        assert sh.parse(script) == sh.WHOLE
        assert f"link={shlex.quote(mechanism.venv)}\n" in script
