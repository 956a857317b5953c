"""The steps of a node's life."""

from __future__ import annotations

from enum import StrEnum


class Step(StrEnum):
    """The steps of a node's life, in order; also the task names."""

    ADMIT = "admit"
    PRECHECK = "precheck"
    SWITCHOVER = "switchover"
    MIGRATE = "migrate"
    UPGRADE = "upgrade"
    VERIFY = "verify"
    RELEASE = "release"
