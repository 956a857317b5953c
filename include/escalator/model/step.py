"""The steps of a node's life, and how a step ends."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """The steps that a node's life can have, in the order in which they are shown; also the task names.

    Which of them a node goes through, and in which order, its campaign's procedure says.
    """

    ADMIT = "admit"
    PRECHECK = "precheck"
    SWITCHOVER = "switchover"
    MIGRATE = "migrate"
    UPGRADE = "upgrade"
    VERIFY = "verify"
    RELEASE = "release"


class Outcome(StrEnum):
    """How a step ends: done, nothing to do, node held, node failed; waiting: it is run again later."""

    OK = "ok"
    SKIPPED = "skipped"
    HELD = "held"
    FAILED = "failed"
    WAITING = "waiting"
