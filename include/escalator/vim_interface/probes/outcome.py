"""Words for what came back instead of a good answer."""

from __future__ import annotations

import errno
import ssl

REFUSED = "refused"
UNREACHABLE = "unreachable"
RESET = "reset"
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})


def name_cause(exc: OSError) -> str:
    """Name why an address could not be asked, in a word or two."""
    match exc:
        case ConnectionRefusedError():
            return REFUSED
        case ConnectionResetError() | BrokenPipeError():
            return RESET
        case ssl.SSLError():
            return "no TLS"
    if exc.errno in _UNREACHABLE:
        return UNREACHABLE
    return f"error {errno.errorcode.get(exc.errno or 0, str(exc.errno))}"
