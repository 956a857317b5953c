"""What the Nova of a node allows a live migration: a few options of ``[libvirt]`` in its nova.conf."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSettings:
    """The options, each with Nova's default.

    :ivar auto_converge: a busy guest is slowed down until its memory is across.
    :ivar post_copy: a busy guest goes on at the destination before its memory is there.
    :ivar timeout_action: what Nova does after the completion timeout: abort or force_complete.
    :ivar completion_timeout: seconds for each GiB of memory and disk that is copied; 0: no limit.
    :ivar inbound_address: over which address memory comes in; None: that of the node's name.
    """

    auto_converge: bool = False
    post_copy: bool = False
    timeout_action: str = "abort"
    completion_timeout: int = 800
    inbound_address: str | None = None
