"""The commands of a guest, run by this computer's sh; ``ip``, ``arping`` and ``wget`` are the test's."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import sh

from escalator.lab.machine.guest_service import COMMANDS, SERVICE
from escalator.lab.processes import wait_until

ADDRESS, PEER = "10.213.4.120", "http://10.213.4.112/cgi-bin"
TOOLS = {
    "ip": """
        case "$*" in
        "-4 addr show dev eth0") cat "$AT/addresses" 2>/dev/null ;;
        "addr add "*) echo "    inet $3 scope global eth0" >>"$AT/addresses" ;;
        "addr del "*) sed -i "\\\\| $3 |d" "$AT/addresses" ;;
        esac; exit 0""",
    "arping": """
        echo "$@" >>"$AT/arping"
        case "$*" in *-D*) exit "$(cat "$AT/taken" 2>/dev/null || echo 0)" ;; esac""",
    "timeout": 'shift; exec "$@"',
    "wget": 'echo "$@" >>"$AT/wget"; exit "$(cat "$AT/refuses" 2>/dev/null || echo 0)"',
}
TOLD = {"name": "sbc-1", "server": "id-1", "service": ADDRESS, "peer": PEER}


@dataclass(frozen=True)
class Member:
    """A guest whose commands are run here."""

    at: Path

    def ask(self, command: str, body: object = None) -> tuple[int, dict[str, Any]]:
        content = "" if body is None else json.dumps(body)
        environment = {
            "PATH": f"{self.at}/bin:/usr/bin:/bin",
            "AT": str(self.at),
            "PAIR_KEPT": str(self.at / "kept"),
            "CONTENT_LENGTH": str(len(content)) if content else "",
        }
        done = subprocess.run(
            [self.at / command], input=content, env=environment, capture_output=True, text=True, check=True
        )
        head, _, told = done.stdout.replace("\r", "").partition("\n\n")
        return int(head.partition("Status: ")[2][:3]), json.loads(told)

    def note(self, name: str, text: str) -> None:
        (self.at / name).write_text(text)

    def asked(self, tool: str) -> str:
        path = self.at / tool
        return path.read_text() if path.exists() else ""


@pytest.fixture
def member(tmp_path: Path) -> Member:
    (tmp_path / "bin").mkdir()
    (tmp_path / "kept").mkdir()
    scripts = {f"bin/{name}": f"#!/bin/sh\n{text}\n" for name, text in TOOLS.items()}
    for name, text in (scripts | dict.fromkeys(COMMANDS, SERVICE)).items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Member(tmp_path)


def test_the_script_is_whole() -> None:
    assert sh.parse(SERVICE) == sh.WHOLE


def test_a_guest_that_was_told_nothing_is_standby_and_takes_nothing(member: Member) -> None:
    assert member.ask("role") == (200, {"role": "standby", "server": ""})
    assert member.ask("activate", {})[0] == 409
    assert member.ask("switch", {"from": "id-1"}) == (
        200,
        {"role": "standby", "server": "", "switched": False},
    )


def test_the_active_one_has_the_address_and_says_so_on_the_network(member: Member) -> None:
    assert member.ask("configure", TOLD)[1]["role"] == "standby"
    assert member.ask("configure", TOLD | {"role": "active"}) == (200, {"role": "active", "server": "id-1"})
    assert member.ask("activate", {}) == (200, {"role": "active", "server": "id-1"})
    assert (member.at / "addresses").read_text() == f"    inet {ADDRESS}/32 scope global eth0\n"
    assert wait_until(lambda: member.asked("arping") == f"-q -U -I eth0 {ADDRESS}\n", timeout_seconds=10)


def test_the_active_one_hands_over_once(member: Member) -> None:
    member.ask("configure", TOLD | {"role": "active"})
    switched = {"role": "standby", "server": "id-1", "switched": True}
    assert member.ask("switch", {"from": "id-1"}) == (200, switched)
    assert member.asked("wget") == f"-q -O /dev/null --post-data {{}} {PEER}/activate\n"
    assert member.ask("switch", {"from": "id-1"}) == (200, switched | {"switched": False})
    assert not (member.at / "kept/lock").exists()


def test_a_member_that_does_not_leave_keeps_the_address(member: Member) -> None:
    member.ask("configure", TOLD | {"role": "active"})
    assert member.ask("switch", {"from": "id-2"})[1] == {
        "role": "active",
        "server": "id-1",
        "switched": False,
    }
    assert member.ask("switch", {"group": "sbc", "from": "sbc-1"})[1]["switched"]


@pytest.mark.parametrize(("taken", "role"), [("0", "active"), ("1", "standby")])
def test_when_the_peer_gives_no_answer_the_address_is_taken_back_unless_the_peer_has_it(
    member: Member, taken: str, role: str
) -> None:
    member.ask("configure", TOLD | {"role": "active"})
    member.note("refuses", "1")
    member.note("taken", taken)
    status, answer = member.ask("switch", {"from": "id-1"})
    assert (status, answer["role"], answer["error"]) == (503, role, "the peer does not take over")


def test_the_standby_takes_over_also_from_a_peer_that_is_gone(member: Member) -> None:
    member.ask("configure", TOLD)
    member.note("refuses", "1")
    assert member.ask("switchover", {}) == (200, {"role": "active", "server": "id-1", "switched": True})
    assert member.asked("wget").endswith(f"{PEER}/release\n")
    assert member.ask("release", {}) == (200, {"role": "standby", "server": "id-1"})
