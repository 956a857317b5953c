"""Hooks are one detached job: what they see, how they end, what is left of what they printed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import Artefact, HookTime
from escalator.system_support.mechanisms import HookCommands, JobFailedError, run_hook
from escalator.system_support.mechanisms.artefact_scripts import name_folder

if TYPE_CHECKING:
    from tests.system_support.conftest import LocalShell


def run(
    local: LocalShell,
    folder: Path,
    *commands: str,
    limit: float = 20,
    files: tuple[Artefact, ...] = (),
    fetches: bool = False,
) -> str:
    hook = HookCommands(
        host="node-01",
        when=HookTime.PRE,
        commands=commands,
        limit_seconds=limit,
        artefacts=files,
        fetches=fetches,
    )
    job = make_job(lambda: local, "hooks-pre", "34.0.0")
    return run_hook(job, hook, base=str(folder / "jobs"), folder=str(folder / "artefacts"))


def test_hooks_are_run_in_their_order_and_know_where_they_are(local: LocalShell, tmp_path: Path) -> None:
    said = run(
        local, tmp_path, 'echo "$ESCALATOR_HOOK $ESCALATOR_HOST"\necho "$ESCALATOR_VERSION"', 'echo "it\'s"'
    )
    assert said == "pre node-01\n34.0.0\nit's\n"
    assert run(local, tmp_path, "echo again") == "again\n"
    assert list((tmp_path / "jobs").glob("token*")) == []


def test_the_first_that_fails_ends_them_and_is_named(local: LocalShell, tmp_path: Path) -> None:
    with pytest.raises(JobFailedError) as caught:
        run(local, tmp_path, "echo fine", "echo 'no light on eth3' >&2\nexit 4", "echo never")
    assert caught.value.message == (
        "the pre hooks fail: exit code 1: the hooks.pre[1] command ended with exit code 4: no light on eth3"
    )
    assert caught.value.status.output.splitlines()[:2] == ["fine", "no light on eth3"]
    assert "never" not in caught.value.status.output
    assert (tmp_path / "jobs" / "token_hooks-pre_34.0.0" / "log").exists()


def test_one_that_says_nothing_is_not_given_the_words_of_another(local: LocalShell, tmp_path: Path) -> None:
    with pytest.raises(JobFailedError, match=r"hooks\.pre\[1\] command ended with exit code 1: no output"):
        run(local, tmp_path, "echo fine", "false")


def test_one_that_takes_too_long_is_ended(local: LocalShell, tmp_path: Path) -> None:
    with pytest.raises(
        JobFailedError, match=r"the hooks\.pre\[0\] command was ended after 0\.2 s, its limit"
    ):
        run(local, tmp_path, "sleep 9 & wait", limit=0.2)


def test_files_of_the_bundle_are_proved_before_the_first_one(local: LocalShell, tmp_path: Path) -> None:
    file = Artefact(name="x", source="/x", sha256=hashlib.sha256(b"right").hexdigest())
    folder = Path(name_folder((file,), str(tmp_path / "artefacts")))
    folder.mkdir(parents=True)
    (folder / "x").write_text("right")
    assert run(local, tmp_path, 'cat "$ESCALATOR_ARTEFACTS/x"', files=(file,)) == "right"
    (folder / "x").write_text("wrong")
    with pytest.raises(
        JobFailedError, match="the pre hooks fail: exit code 1: artefact x is not there as it was"
    ):
        run(local, tmp_path, f'touch "{tmp_path}/ran"', files=(file,))
    assert not (tmp_path / "ran").exists()


def test_what_takes_a_run_back_brings_the_files_of_its_hooks_where_they_were_removed(
    local: LocalShell, tmp_path: Path
) -> None:
    (tmp_path / "it").write_text("right")
    file = Artefact(name="x", source=f"{tmp_path}/it", sha256=hashlib.sha256(b"right").hexdigest())
    with pytest.raises(JobFailedError, match="artefact x is not there as it was staged"):
        run(local, tmp_path, "true", files=(file,))
    assert run(local, tmp_path, 'cat "$ESCALATOR_ARTEFACTS/x"', files=(file,), fetches=True) == "right"
    other = replace(file, sha256="0" * 64)
    with pytest.raises(JobFailedError, match="artefact x has the checksum"):
        run(local, tmp_path, "true", files=(other,), fetches=True)
