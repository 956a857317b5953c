"""What tasks of a run ask a person, and its answers: Airflow's required actions, and nothing beside them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from escalator.model.approval import CrossWord, GoOnWord
from escalator.model.node_facts import PersonWord
from escalator.model.order import Verb

if TYPE_CHECKING:
    from escalator_airflow.board.means import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one task asks, and nobody has answered.

    :ivar options: the answers that there are.
    """

    dag_id: str
    run_id: str
    task_id: str
    options: tuple[str, ...]

    @property
    def group(self) -> str:
        """Return the id of the task's group: that of its node."""
        return self.task_id.rpartition(".")[0]


class Questions(Protocol):
    """Knows what the runs of this Airflow ask."""

    def find(self, dag_id: str, run_id: str) -> tuple[Question, ...]:
        """Return what a run asks, and nobody has answered."""

    def answer(self, question: Question, word: str, person: Person) -> bool:
        """Answer for a person, as Airflow's own page does; return False when somebody was quicker.

        :raises RefusedError: they may not answer it.
        """

    def has_ended(self, dag_id: str, run_id: str) -> bool:
        """Tell whether a run has ended in Airflow, or is not there."""


def find_answers(verb: Verb, questions: Iterable[Question], group: str | None) -> list[tuple[Question, str]]:
    """Return which questions of a run an order answers, and how.

    Approving says that the campaign goes on; that a node goes out which cannot go back only where that node
    is named. Who stops the campaign says that neither is so, and that a node which VNF managers refuse is
    left out; so does who takes that node out of the run.

    :param group: id of the node's task group; None: the order is of the whole campaign.
    """
    match verb:
        case Verb.APPROVE:
            crossing = (CrossWord.GO_ON,) if group is not None else ()
            words: tuple[str, ...] = (GoOnWord.GO_ON, *crossing)
        case Verb.STOP:
            words = (GoOnWord.STOP, PersonWord.LEAVE, CrossWord.STOP)
        case Verb.SKIP | Verb.HOLD:
            words = (PersonWord.LEAVE,)
        case _:
            words = ()
    concerned = (q for q in questions if group is None or q.group == group)
    return [(question, str(word)) for question in concerned for word in words if word in question.options]
