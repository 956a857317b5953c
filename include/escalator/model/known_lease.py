"""A lease as it stands in the cloud, with what is known of whoever took it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalator.model.lease import Lease
from escalator.model.run_life import RunLife


class LeaseOwner(StrEnum):
    """Who took a lease, as this installation's ledger tells.

    OURS: word for word what the ledger says. ALTERED: a run of the ledger, but not its words. UNKNOWN: it has
    our id, and the ledger knows nothing of it: the ledger was lost or rolled back, or was copied.
    """

    OURS = "this installation"
    ALTERED = "this installation, in other words than its ledger has"
    UNKNOWN = "this installation, but its ledger does not know it"
    ANOTHER = "another installation"
    EARLIER = "an earlier release"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLease:
    """One lease of a cloud.

    :ivar reason: the exact disabled reason.
    :ivar dag_id: DAG of the run that took it, when the ledger knows the run.
    :ivar since: when it was taken (aware); None: nobody says.
    :ivar unproved: the software of the node may be another than it was, and is not proved.
    """

    host: str
    reason: str
    lease: Lease
    owner: LeaseOwner
    campaign: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    life: RunLife = RunLife.NOT_ASKED
    since: datetime | None = None
    unproved: bool = True

    @property
    def counts(self) -> bool:
        """Tell whether the lease counts against K: one with a mark does not."""
        return self.lease.mark is None

    @property
    def orphaned(self) -> bool:
        """Tell whether nobody will end the lease: it has no mark, and the run that took it is over."""
        return self.counts and self.life.is_over

    @property
    def ownerless(self) -> bool:
        """Tell whether nobody that is known here ends the lease: orphaned, or the ledger does not know it."""
        return self.orphaned or (self.counts and self.owner is LeaseOwner.UNKNOWN)

    @property
    def story(self) -> str:
        """Say since when the node is out, for whom, how far it got, and what became of the run."""
        phase = f", {self.lease.phase}" if self.lease.phase is not None else ""
        run = f"its run {self.run_id} is {self.life}" if self.run_id else "no run of the ledger has it"
        since = f" since {self.since.isoformat(timespec='minutes')}" if self.since is not None else ""
        return f"it is out{since} under the lease of {self.lease.holder}{phase}: {run}"

    @property
    def installation(self) -> str:
        """Return the id of the installation that took it; ``earlier`` for a release that had none."""
        return self.lease.installation or "earlier"
