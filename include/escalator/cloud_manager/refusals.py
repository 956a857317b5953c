"""Collects what a cloud refuses to let us read, for a look that says so in place of ending there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from escalator.model.errors import ForbiddenError
from escalator.model.unread import CloudPart, Unread

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
_ALWAYS = frozenset({CloudPart.AGENTS, CloudPart.PORTS})
"""What a look may lack in any case: Neutron's own, which is not looked at before each decision."""

log = logging.getLogger(__name__)


class Refusals:
    """The refusals of one look.

    :param may_lack: a check: what is refused is noted, and said. Else the first refusal ends the look.
    """

    def __init__(self, *, may_lack: bool) -> None:
        self.may_lack = may_lack
        self.found: list[Unread] = []

    def take(self, part: CloudPart, read: Callable[[], T], empty: T) -> T:
        """Return what is read; when that is refused, note it and return what stands in for it.

        :raises ForbiddenError: it is refused, and this look must not lack it.
        """
        try:
            return read()
        except ForbiddenError as exc:
            if not self.may_lack and part not in _ALWAYS:
                raise
            log.warning("%s: not looked at: %s", part, exc.message)
            self.found.append(Unread(part=part, message=exc.message))
            return empty

    def take_list(self, part: CloudPart, read: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
        """Return a list, an empty one when it is refused; as :meth:`take` does."""
        return self.take(part, read, ())

    def take_map(self, part: CloudPart, read: Callable[[], Mapping[K, V]]) -> Mapping[K, V]:
        """Return a mapping, an empty one when it is refused; as :meth:`take` does."""
        return self.take(part, read, {})

    def has(self, part: CloudPart) -> bool:
        """Tell whether a list was refused."""
        return any(unread.part is part for unread in self.found)

    def refuse_without_nodes(self) -> None:
        """End a look that has not even the names of the nodes: say everything that was refused at once.

        :raises ForbiddenError: services and hypervisors are refused.
        """
        if self.has(CloudPart.SERVICES) and self.has(CloudPart.HYPERVISORS):
            said = "; ".join(f"{unread.part}: {unread.message}" for unread in self.found)
            raise ForbiddenError(
                f"neither services nor hypervisors may be read, so no node is known: {said}",
                remedy="allow what docs/check.md lists under `Read-only use`",
            )
