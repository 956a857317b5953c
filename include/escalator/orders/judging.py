"""Whether an order makes sense, and what follows from it: asked before it is written down."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.errors import ConflictError, InvalidRequestError, NotFoundError
from escalator.model.order import OF_CAMPAIGN, OF_NODE, Order, Verb
from escalator.model.wording import name_some
from escalator.orders.rules import find_bar, find_end_of_stay, find_pause, find_stop

MOST_REASON = 500
"""Characters of a reason."""
CONFIRMATIONS = 2
"""How often a person has to name the node whose moves are aborted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person asks for.

    :ivar host: the node; None: the whole campaign.
    :ivar confirmed: what the person gave to confirm it: the name of the node, twice.
    """

    verb: Verb
    by: str
    reason: str
    host: str | None = None
    confirmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What an order is judged on, read in the transaction that writes it.

    :ivar nodes: how the nodes of the run stand.
    :ivar claimed: hosts whose lease is being taken, or was: host -> id of the newest order then.
    :ivar orders: what was ordered of the run before.
    """

    nodes: tuple[NodeProgress, ...]
    claimed: Mapping[str, int]
    orders: tuple[Order, ...] = ()

    def is_in_flight(self, node: NodeProgress) -> bool:
        """Tell whether a node is out, or takes its lease now."""
        return node.state.under_way or (not node.state.ended and node.host in self.claimed)

    @property
    def in_flight(self) -> tuple[str, ...]:
        """Return the hosts that are out, or take their lease now."""
        return tuple(node.host for node in self.nodes if self.is_in_flight(node))

    @property
    def waiting(self) -> tuple[str, ...]:
        """Return the hosts that may still go out."""
        return tuple(n.host for n in self.nodes if not self.is_in_flight(n) and _may_come(n))


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What follows from an order.

    :ivar at_once: it is in force with being written.
    """

    effect: str
    at_once: bool = True
    in_flight: bool = False


def check_words(asked: Asked) -> None:
    """See that an order is complete in itself.

    :raises InvalidRequestError: says what is missing or wrong.
    """
    allowed = OF_NODE if asked.host is not None else OF_CAMPAIGN
    if asked.verb not in allowed:
        what = "a campaign" if asked.host is not None else "a node: name one"
        raise InvalidRequestError(f"{asked.verb} is ordered of {what}")
    if not asked.reason.strip():
        raise InvalidRequestError(f"{asked.verb} needs a reason", remedy="say why: it is written down")
    if len(asked.reason) > MOST_REASON:
        raise InvalidRequestError(f"the reason has {len(asked.reason)} characters, {MOST_REASON} are kept")


def judge_order(asked: Asked, ground: Ground) -> Accepted:
    """Say what follows from an order, in words that name the nodes.

    :raises InvalidRequestError: it is not complete.
    :raises NotFoundError: the run has no such node.
    :raises ConflictError: it makes no sense as the run stands: nothing was written.
    """
    check_words(asked)
    if asked.host is not None:
        return _judge_node(asked, asked.host, ground)
    if not ground.in_flight and not ground.waiting:
        raise ConflictError("every node's way is at its end: there is nothing to order of this run")
    stop = find_stop(ground.orders)
    if stop is not None and asked.verb is not Verb.APPROVE:
        raise ConflictError(f"no node of this run goes out any more: {stop}")
    pause = find_pause(ground.orders)
    match asked.verb:
        case Verb.PAUSE if pause is not None:
            raise ConflictError(f"it is paused already: {pause}")
        case Verb.RESUME if pause is None:
            raise ConflictError("it is not paused")
        case Verb.PAUSE:
            return Accepted(effect=f"no node goes out until resume; {_say_who(ground, 'wait')}")
        case Verb.RESUME:
            return Accepted(effect=f"nodes go out again, {_name(ground.waiting)} may; all else as before")
        case Verb.STOP:
            return Accepted(effect=f"no node of this run goes out any more; {_say_who(ground, 'stay in')}")
        case _:
            return Accepted(effect="the campaign goes on after its nodes that are upgraded", at_once=False)


def _judge_node(asked: Asked, host: str, ground: Ground) -> Accepted:
    node = next((n for n in ground.nodes if n.host == host), None)
    if node is None:
        known = name_some([n.host for n in ground.nodes])
        raise NotFoundError(f"{host} is not a node of this run", remedy=f"its nodes: {known}")
    if asked.verb is Verb.APPROVE:
        after = f"the campaign goes on after {host}"
        effect = after if node.state.ended else f"{host} goes out, and others that cannot go back either"
        return Accepted(effect=effect, at_once=False)
    if ground.is_in_flight(node):
        return _judge_in_flight(asked, node, ground)
    if not _may_come(node):
        raise ConflictError(f"{host} is {node.state}, its way is at its end: {node.message or 'it is done'}")
    bar = find_bar(ground.orders, host)
    if bar is not None:
        raise ConflictError(f"{host} does not go out in this run: {bar}")
    match asked.verb:
        case Verb.SKIP:
            return Accepted(effect=f"{host} is left out of this run")
        case Verb.HOLD:
            return Accepted(effect=f"{host} does not go out in this run: it is held until another one")
        case _:
            raise ConflictError(f"no move of {host} is under way: it waits for its turn")


def _judge_in_flight(asked: Asked, node: NodeProgress, ground: Ground) -> Accepted:
    host, state = node.host, node.state
    if asked.verb is Verb.SKIP:
        raise ConflictError(
            f"{host} is in flight already ({state}): it cannot be skipped",
            remedy=f"hold {host} ends its way at the next safe point",
        )
    before = find_end_of_stay(ground.orders, host, ground.claimed.get(host))
    if before is not None and (before.verb is asked.verb or before.verb is Verb.ABORT_MOVES):
        raise ConflictError(f"{host} is held at its next safe point already: {before}")
    if asked.verb is Verb.HOLD:
        return Accepted(effect=f"{host} is held {_name_safe_point(state)}", at_once=False, in_flight=True)
    if state is not NodeState.MIGRATING:
        raise ConflictError(f"no move of {host} is under way: it is {state}")
    if asked.confirmed != (host,) * CONFIRMATIONS:
        raise ConflictError(
            f"the live moves off {host} that are under way would be aborted, its servers stay where they are "
            "then, and it is held; nothing was done",
            remedy=f"confirm it twice with the name of the node: {host}, {host}",
        )
    effect = f"the live moves off {host} are aborted, cold ones land, then it is held"
    return Accepted(effect=effect, at_once=False, in_flight=True)


def _name_safe_point(state: NodeState) -> str:
    """Say where the next safe point of a node in flight is."""
    match state:
        case NodeState.MIGRATING:
            return "when the moves under way have landed: its other servers stay on it"
        case NodeState.UPGRADING | NodeState.UPGRADED | NodeState.VERIFIED:
            return "when it is upgraded and proved: it is not given back"
        case _:
            return "before its next step: its servers stay on it"


def _may_come(node: NodeProgress) -> bool:
    """Tell whether a node that is not in flight may still go out by itself."""
    return (not node.state.ended and not node.stopped) or node.gave_way


def _say_who(ground: Ground, do: str) -> str:
    finish = f"in flight, and finish: {_name(ground.in_flight)}"
    return f"{finish}; {do}: {_name(ground.waiting)}"


def _name(hosts: Collection[str]) -> str:
    return ", ".join(hosts) or "none"
