"""The drain lease: how a node's disabled reason says whose it is.

``escalator:<campaign>:<run>:<token>[:FAILED|:HELD] <words>``, at most 255 characters (Nova's column).
The words carry ``max_parallel=K``, the limit that the campaign itself keeps, so that others can keep it too.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from enum import StrEnum

PREFIX = "escalator"
MAX_LENGTH = 255
"""Characters that Nova keeps of a disabled reason."""
_CAMPAIGN_LENGTH = 80
_SHAPE = re.compile(
    r"^escalator:(?P<campaign>[^:\s]+):(?P<run>[^:\s]+):(?P<token>[0-9a-f]+)(?::(?P<mark>FAILED|HELD))?"
    r"(?: (?P<words>.*))?$",
    re.DOTALL,
)
_LIMIT = re.compile(r"\bmax_parallel=(\d+)\b")


class LeaseMark(StrEnum):
    """Why a lease outlives its campaign: the node failed, or is held part-way with its old software."""

    FAILED = "FAILED"
    HELD = "HELD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A node's lease: who took it (campaign, run), for which attempt (token), and how it stands (mark)."""

    campaign: str
    run: str
    token: str
    mark: LeaseMark | None = None
    words: str = ""

    @classmethod
    def of(cls, *, campaign: str, run_id: str, host: str, words: str = "") -> Lease:
        """Make the lease of a host in a run: the same run and host always give the same token.

        :param campaign: name of the campaign, such as a DAG id.
        :param run_id: the run's id, of any form.
        :param host: nova-compute service host.
        """
        run = hashlib.sha256(run_id.encode()).hexdigest()[:12]
        token = hashlib.sha256(f"{campaign}\0{run_id}\0{host}".encode()).hexdigest()[:16]
        name = re.sub(r"[^A-Za-z0-9_.-]", "-", campaign)[:_CAMPAIGN_LENGTH]
        return cls(campaign=name, run=run, token=token, words=words)

    @classmethod
    def parse(cls, reason: str | None) -> Lease | None:
        """Read a disabled reason; None when it is not a lease of Escalator's."""
        match = _SHAPE.match(reason or "")
        if match is None:
            return None
        mark = match["mark"]
        return cls(
            campaign=match["campaign"],
            run=match["run"],
            token=match["token"],
            mark=LeaseMark(mark) if mark else None,
            words=match["words"] or "",
        )

    def render(self) -> str:
        """Write the disabled reason, cut to what Nova keeps."""
        mark = f":{self.mark}" if self.mark else ""
        text = f"{PREFIX}:{self.campaign}:{self.run}:{self.token}{mark} {self.words}"
        return text.rstrip()[:MAX_LENGTH]

    def marked(self, mark: LeaseMark | None, words: str | None = None) -> Lease:
        """Return this lease with another mark and, if given, other words."""
        return replace(self, mark=mark, words=self.words if words is None else words)

    def same_holder(self, other: Lease | None) -> bool:
        """Tell whether both leases were taken by the same run for the same node."""
        return other is not None and (self.campaign, self.run, self.token) == (
            other.campaign,
            other.run,
            other.token,
        )

    @property
    def max_parallel(self) -> int | None:
        """Return the limit its campaign keeps; None when the words do not say."""
        found = _LIMIT.search(self.words)
        return int(found.group(1)) if found else None
