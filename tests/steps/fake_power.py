"""Stops and starts of the fake Nova: a request is accepted, and done some looks later, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tests.steps.fake_records import Guest, request

from escalator.model.errors import ConflictError

LOOKS = 2
"""At so many looks a server is still busy."""
_ASKED = {"powering-off": ("active", "stopped"), "powering-on": ("stopped", "active")}


class PowerFault(StrEnum):
    """How stops and starts of a server go wrong."""

    NONE = ""
    HANG_OFF = "hang-off"
    """It never ends being stopped."""
    FAIL_ON = "fail-on"
    """Its guest does not start: the server is shut off as before."""
    HANG_ON = "hang-on"
    """It never ends being started."""


@dataclass
class Power:
    """A server that is being stopped or started, and how many looks it still takes."""

    guest: Guest
    looks: int = LOOKS


class FakePower:
    """The part of ``FakeCloud`` that stops and starts servers; what it is of, that class has."""

    powers: list[Power]

    def _wrote(self, verb: str, subject: str, detail: str, found: str | None = None) -> None:
        raise NotImplementedError

    def _guest(self, server_id: str) -> Guest:
        raise NotImplementedError

    @request
    def stop_server(self, server_id: str) -> None:
        self._power(server_id, "stop", "powering-off")

    @request
    def start_server(self, server_id: str) -> None:
        self._power(server_id, "start", "powering-on")

    def _power(self, server_id: str, verb: str, task: str) -> None:
        guest = self._guest(server_id)
        if guest.vm_state != _ASKED[task][0] or guest.task_state is not None:
            raise ConflictError(f"HTTP 409: {server_id} is {guest.vm_state}, {guest.task_state}")
        self._wrote(verb, server_id, guest.host)
        guest.task_state = task
        self.powers.append(Power(guest))

    def _look(self) -> None:
        """Let what is under way come a look nearer to its end."""
        for power in tuple(self.powers):
            guest, power.looks = power.guest, power.looks - 1
            task = guest.task_state or ""
            hangs = {"powering-off": PowerFault.HANG_OFF, "powering-on": PowerFault.HANG_ON}.get(task)
            if power.looks > 0 or (hangs is not None and guest.power_fault == hangs):
                continue
            self.powers.remove(power)
            if task in _ASKED:
                failed = task == "powering-on" and guest.power_fault == PowerFault.FAIL_ON
                guest.vm_state = _ASKED[task][0 if failed else 1]
                guest.task_state = None
