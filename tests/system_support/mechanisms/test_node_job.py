"""A job's script says last what it did; how a failure reads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.system_support.mechanisms.jobs import make_job

from escalator.system_support.mechanisms import Effect, JobFailedError
from escalator.system_support.remote_job import JobState

if TYPE_CHECKING:
    from tests.system_support.conftest import LocalShell


def run(local: LocalShell, script: str, base: Path) -> Effect:
    return make_job(lambda: local, "stage", "1.0.0").run(script, trouble="it is not staged", base=str(base))


def test_the_last_line_that_is_not_blank_says_what_was_done(local: LocalShell, tmp_path: Path) -> None:
    said = "echo 'escalator: fetching'; echo 'escalator: already-staged'; echo"
    assert run(local, said, tmp_path) is Effect.ALREADY_STAGED


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'escalator: no room'; exit 3", "it is not staged: exit code 3: no room"),
        ("exit 4", "it is not staged: exit code 4: no output"),
        ("true", "it is not staged: it ended well but does not say what it did: nothing"),
        ("echo done", "it is not staged: it ended well but does not say what it did: done"),
    ],
)
def test_a_failure_says_what_failed_how_and_where_to_read(
    local: LocalShell, tmp_path: Path, script: str, message: str
) -> None:
    with pytest.raises(JobFailedError) as caught:
        run(local, script, tmp_path)
    assert caught.value.message == message
    assert caught.value.remedy == f"read {tmp_path}/token_stage_1.0.0/log on the node"
    assert caught.value.status.state is JobState.EXITED
