"""Interruptions of services, as probes of their addresses measured them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ProbeMethod(StrEnum):
    """How an address is asked whether its service answers."""

    ICMP = "icmp"
    TCP = "tcp"
    HTTP = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One time in which a service address did not answer.

    :ivar host: the node that was worked on.
    :ivar group: the group (the VNF's part) whose service it is.
    :ivar address: what was asked: an address, with its port or path where the method has one.
    :ivar started_at: the last answer before it; aware.
    :ivar seconds: from the last answer before it to the first one after it, or to the probe's end.
    :ivar cause: what the probe saw, and what was done with the node at that time, in words.
    """

    cloud: str
    campaign: str
    run_id: str
    host: str
    group: str
    address: str
    method: ProbeMethod
    started_at: datetime
    seconds: float
    cause: str = ""
