"""Approvals: after which nodes a person has to say that a campaign goes on, and what was said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Approval(StrEnum):
    """After which nodes the campaign waits for a person: none, the first one, each."""

    NONE = "none"
    CANARY = "canary"
    EVERY_NODE = "every-node"


class GoOnWord(StrEnum):
    """What a person says after a node."""

    GO_ON = "Go on"
    STOP = "No further node"


class CrossWord(StrEnum):
    """What a person says before a node that cannot go back."""

    GO_ON = "Go on, without a way back"
    STOP = "No such node"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAnswer:
    """What was answered after a node, when (aware), and by whom; empty: by nobody in time."""

    go_on: bool
    by: str
    at: datetime


class RestoreWord(StrEnum):
    """What a person says of a node that is about to be put back to its backup."""

    RESTORE = "Restore it, and lose what was changed since"
    LEAVE = "Leave it as it is"
