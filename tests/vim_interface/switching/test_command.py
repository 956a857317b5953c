from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.vim_interface.switching.fakes import PAIR, FakeBook, FakeClock, make_member
from tests.vim_interface.switching.test_act import ORDER

from escalator.model.errors import InvalidRequestError, TransientError
from escalator.model.vnf_means import CommandMeans
from escalator.system_support.programs import Ended, run_program
from escalator.vim_interface.switching import Seen, SwitchGroup, SwitchOutcome, switch_over
from escalator.vim_interface.switching.command import CommandSwitcher

MEANS = CommandMeans(
    argv=("/opt/switch", "--from={from_name}", "{to_id}", "{group}"), role_argv=("/opt/role", "{group}")
)


class Programs:
    """Programs that are only played; ``ran`` are their words."""

    def __init__(self, holder: str = "vnf-a", code: int = 0) -> None:
        self.holder = holder
        self.code = code
        self.ran: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str], timeout_seconds: float) -> Ended:
        assert timeout_seconds == MEANS.timeout_seconds
        if argv[0] == "/opt/role":
            return Ended(0, f"{self.holder}\n")
        self.ran.append(argv)
        if self.code == 0:
            self.holder = "b"
        return Ended(self.code, "first\nlast words\n")


def run(
    programs: Programs, means: CommandMeans = MEANS, group: SwitchGroup = PAIR
) -> tuple[SwitchOutcome, str]:
    clock = FakeClock()
    switcher = CommandSwitcher(means, group, programs)
    result = switch_over(switcher, FakeBook(), ORDER, clock=clock, sleep=clock.sleep)
    return result.outcome, result.words


def test_program_gets_ids_and_names_and_the_role_is_asked_for() -> None:
    programs = Programs()
    assert run(programs) == (SwitchOutcome.SWITCHED, "/opt/role says vnf-b")
    assert programs.ran == [["/opt/switch", "--from=vnf-a", "b", "pair"]]


def test_program_that_fails_is_told_with_its_last_words() -> None:
    outcome, words = run(Programs(code=3))
    assert outcome is SwitchOutcome.FAILED
    assert "/opt/switch: exit code 3: last words" in words


def test_role_that_is_no_member_is_no_role() -> None:
    switcher = CommandSwitcher(MEANS, PAIR, Programs(holder="who knows"))
    role = switcher.find_role()
    assert (role.see("a"), role.blind) == (Seen.UNSEEN, False)
    assert "'who knows' is no member" in role.words


def test_without_a_program_for_the_role_nothing_can_be_seen() -> None:
    programs = Programs()
    outcome, _ = run(programs, CommandMeans(argv=("/opt/switch",)))
    assert (outcome, len(programs.ran)) == (SwitchOutcome.UNSEEN, 1)


@pytest.mark.parametrize("name", ["--reboot", "a\nb", "a\0b"])
def test_name_of_a_server_is_not_taken_for_an_option(name: str) -> None:
    group = SwitchGroup(id="pair", members=(make_member("a", "n1", name=name), make_member("b", "n2")))
    programs = Programs(holder="a")
    means = CommandMeans(argv=("/opt/switch", "{from_name}"), role_argv=("/opt/role",))
    outcome, words = run(programs, means, group)
    assert (outcome, programs.ran) == (SwitchOutcome.FAILED, [])
    assert "is no plain word" in words


def test_program_runs_without_a_shell_and_without_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "geheim")
    code = "import os, sys; print(sys.argv[1], sorted(os.environ)); sys.exit(4)"
    ended = run_program([sys.executable, "-c", code, "$HOME; `id`"], 20)
    assert ended.code == 4
    assert "$HOME; `id`" in ended.said
    assert "FERNET" not in ended.said
    assert "PATH" in ended.said


def test_program_and_its_children_are_killed_at_the_limit(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {pid}; wait"
    began = time.monotonic()
    with pytest.raises(TransientError, match="did not end within 1 s"):
        run_program(["/bin/sh", "-c", script], 1)
    assert time.monotonic() - began < 10
    child = Path("/proc") / pid.read_text().strip()
    deadline = time.monotonic() + 5
    while child.exists() and "Z (zombie)" not in (child / "status").read_text():
        assert time.monotonic() < deadline, "the child lives"
        time.sleep(0.05)


def test_program_that_is_not_there_did_nothing() -> None:
    with pytest.raises(InvalidRequestError, match="cannot be started: No such file"):
        run_program(["/opt/there/is/none"], 1)
