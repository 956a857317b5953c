"""The boots of a fake node: it obeys an order to reboot, is away for a while, and comes back or does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.steps.fake_records import START, Clock, Fuse

from escalator.model.boot import RebootSigns
from escalator.model.errors import EscalatorError, TransientError
from escalator.system_support.boots import _ORDER, write_boot_script

_ORDERED = _ORDER.partition("{boot_id}")[0]


@dataclass
class FakeBoots:
    """Which boot a node is in.

    :ivar stops: seconds for which a node that obeys still answers; :ivar away: for which it is silent then.
    :ivar obeys: False: the order does nothing. :ivar comes_back: False: it stays away.
    :ivar orders: those that were obeyed.
    :ivar refusal: what a connection meets while the node comes up.
    """

    clock: Clock = field(default_factory=Clock)
    began: datetime = START - timedelta(days=30)
    number: int = 1
    signs: RebootSigns = field(default_factory=lambda: RebootSigns(kernel="6.1.0-9-amd64"))
    system: str = "running"
    failed: str = ""
    stops: float = 4.0
    away: float = 30.0
    obeys: bool = True
    comes_back: bool = True
    orders: int = 0
    stopping_at: datetime | None = None
    refusal: EscalatorError | None = None

    @property
    def boot_id(self) -> str:
        self._go_on()
        return f"boot-{self.number}"

    def reboot(self) -> None:
        """Obey an order, or a person's hand."""
        if self.stopping_at is None and self.obeys:
            self.stopping_at = self.clock.now
            self.orders += 1

    def check_answers(self) -> None:
        """Raise what a connection to a node meets that is away."""
        self._go_on()
        if self.stopping_at is not None and self.clock.now >= self.stopping_at + timedelta(
            seconds=self.stops
        ):
            raise self.refusal or TransientError("connection refused")

    def answer(self, command: str, fuse: Fuse) -> str | None:
        """Answer one of the scripts about boots; None: it is another command."""
        if command.startswith(_ORDERED):
            fuse.burn()
            if self.boot_id in command:
                self.reboot()
            fuse.burn()
            return ""
        if command not in {write_boot_script(), write_boot_script(signs=True)}:
            return None
        up = (self.clock.now - self.began).total_seconds()
        signs = self.signs
        state = "stopping" if self.stopping_at is not None else self.system
        code = "" if signs.needs_restarting is None else signs.needs_restarting
        return (
            f"boot_id={self.boot_id}\nup={up}\nbegan=0\nticks=100\nsystem={state}\nfailed={self.failed}\n"
            f"flag={signs.flag}\nasked_by={' '.join(signs.asked_by)}\nneeds_restarting={code}\n"
            f"kernel={signs.kernel}\nkernels={' '.join(signs.kernels)}\n"
        )

    def _go_on(self) -> None:
        if self.stopping_at is None or not self.comes_back:
            return
        up_at = self.stopping_at + timedelta(seconds=self.stops + self.away)
        if self.clock.now >= up_at:
            self.began, self.number, self.stopping_at = up_at, self.number + 1, None
