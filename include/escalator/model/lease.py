"""The drain lease: how a node's disabled reason says whose it is, and how far the node got.

``escalator:<campaign>:<run>:<installation>-<digest>-<nonce>:<PHASE>[:FAILED|:HELD] <words>``, at most 255
characters (Nova's column). The words begin with ``max_parallel=K``, the limit that the campaign itself keeps,
so that others can keep it too, and ``since=T``, when the lease was taken. No two writes give the same text.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

PREFIX = "escalator"
MAX_LENGTH = 255
"""Characters that Nova keeps of a disabled reason."""
NO_INSTALLATION = "00000000"
"""The installation of a plan that was never put into a ledger."""
_CAMPAIGN_LENGTH = 80
_TIME = "%Y%m%dT%H%M%SZ"
_SHAPE = re.compile(
    r"^escalator:(?P<campaign>[^:\s]+):(?P<run>[^:\s]+):"
    r"(?P<token>[0-9a-f]+(?:-[0-9a-f]+)?)(?:-(?P<nonce>[0-9a-f]+))?"
    r"(?::(?P<phase>ADMITTED|DRAINING|UPGRADING|VERIFIED))?(?::(?P<mark>FAILED|HELD))?"
    r"(?: (?P<words>.*))?$",
    re.DOTALL,
)
_FACTS = re.compile(r"^(?:max_parallel=(?P<limit>\d{1,6})\b ?)?(?:since=(?P<since>\d{8}T\d{6}Z)\b ?)?")


class LeaseMark(StrEnum):
    """Why a lease outlives its campaign: the node failed, or is held part-way with its old software."""

    FAILED = "FAILED"
    HELD = "HELD"


class LeasePhase(StrEnum):
    """How far a node got under its lease; written into the lease before the phase begins.

    ADMITTED: nothing is changed but the lease. DRAINING: servers leave. UPGRADING: its software may be
    another, and is not proved. VERIFIED: all is proved.
    """

    ADMITTED = "ADMITTED"
    DRAINING = "DRAINING"
    UPGRADING = "UPGRADING"
    VERIFIED = "VERIFIED"

    @property
    def software_touched(self) -> bool:
        """Tell whether the software of the node may be another than it was."""
        return self in {LeasePhase.UPGRADING, LeasePhase.VERIFIED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A node's lease: who took it (campaign, run, token), how far it got (phase), how it stands (mark).

    :ivar token: of installation, campaign, run and host: the same for every text of one holder.
    :ivar nonce: another with every write.
    :ivar phase: None: the lease was written by a release that had no phases.
    :ivar max_parallel: the limit its campaign keeps; None: it does not say.
    :ivar since: when it was taken (aware, whole seconds); None: it does not say.
    """

    campaign: str
    run: str
    token: str
    nonce: str = ""
    phase: LeasePhase | None = LeasePhase.ADMITTED
    mark: LeaseMark | None = None
    max_parallel: int | None = None
    since: datetime | None = None
    words: str = ""

    @classmethod
    def of(
        cls,
        *,
        campaign: str,
        run_id: str,
        host: str,
        installation: str = NO_INSTALLATION,
        max_parallel: int | None = None,
        words: str = "",
    ) -> Lease:
        """Make the lease of a host in a run: installation, run and host always give the same token.

        :param campaign: name of the campaign, such as a DAG id.
        :param run_id: the run's id, of any form.
        :param host: nova-compute service host.
        :param installation: id of the installation: eight hexadecimal digits.
        """
        digest = hashlib.sha256(f"{campaign}\0{run_id}\0{host}".encode()).hexdigest()[:16]
        token = f"{installation}-{digest}"
        name, run = name_run(campaign, run_id)
        return cls(campaign=name, run=run, token=token, max_parallel=max_parallel, words=_clean(words))

    @classmethod
    def parse(cls, reason: str | None) -> Lease | None:
        """Read a disabled reason; None when it is not a lease of Escalator's."""
        match = _SHAPE.match(reason or "")
        if match is None:
            return None
        words = match["words"] or ""
        facts = _FACTS.match(words)
        limit, since = (facts["limit"], facts["since"]) if facts else (None, None)
        return cls(
            campaign=match["campaign"],
            run=match["run"],
            token=match["token"],
            nonce=match["nonce"] or "",
            phase=LeasePhase(match["phase"]) if match["phase"] else None,
            mark=LeaseMark(match["mark"]) if match["mark"] else None,
            max_parallel=int(limit) if limit else None,
            since=_read_time(since),
            words=words[facts.end() :] if facts else words,
        )

    def render(self) -> str:
        """Write the disabled reason, cut to what Nova keeps."""
        token = f"{self.token}-{self.nonce}" if self.nonce else self.token
        phase = f":{self.phase}" if self.phase else ""
        mark = f":{self.mark}" if self.mark else ""
        facts = [
            f"max_parallel={self.max_parallel}" if self.max_parallel is not None else "",
            f"since={self.since.astimezone(UTC).strftime(_TIME)}" if self.since is not None else "",
            self.words,
        ]
        words = " ".join(filter(None, facts))
        return f"{PREFIX}:{self.campaign}:{self.run}:{token}{phase}{mark} {words}".strip()[
            :MAX_LENGTH
        ].rstrip()

    def marked(self, mark: LeaseMark | None, words: str | None = None) -> Lease:
        """Return this lease with another mark and, if given, with words in place of all that it said."""
        if words is None:
            return replace(self, mark=mark)
        return replace(self, mark=mark, words=_clean(words), max_parallel=None, since=None)

    def at(self, phase: LeasePhase) -> Lease:
        """Return this lease in another phase."""
        return replace(self, phase=phase)

    def renewed(self) -> Lease:
        """Return this lease with a nonce of its own: what is written next."""
        return replace(self, nonce=secrets.token_hex(3))

    def same_holder(self, other: Lease | None) -> bool:
        """Tell whether both leases were taken by the same run for the same node."""
        return other is not None and (self.campaign, self.run, self.token) == (
            other.campaign,
            other.run,
            other.token,
        )

    @property
    def installation(self) -> str | None:
        """Return the id of the installation that took it; None when a release before phases wrote it."""
        return self.token.partition("-")[0] if self.phase is not None else None

    @property
    def holder(self) -> str:
        """Say whose it is: ``campaign upgrade__a__b (run 0f3c…) of installation 1a2b3c4d``."""
        of = f" of installation {self.installation}" if self.installation else ""
        return f"campaign {self.campaign} (run {self.run}){of}"


def name_run(campaign: str, run_id: str) -> tuple[str, str]:
    """Return the two words that name a campaign and its run in every lease of the run."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", campaign)
    if len(name) > _CAMPAIGN_LENGTH:  # parts of one domain differ at their end only
        name = f"{name[: _CAMPAIGN_LENGTH - 9]}-{hashlib.sha256(campaign.encode()).hexdigest()[:8]}"
    return name, make_run_digest(run_id)


def make_run_digest(run_id: str) -> str:
    """Return the twelve hexadecimal digits that name a run in its leases."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:12]


def _read_time(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC) if text else None
    except ValueError:
        return None


def _clean(words: str) -> str:
    """Keep words on one line and in ASCII: Nova's column may not hold more, and it is compared exactly."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", " ".join(words.encode("ascii", "replace").decode().split()))
