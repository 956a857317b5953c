"""What becomes of the nodes of a campaign that fail: they stay out, or a rollback is started for them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class OnFailedNode(StrEnum):
    """What a campaign does, once it has ended, about nodes that failed in it.

    Quarantine: they stay out of service for a person. Rollback-node: they are taken back. Rollback-campaign:
    no further node goes out once one failed, and all nodes that the run changed are taken back.
    """

    QUARANTINE = "quarantine"
    ROLLBACK_NODE = "rollback-node"
    ROLLBACK_CAMPAIGN = "rollback-campaign"

    @property
    def takes_back(self) -> bool:
        """Tell whether a rollback is started by itself."""
        return self is not OnFailedNode.QUARANTINE


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRollback:
    """A rollback that a campaign starts by itself: a run of another DAG, by its ids, and its nodes in order.

    :ivar policy: by which it is started; :ivar not_started: why it was not, with what to do; empty: it was.
    """

    policy: OnFailedNode
    campaign: str
    run_id: str
    hosts: tuple[str, ...]
    not_started: str = ""

    @property
    def is_started(self) -> bool:
        """Tell whether Airflow has the run."""
        return not self.not_started

    def __str__(self) -> str:
        """Name the run as its page in Airflow does, and its nodes."""
        return f"{self.campaign} {self.run_id} ({', '.join(self.hosts)})"
