"""How far the copy of a guest's memory has come: pure arithmetic over time. Standard library only."""

from dataclasses import dataclass
from enum import StrEnum

from .faults import MigrationFault, MigrationOrder  # relative: Nova sees this package under its own name

FAILS_AT = 0.5
DIES_AT = 0.3
HANGS_AT = 0.99


class CopyOutcome(StrEnum):
    """What the copy is doing."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    DIED = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryCopy:
    """The copy of one guest's memory.

    :param memory_mib: memory of the guest.
    :param bandwidth_mib_per_second: of the network between the nodes.
    :param order: the fault ordered for it, and how long it shall take.
    """

    memory_mib: int
    bandwidth_mib_per_second: float
    order: MigrationOrder

    @property
    def seconds(self) -> float:
        """Return how long the copy takes when nothing goes wrong."""
        if self.order.seconds is not None:
            return self.order.seconds
        return self.memory_mib / self.bandwidth_mib_per_second

    def fraction_at(self, elapsed_seconds: float) -> float:
        """Return how much is copied, 0 to 1; a copy that hangs stays below 1 for ever."""
        done = min(1.0, elapsed_seconds / self.seconds) if self.seconds > 0 else 1.0
        return min(done, HANGS_AT) if self.order.fault is MigrationFault.HANG else done

    def outcome_at(self, elapsed_seconds: float) -> CopyOutcome:
        """Return what the copy is doing after so many seconds."""
        done = self.fraction_at(elapsed_seconds)
        match self.order.fault:
            case MigrationFault.FAIL if done >= FAILS_AT:
                return CopyOutcome.FAILED
            case MigrationFault.DIE if done >= DIES_AT:
                return CopyOutcome.DIED
            case _:
                return CopyOutcome.DONE if done >= 1.0 else CopyOutcome.RUNNING
