"""The contract of remote jobs: on this machine's sh, and over a real sshd that is cut off."""

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalator.lab.processes import children
from escalator.model.errors import InvalidRequestError, LoginRefusedError, NodeFaultError, TransientError
from escalator.system_support import remote_job
from escalator.system_support.remote_job import JobOverdueError, JobState, NodeUnreachableError
from escalator.system_support.shell import CommandResult, Shell

if TYPE_CHECKING:
    from tests.system_support.conftest import LocalShell, Sshd


def now() -> datetime:
    return datetime.now(tz=UTC)


def soon(seconds: float = 20) -> datetime:
    return now() + timedelta(seconds=seconds)


def settled(shell: Shell, job: str, base: str) -> remote_job.JobStatus:
    return remote_job.wait(
        lambda: shell,  # type: ignore[arg-type, return-value]
        job,
        deadline=soon(),
        clock=now,
        sleep=time.sleep,
        base=base,
        poll_seconds=0.1,
    )


def until(path: Path) -> str:
    for _ in range(1500):
        if path.exists() and (text := path.read_text().strip()):
            return text
        time.sleep(0.02)
    pytest.fail(f"{path} did not appear")


def wait_for(go: Path) -> str:
    """Return the words of a job that runs until a file is there, however long a busy computer takes."""
    return f"until [ -e {shlex.quote(str(go))} ]; do sleep 0.05; done"


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "it's jobs")


def test_a_job_runs_and_leaves_its_code_and_output(local: LocalShell, base: str) -> None:
    assert remote_job.start(local, "job", "echo hello; echo bad >&2; exit 7", base=base)
    status = settled(local, "job", base)
    assert (status.state, status.exit_code, status.output) == (JobState.EXITED, 7, "hello\nbad\n")
    assert not status.succeeded


def test_a_second_start_joins(local: LocalShell, base: str, tmp_path: Path) -> None:
    script = f"echo once >> {tmp_path}/count; sleep 0.3"
    assert remote_job.start(local, "job", script, base=base)
    assert not remote_job.start(local, "job", script, base=base)
    settled(local, "job", base)
    assert not remote_job.start(local, "job", script, base=base)
    assert (tmp_path / "count").read_text() == "once\n"


def test_many_starts_at_once_start_one(local: LocalShell, base: str, tmp_path: Path) -> None:
    script = f"echo once >> {tmp_path}/count; sleep 0.2"
    started: list[bool] = []
    threads = [
        threading.Thread(target=lambda: started.append(remote_job.start(local, "job", script, base=base)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled(local, "job", base)
    assert sorted(started) == [False] * 7 + [True]
    assert (tmp_path / "count").read_text() == "once\n"


def test_a_job_of_another_id_is_left_alone(local: LocalShell, base: str) -> None:
    remote_job.start(local, "old", "exit 1", base=base)
    settled(local, "old", base)
    remote_job.start(local, "new", "exit 0", base=base)
    assert settled(local, "new", base).succeeded
    assert remote_job.read_state(local, "old", base=base).exit_code == 1


def test_state_of_nothing_is_absent_and_makes_nothing(local: LocalShell, base: str) -> None:
    assert remote_job.read_state(local, "job", base=base).state is JobState.ABSENT
    assert not Path(base).exists()


def test_the_folder_of_jobs_is_for_root_alone(local: LocalShell, base: str) -> None:
    remote_job.start(local, "job", "exit 0", base=base)
    settled(local, "job", base)
    assert Path(base).stat().st_mode & 0o777 == 0o700
    assert (Path(base) / "job" / "log").stat().st_mode & 0o077 == 0


def test_a_running_job_is_seen_running_by_many_and_cannot_be_removed(
    local: LocalShell, base: str, tmp_path: Path
) -> None:
    remote_job.start(local, "job", wait_for(tmp_path / "go"), base=base)
    assert {remote_job.read_state(local, "job", base=base).state for _ in range(5)} == {JobState.RUNNING}
    with pytest.raises(NodeFaultError, match="still runs"):
        remote_job.clean_up(local, "job", base=base)
    (tmp_path / "go").touch()
    settled(local, "job", base)
    remote_job.clean_up(local, "job", base=base)
    assert remote_job.read_state(local, "job", base=base).state is JobState.ABSENT


def test_a_job_whose_processes_are_gone_is_lost(local: LocalShell, base: str, tmp_path: Path) -> None:
    remote_job.start(local, "job", f"echo begun; echo $$ > {tmp_path}/pid; sleep 60", base=base)
    os.killpg(os.getsid(int(until(tmp_path / "pid"))), signal.SIGKILL)
    status = settled(local, "job", base)
    assert (status.state, status.exit_code) == (JobState.LOST, None)
    assert status.output == "begun\n"


def test_a_script_that_outlives_its_wrapper_still_runs(local: LocalShell, base: str, tmp_path: Path) -> None:
    script = f"echo $$ > {tmp_path}/pid; {wait_for(tmp_path / 'go')}"
    remote_job.start(local, "job", script, base=base)
    wrapper = os.getsid(int(until(tmp_path / "pid")))
    os.kill(wrapper, signal.SIGKILL)
    assert remote_job.read_state(local, "job", base=base).state is JobState.RUNNING
    (tmp_path / "go").touch()
    assert settled(local, "job", base).state is JobState.LOST


def test_an_exit_code_that_power_loss_emptied_is_lost(local: LocalShell, base: str) -> None:
    remote_job.start(local, "job", "exit 0", base=base)
    settled(local, "job", base)
    (Path(base) / "job" / "exit_code").write_text("")
    assert remote_job.read_state(local, "job", base=base).state is JobState.LOST


def test_a_failed_job_is_run_again_and_a_good_one_leaves_nothing(
    local: LocalShell, base: str, tmp_path: Path
) -> None:
    def run() -> remote_job.JobStatus:
        return remote_job.run_to_end(
            lambda: local,
            "job",
            f"test -e {tmp_path}/cause",
            deadline=soon(),
            clock=now,
            sleep=time.sleep,
            base=base,
        )

    assert run().exit_code == 1
    assert remote_job.read_state(local, "job", base=base).state is JobState.EXITED
    (tmp_path / "cause").touch()
    assert run().succeeded
    assert remote_job.read_state(local, "job", base=base).state is JobState.ABSENT


@pytest.mark.parametrize(("left", "code"), [("exit 3", 3), (None, 0)])
def test_one_that_somebody_else_began_just_now_is_no_fault_when_its_folder_is_to_be_cleaned(
    local: LocalShell, base: str, left: str | None, code: int
) -> None:
    if left:
        remote_job.start(local, "job", left, base=base)
        assert settled(local, "job", base).exit_code == code
    another = iter([True])

    class Raced(type(local)):  # type: ignore[misc]
        def run_as_root(self, command: str, timeout_seconds: float | None = None) -> CommandResult:
            cleans = "rm -rf" in command and "setsid" not in command
            if cleans and next(another, False):
                local.run_as_root(command)
                remote_job.start(local, "job", "sleep 0.2", base=base)
            return local.run_as_root(command, timeout_seconds)

    status = remote_job.run_to_end(
        Raced, "job", "true", deadline=soon(), clock=now, sleep=time.sleep, base=base
    )
    assert status.succeeded


def test_a_job_lost_on_the_way_is_started_again(local: LocalShell, base: str, tmp_path: Path) -> None:
    script = (
        f"echo try >> {tmp_path}/count; test -e {tmp_path}/power || {{ touch {tmp_path}/power; kill -9 0; }}"
    )
    status = remote_job.run_to_end(
        lambda: local, "job", script, deadline=soon(), clock=now, sleep=time.sleep, base=base
    )
    assert status.succeeded
    assert (tmp_path / "count").read_text() == "try\ntry\n"


def test_a_job_that_is_always_lost_is_given_up(local: LocalShell, base: str, tmp_path: Path) -> None:
    status = remote_job.run_to_end(
        lambda: local,
        "job",
        f"echo try >> {tmp_path}/count; kill -9 0",
        deadline=soon(),
        clock=now,
        sleep=time.sleep,
        base=base,
        restarts=1,
    )
    assert status.state is JobState.LOST
    assert (tmp_path / "count").read_text() == "try\ntry\n"


def test_a_job_that_runs_at_its_deadline_is_overdue_and_left(
    local: LocalShell, base: str, tmp_path: Path
) -> None:
    remote_job.start(local, "job", wait_for(tmp_path / "go"), base=base)
    with pytest.raises(JobOverdueError, match="still runs"):
        remote_job.wait(lambda: local, "job", deadline=now(), clock=now, sleep=time.sleep, base=base)
    (tmp_path / "go").touch()
    assert settled(local, "job", base).succeeded


def test_an_end_before_a_deadline_that_has_passed_is_still_read(local: LocalShell, base: str) -> None:
    remote_job.start(local, "job", "exit 0", base=base)
    settled(local, "job", base)
    late = now() - timedelta(hours=1)
    assert remote_job.wait(
        lambda: local, "job", deadline=late, clock=now, sleep=time.sleep, base=base
    ).succeeded


def test_a_node_that_stays_away_is_unreachable_at_the_deadline() -> None:
    moments = iter([now() + timedelta(seconds=n) for n in (0, 60, 120)])
    slept: list[float] = []

    def connect() -> AbstractContextManager[Shell]:
        raise TransientError("node node-01: no route")

    with pytest.raises(NodeUnreachableError, match="no route") as caught:
        remote_job.wait(connect, "job", deadline=soon(100), clock=lambda: next(moments), sleep=slept.append)
    assert caught.value.remedy is not None
    assert len(slept) == 2


@pytest.mark.parametrize("job", ["", "a b", "../x", ".hidden", "a/b", "x" * 129, "a;b"])
def test_a_job_id_that_could_escape_is_refused(local: LocalShell, base: str, job: str) -> None:
    with pytest.raises(InvalidRequestError):
        remote_job.start(local, job, "true", base=base)


def test_a_relative_folder_is_refused(local: LocalShell) -> None:
    with pytest.raises(InvalidRequestError):
        remote_job.start(local, "job", "true", base="jobs")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=40))
def test_any_text_in_a_script_arrives_unchanged(local: LocalShell, base: str, text: str) -> None:
    remote_job.start(local, "job", f"printf '%s\\n' {shlex.quote(text)}", base=base)
    status = settled(local, "job", base)
    remote_job.clean_up(local, "job", base=base)
    assert status.output == f"{text}\n"


def test_over_ssh_a_job_survives_the_loss_of_its_connection(
    sshd: Sshd, base: str, tmp_path: Path, cut: Callable[[object], None]
) -> None:
    script = f"echo $$ > {tmp_path}/pid; {wait_for(tmp_path / 'go')}; echo survived"
    with sshd.shell() as shell:
        remote_job.start(shell, "job", script, base=base)
        until(tmp_path / "pid")
        cut(shell)
    (tmp_path / "go").touch()
    status = remote_job.wait(
        sshd.shell, "job", deadline=soon(), clock=now, sleep=time.sleep, base=base, poll_seconds=0.1
    )
    assert (status.exit_code, status.output) == (0, "survived\n")


def test_over_ssh_waiting_connects_again_when_sshd_goes_away_and_comes_back(
    own_sshd: Sshd, base: str, tmp_path: Path
) -> None:
    opened = []

    def connect() -> AbstractContextManager[Shell]:
        opened.append(own_sshd.shell())
        return opened[-1]

    def outage() -> None:
        until(tmp_path / "pid")
        assert own_sshd.process is not None
        served = children(own_sshd.process.pid)
        own_sshd.stop()
        for one in served:
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        time.sleep(1)
        own_sshd.start()
        (tmp_path / "go").touch()

    trouble = threading.Thread(target=outage)
    trouble.start()
    status = remote_job.run_to_end(
        connect,
        "job",
        f"echo $$ > {tmp_path}/pid; {wait_for(tmp_path / 'go')}; echo done",
        deadline=soon(60),
        clock=now,
        sleep=lambda s: time.sleep(s / 8),
        base=base,
    )
    trouble.join()
    assert (status.exit_code, status.output) == (0, "done\n")
    assert len(opened) > 1


def test_a_refused_login_is_for_the_caller_to_wait_for() -> None:
    def connect() -> AbstractContextManager[Shell]:
        raise LoginRefusedError("node node-01: SSH refuses user ops")

    with pytest.raises(LoginRefusedError):
        remote_job.reach(connect, lambda _shell: None, deadline=soon(), clock=now, sleep=pytest.fail)


def test_a_node_that_is_away_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    moments = iter([now() + timedelta(seconds=n) for n in (0, 1, 2, 120)])

    def connect() -> AbstractContextManager[Shell]:
        raise TransientError("node node-01: no route")

    with caplog.at_level("INFO"), pytest.raises(NodeUnreachableError):
        remote_job.reach(
            connect,
            lambda _shell: None,
            deadline=soon(100),
            clock=lambda: next(moments),
            sleep=lambda _seconds: None,
        )
    assert [r.getMessage().partition(": ")[2] for r in caplog.records] == ["node node-01: no route"]


SYSTEMD_RUN = """\
#!/bin/sh
echo "$*" >>@LOG@
[ ! -e @LOG@.broken ] || exit 1
shift 3
exec "$@"
"""


@pytest.mark.parametrize("broken", [False, True])
def test_where_systemd_runs_a_job_has_a_scope_of_its_own(
    local: LocalShell, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, broken: bool
) -> None:
    log, program = tmp_path / "log", tmp_path / "bin" / "systemd-run"
    program.parent.mkdir()
    program.write_text(SYSTEMD_RUN.replace("@LOG@", str(log)))
    program.chmod(0o755)
    if broken:
        (tmp_path / "log.broken").touch()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    remote_job.start(local, "job", "exit 7", base=base)
    assert settled(local, "job", base).exit_code == 7
    calls = [line.split("\n")[0] for line in log.read_text().splitlines() if "--scope" in line]
    assert calls[0] == "--quiet --collect --scope true"
    assert len(calls) == (1 if broken else 2)
