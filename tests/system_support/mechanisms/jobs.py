"""Jobs as a step makes them, on the real clock but in a hurry."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from escalator.system_support.mechanisms import NodeJob
from escalator.system_support.shell import Connect


def now() -> datetime:
    return datetime.now(tz=UTC)


def make_job(connect: Connect, purpose: str, version: str, *, seconds: float = 60) -> NodeJob:
    return NodeJob(
        connect=connect,
        version=version,
        job_id=f"token_{purpose}_{version}",
        deadline=now() + timedelta(seconds=seconds),
        clock=now,
        sleep=lambda pause: time.sleep(pause / 2),
    )
