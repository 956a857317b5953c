"""The process that keeps a run, with programs in place of Ansible: what it is given, what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.system_support.mechanisms.ansible_node import list_processes_of, need_ansible

from escalator.system_support.playbooks import keeper
from escalator.system_support.playbooks.outcome import Outcome
from escalator.system_support.playbooks.worker_run import AnsibleRun, run_ansible

DAEMON = """\
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    time.sleep(600)
open(sys.argv[1], "w").close()
time.sleep(600)
"""
"""Leaves its process group and its session, as Ansible's workers and SSH's masters do."""


@pytest.fixture(autouse=True)
def _runner() -> None:
    need_ansible()


def make_run(
    script: str, place: Path, *arguments: str, limit: float = 60, silence: float = 60, renew: float = 60
) -> AnsibleRun:
    return AnsibleRun(
        argv=(sys.executable, "-c", script, *arguments),
        cwd=Path.cwd(),
        place=place,
        limit_seconds=limit,
        silence_seconds=silence,
        renew_seconds=renew,
        files={"secret": "open sesame", "vars.json": '{"where": "{folder}"}'},
        env={"WHERE": "{folder}"},
        secrets=("open sesame",),
    )


def run(made: AnsibleRun, go_on: Callable[[], bool] = lambda: True) -> Outcome:
    return run_ansible(made, go_on=go_on, say=lambda _line: None)


def await_file(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_files_and_environment_are_those_of_the_run_and_go_with_it(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "k")
    monkeypatch.setenv("ESCALATOR_LEDGER_URL", "u")
    script = """if 1:
        import os, pathlib, stat
        folder = pathlib.Path(os.environ["WHERE"])
        modes = [oct(stat.S_IMODE(x.stat().st_mode)) for x in (folder, folder / "secret")]
        print(modes, (folder / "secret").read_text(), str(folder) in (folder / "vars.json").read_text())
        print([x for x in os.environ if x.startswith(("AIRFLOW", "ESCALATOR"))], os.getcwd())
        raise SystemExit(3)
    """
    outcome = run(make_run(script, place))
    assert outcome.code == 3
    assert outcome.output.splitlines() == ["['0o700', '0o600'] *** True", f"[] {Path.cwd()}"]
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(("how", "changes"), [("limit", {"limit": 3}), ("silence", {"silence": 3})])
def test_at_the_limit_or_in_silence_all_is_ended(
    tmp_path: Path, place: Path, how: str, changes: dict[str, float]
) -> None:
    begun = tmp_path / "begun"
    outcome = run(make_run(DAEMON, place, str(begun), **changes))
    assert (outcome.ended, outcome.code is None or outcome.code < 0) == (how, True)
    assert (list_processes_of(str(begun)), list(place.iterdir())) == ([], [])


def test_what_goes_on_is_asked_and_may_end_the_run(tmp_path: Path, place: Path) -> None:
    begun = tmp_path / "begun"

    def go_on() -> bool:
        if begun.exists():
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        run(make_run(DAEMON, place, str(begun), silence=20, renew=0.2), go_on)
    assert (list_processes_of(str(begun)), list(place.iterdir())) == ([], [])


KILLED = """\
import sys
from pathlib import Path
from tests.system_support.playbooks.test_keeper import DAEMON, make_run, run
run(make_run(DAEMON, Path(sys.argv[1]), sys.argv[2]))
"""


def test_who_is_killed_takes_its_run_along(tmp_path: Path, place: Path) -> None:
    begun = tmp_path / "begun"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    starter = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(place), str(begun)], env=environment, cwd=Path.cwd()
    )
    await_file(begun)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 60
    while list_processes_of(str(begun)) or list(place.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_folders_of_keepers_that_were_killed_themselves_go_with_the_next_run(place: Path) -> None:
    old = place / f"{keeper.PREFIX}old"
    old.mkdir()
    (old / "lock").touch()
    (old / "secret").write_text("open sesame")
    assert run(make_run("pass", place)).code == 0
    assert list(place.iterdir()) == []


def test_a_program_that_is_not_there_is_said(place: Path) -> None:
    made = AnsibleRun(argv=("/nowhere/ansible-playbook",), cwd=place, place=place, limit_seconds=60)
    outcome = run(made)
    assert outcome.code == 127
    assert "/nowhere/ansible-playbook" in outcome.reason
