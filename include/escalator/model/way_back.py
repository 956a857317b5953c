"""The way back of a node: to what it would return if what a bundle brought were undone, or why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What undoing a bundle on one node would come to.

    :ivar reason: why there is no way back; empty: there is one.
    :ivar versions: what the node would have afterwards, by component or package; empty: nothing is undone.
    """

    reason: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def one_way(cls, reason: str) -> Self:
        """Say that the node cannot go back, and why."""
        return cls(reason=reason)

    @classmethod
    def to_previous(cls, versions: Mapping[str, str]) -> Self:
        """Say what the node would go back to."""
        return cls(versions=dict(versions))

    @property
    def is_one_way(self) -> bool:
        """Tell whether the node cannot go back."""
        return bool(self.reason)

    def __str__(self) -> str:
        """Say it in words: ``one-way: …``, or ``back to nova-compute 33.0.2``."""
        if self.reason:
            return f"one-way: {self.reason}"
        named = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"back to {named}" if named else "nothing to undo"
