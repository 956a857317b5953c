"""What can be done about a lease, and what must not be."""

from __future__ import annotations

from enum import StrEnum

from escalator.model.errors import InvalidRequestError
from escalator.model.known_lease import KnownLease, LeaseOwner
from escalator.model.lease import LeaseMark
from escalator.model.run_life import RunLife


class Action(StrEnum):
    """What a person may do with a lease that nobody ends."""

    RELEASE = "release"
    MARK_FAILED = "mark-failed"


def say_what_to_do(known: KnownLease) -> str:
    """Say what a person can do about a lease."""
    if known.life is RunLife.RUNNING:
        return _say_while_running(known)
    if known.owner is LeaseOwner.OURS:
        return _say_for_ours(known)
    return f"{_say_who_knows(known)}: {_say_end_of_stranger(known)}"


def _say_while_running(known: KnownLease) -> str:
    if known.owner is LeaseOwner.ALTERED:
        return (
            "somebody changed the words, or the ledger was rolled back, so its run leaves it alone: find out "
            "who; when the run is over, look again: escalator leases"
        )
    host = known.host
    return f"nothing: its run goes on; to end it, clear {host}.admit with downstream or mark the run failed"


def _say_who_knows(known: KnownLease) -> str:
    """Say what is to be found out before the lease of a stranger is ended."""
    match known.owner:
        case LeaseOwner.ANOTHER:
            return f"ask the people of installation {known.installation}; when it is gone for good"
        case LeaseOwner.EARLIER:
            return "finish the campaign with the release that began it, or, when its run is over"
        case LeaseOwner.ALTERED:
            return "somebody changed the words, or the ledger was rolled back: find out who; then"
        case _:
            return (
                "the ledger was lost or rolled back, or there is a copy of this installation: find out; then"
            )


def _say_end_of_stranger(known: KnownLease) -> str:
    host, foreign = known.host, f"--foreign {known.installation}"
    if known.lease.mark is not LeaseMark.FAILED:
        return f"escalator leases mark-failed {host} {foreign}"
    unverified = " --unverified" if known.unproved else ""
    return f"look at {host}, and to enable it: escalator leases release {host} {foreign}{unverified}"


def _say_for_ours(known: KnownLease) -> str:
    host = known.host
    if known.life is RunLife.NOT_ASKED:
        return "see first whether its run lives: set ESCALATOR_AIRFLOW_URL and the password"
    if known.life is RunLife.FINISHED:
        again = f"clear {host}.admit with downstream in run {known.run_id}"
        return again if known.lease.mark else f"{again}, or {_say_end(known)}"
    return _say_end(known)


def _say_end(known: KnownLease) -> str:
    host = known.host
    if not known.unproved:
        return f"look at {host}, then escalator leases release {host}"
    if known.lease.mark is None:
        return f"it was upgraded and never verified: escalator leases mark-failed {host}, look at it now"
    return f"it was never verified: look at {host}, then escalator leases release {host} --unverified"


def refuse_action(
    action: Action, known: KnownLease, *, foreign: str | None = None, unverified: bool = False
) -> None:
    """Refuse what would end a lease that somebody may still hold, or enable a node that is not proved.

    :param foreign: id of the installation that took the lease, as a person named it on purpose.
    :param unverified: a person wants a node enabled whose software may be another, and was never proved.
    :raises InvalidRequestError: says why, and what to do instead.
    """
    host, named = known.host, foreign == known.installation
    if foreign is not None and not named:
        raise InvalidRequestError(
            f"the lease of {host} is of installation {known.installation}, not of {foreign}",
            remedy="look again: escalator leases",
        )
    if known.life is RunLife.RUNNING:
        ends = f"clear {host}.admit with downstream, or mark the run failed: its release ends the lease"
        raise InvalidRequestError(
            f"run {known.run_id} of {known.dag_id}, which has {host} out, still goes on",
            remedy=say_what_to_do(known) if known.owner is LeaseOwner.ALTERED else ends,
        )
    if not named:
        _refuse_stranger(known)
    if action is Action.RELEASE and known.unproved and not unverified:
        raise InvalidRequestError(
            f"{host} was upgraded, or may have been, and was never verified: it is not given back",
            remedy=f"look at what it runs; then add --unverified, or escalator leases mark-failed {host}",
        )
    if action is Action.MARK_FAILED and known.lease.mark is LeaseMark.FAILED:
        raise InvalidRequestError(
            f"the lease of {host} is marked FAILED already: it does not count any more",
            remedy=say_what_to_do(known),
        )


def _refuse_stranger(known: KnownLease) -> None:
    """Refuse to end a lease of which nobody here knows whether its holder lives."""
    host = known.host
    remedy = f"when its holder is gone for good, name its installation: --foreign {known.installation}"
    if known.owner is not LeaseOwner.OURS:
        raise InvalidRequestError(
            f"the lease of {host} is of {known.owner}: whether its run lives cannot be asked here",
            remedy=remedy,
        )
    if known.life is RunLife.NOT_ASKED:
        raise InvalidRequestError(
            f"Airflow does not say whether run {known.run_id} of {known.dag_id} lives",
            remedy=f"set ESCALATOR_AIRFLOW_URL and the password; {remedy}",
        )
