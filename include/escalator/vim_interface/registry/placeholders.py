"""Placeholders such as ``{name}`` in the addresses and commands of a VNF file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from escalator.model.errors import InvalidRequestError

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
OF_MEMBERS = ("id", "name", "address")
OF_COMMANDS = ("group", "from_id", "from_name", "to_id", "to_name")


def find_placeholders(text: str) -> tuple[str, ...]:
    """Return the names in braces, in their order."""
    return tuple(_PLACEHOLDER.findall(text))


def fill_placeholders(text: str, values: Mapping[str, str]) -> str:
    """Put the values in for the names in braces; what a value has in braces stays as it is.

    :raises InvalidRequestError: there is no value for a name.
    """
    missing = [name for name in find_placeholders(text) if name not in values]
    if missing:
        raise InvalidRequestError(
            f"nothing is known to put in for {{{missing[0]}}} in {text[:80]!r}",
            remedy="correct the switchover of the group in its VNF file",
        )
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)
