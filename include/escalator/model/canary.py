"""What the operator wants canaries to be made of, and what would keep them from starting."""

from __future__ import annotations

from dataclasses import dataclass

NO_NETWORK = "none"
"""A canary without a network card."""
AUTO_NETWORK = "auto"
"""A canary on a network that Nova chooses for the project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryWish:
    """What is wanted: a flavor, an image and a network by name or id; None: Escalator chooses.

    :ivar network: ``none`` (the default) and ``auto`` are Nova's words.
    :ivar off: no canary is booted: a node is proved without one.
    """

    flavor: str | None = None
    image: str | None = None
    network: str | None = None
    off: bool | None = None

    def over(self, other: CanaryWish) -> CanaryWish:
        """Return this wish; where it says nothing, the other one."""
        return CanaryWish(
            flavor=self.flavor or other.flavor,
            image=self.image or other.image,
            network=self.network or other.network,
            off=other.off if self.off is None else self.off,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryFault:
    """What would keep canaries from starting; ``sure`` is false where it could not be looked at."""

    message: str
    remedy: str
    sure: bool = True
