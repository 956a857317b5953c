"""What is wrong with a store, by what can be done about it: trouble that may pass, and what will not."""

from __future__ import annotations

import errno

from escalator.model.errors import EscalatorError, TransientError
from escalator.model.verdict import Code

_LASTING = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
    }
)
_LASTING_TYPES = (PermissionError, FileNotFoundError, NotADirectoryError, NotImplementedError, ValueError)
_LASTING_NAMES = frozenset({"AuthenticationException", "BadHostKeyException", "NoCredentialsError"})
_WORDS = ("not in", "denied", "forbidden", "no such bucket")
_REMEDY = (
    "see that the workers can write there, and that it has room; then clear the node's admit with downstream"
)


def tell_fault(exc: Exception, shown: str, *, secret: str | None = None) -> EscalatorError:
    """Say what a store's own error means.

    :param shown: the URL as it may be shown.
    :param secret: what may not be shown, whatever the error says.
    :return: a TransientError where another try may mend it.
    """
    if isinstance(exc, EscalatorError):
        return exc
    said = (getattr(exc, "strerror", None) or str(exc) or type(exc).__name__).splitlines()[0][:300]
    if secret:
        said = said.replace(secret, "***")
    message = f"backups cannot be kept at {shown}: {said}"
    kind = EscalatorError if _lasts(exc) else TransientError
    return kind(message, remedy=_REMEDY, code=Code.BACKUP_FAILED)


def _lasts(exc: Exception) -> bool:
    if isinstance(exc, _LASTING_TYPES) or type(exc).__name__ in _LASTING_NAMES:
        return True
    if isinstance(exc, OSError) and exc.errno in _LASTING:
        return True
    return any(word in str(exc).lower() for word in _WORDS)
