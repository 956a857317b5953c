"""Errors, by what the caller must do about them.

"Not now" is a verdict, not an error. Exceptions of other libraries are translated into these at the edge
of the package that calls them, with the OpenStack request id where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from escalator.model.verdict import Code, Verdict


class EscalatorError(Exception):
    """Any error that Escalator raises on purpose.

    :param message: what is wrong, and where.
    :param remedy: what a person can do about it.
    :param request_id: the ``x-openstack-request-id`` of the call that failed.
    :param code: the reason by its code; None: the kind of the error says enough.
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        request_id: str | None = None,
        code: Code | None = None,
    ) -> None:
        message = message.encode(errors="backslashreplace").decode()  # names of files may be no text
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.request_id = request_id
        self.code = code

    @property
    def said(self) -> str:
        """Return what a command line says of it: a line with what is wrong, and one with what to do."""
        return f"escalator: {self.message}" + (f"\n  -> {self.remedy}" if self.remedy else "")

    def __str__(self) -> str:
        """Say the message, the remedy and the request id on one line."""
        text = self.message
        if self.remedy:
            text = f"{text} -> {self.remedy}"
        return f"{text} [{self.request_id}]" if self.request_id else text


class InvalidRequestError(EscalatorError):
    """What was asked for is wrong; nothing was written."""


class ForbiddenError(InvalidRequestError):
    """The cloud does not let this user do or read it (HTTP 403); nothing was written."""


class StepHungError(EscalatorError):
    """A step has taken so long that it will not end by itself; what it began goes on."""


class NotFoundError(EscalatorError):
    """A named thing does not exist in the cloud (any more)."""


class ConflictError(EscalatorError):
    """The thing is in a state that forbids the call (HTTP 409); nothing was written."""


class PlanInfeasibleError(EscalatorError):
    """The request cannot be carried out on this cloud; carries every reason."""

    def __init__(self, message: str, *, blockers: Sequence[Verdict] = (), remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.blockers = tuple(blockers)


class TransientError(EscalatorError):
    """A call failed in a way that another try may mend; whether it did what it should is not known.

    :param retry_after_seconds: for how long the service asks not to be called; None when it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        remedy: str | None = None,
        request_id: str | None = None,
        code: Code | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy, request_id=request_id, code=code)
        self.retry_after_seconds = retry_after_seconds


class RateLimitedError(TransientError):
    """The service takes no more calls for now (HTTP 429): this one did nothing."""


class NodeFaultError(EscalatorError):
    """Something is wrong with this node only; the campaign decides what that means for the others."""


class LoginRefusedError(NodeFaultError):
    """The node refuses the log-in; where accounts come from a directory, that may pass in minutes."""


class LeaseLostError(NodeFaultError):
    """The node is not ours (any more): somebody enabled it, or changed its reason."""


class SupersededError(EscalatorError):
    """A newer attempt at the same step has begun: this one must not write any more."""
