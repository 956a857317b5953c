"""Giving an order: it is written down before anything follows from it, and before it is answered."""

from __future__ import annotations

import logging
from dataclasses import replace

from escalator.events.event import Action
from escalator.events.lines import list_line_hearers
from escalator.events.teller import Teller
from escalator.ledger.order_book import Given
from escalator.model.errors import ConflictError
from escalator.model.order import Order, Verb
from escalator.orders.judging import Asked, check_words, judge_order
from escalator.orders.rules import find_stop
from escalator_airflow.board.means import Means, Person
from escalator_airflow.board.questions import Question, find_answers

log = logging.getLogger(__name__)


def give_order(means: Means, person: Person, dag_id: str, run_id: str, asked: Asked) -> Given:
    """Write an order of a run, and answer the required actions that it answers.

    Killed after it was written, it counts all the same; what it leaves unanswered is answered when it is
    given again, or by hand.

    :raises EscalatorError: it makes no sense, or not now: nothing was written.
    :raises RefusedError: somebody may not answer what it answers.
    """
    check_words(asked)
    orders, questions = means.open_ledger().run(dag_id, run_id).orders(), means.questions()
    if questions.has_ended(dag_id, run_id):
        raise ConflictError("the run has ended: there is nothing to order of it any more")
    asks = questions.find(dag_id, run_id)
    _require_question(asked, asks)
    try:
        given = orders.insert(asked, judge=judge_order, now=means.clock())
    except ConflictError:
        stop = find_stop(orders.read()) if asked.verb is Verb.STOP else None
        if stop is not None:
            _answer(means, person, stop, asks)
        raise
    log.info("%s; %s", given.order, given.order.effect)
    _tell(means, given.order, dag_id, run_id)
    _answer(means, person, given.order, asks)
    if asked.verb is not Verb.APPROVE:
        return given
    now = means.clock()
    orders.take_effect(now, host=asked.host, verbs=(Verb.APPROVE,))
    return given._replace(order=replace(given.order, effective_at=now))


def _tell(means: Means, order: Order, dag_id: str, run_id: str) -> None:
    """Tell the order to whoever hears the events of the run."""
    plan = means.open_ledger().run(dag_id, run_id).plan()
    if plan is not None:
        Teller.of_plan(plan, list_line_hearers()).tell(
            Action.ORDER,
            at=order.at,
            node=order.host,
            actor=order.by,
            result=str(order.verb),
            message=f"{order.reason}; {order.effect}",
        )


def _require_question(asked: Asked, asks: tuple[Question, ...]) -> None:
    """See that somebody waits for what is approved.

    :raises ConflictError: nobody does.
    """
    if asked.verb is not Verb.APPROVE:
        return
    if not find_answers(asked.verb, asks, _find_group(asked.host)):
        what = asked.host or "this run"
        raise ConflictError(f"nobody is asked whether the campaign goes on after {what}")


def _answer(means: Means, person: Person, order: Order, asks: tuple[Question, ...]) -> None:
    for question, word in find_answers(order.verb, asks, _find_group(order.host)):
        if means.questions().answer(question, word, person):
            log.info("%s is answered: %s", question.task_id, word)


def _find_group(host: str | None) -> str | None:
    """Return the id of a node's task group."""
    from escalator_airflow.graph import make_group_id  # noqa: PLC0415  heavy: only who orders needs it

    return None if host is None else make_group_id(host)
