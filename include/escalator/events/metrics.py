"""Every metric of Escalator's, and what an event adds to them. This is the one place that has their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from escalator.events.conclusion import MEASURED, REFUSED
from escalator.events.event import Action, Event
from escalator.events.told_gaps import OVER
from escalator.events.told_run import ARRIVED
from escalator.model.campaign import NodeProgress, NodeState
from escalator.model.verdict import SubjectType


class Kind(StrEnum):
    """What is done with the values of a metric: they are summed, the last counts, or they are spread."""

    COUNTER = "counter"
    GAUGE = "gauge"
    TIMING = "timing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    :ivar name: below the prefix that Airflow puts before all (``airflow``).
    :ivar tags: in the order in which they follow the name where the backend has no tags.
    """

    name: str
    kind: Kind
    tags: tuple[str, ...]
    meaning: str

    @property
    def prometheus_name(self) -> str:
        """Return what it is called in Prometheus, by docs/monitoring/statsd-mapping.yaml."""
        return self.name.replace(".", "_") + _ENDINGS[self.kind]


_ENDINGS = {Kind.COUNTER: "_total", Kind.GAUGE: "", Kind.TIMING: "_seconds"}
"""How Prometheus would have names end."""

NODES: Final = Metric(
    name="escalator.nodes",
    kind=Kind.GAUGE,
    tags=("cloud", "campaign", "state"),
    meaning="nodes of a campaign by their state, set whenever one changes; at its end those that stay out",
)
STEP_DURATION: Final = Metric(
    name="escalator.step_duration",
    kind=Kind.TIMING,
    tags=("cloud", "step", "result"),
    meaning="how long a try of a step took",
)
STEPS_OVERDUE: Final = Metric(
    name="escalator.steps_overdue",
    kind=Kind.COUNTER,
    tags=("cloud", "step"),
    meaning="tries of steps that took longer than nine in ten do",
)
API_CALLS: Final = Metric(
    name="escalator.api_calls",
    kind=Kind.COUNTER,
    tags=("cloud", "step"),
    meaning="calls of OpenStack's APIs that steps of nodes made",
)
DECISIONS: Final = Metric(
    name="escalator.decisions",
    kind=Kind.COUNTER,
    tags=("cloud", "result", "code"),
    meaning="reasons for which nodes wait at the door, counted when they change",
)
MOVES: Final = Metric(
    name="escalator.moves",
    kind=Kind.COUNTER,
    tags=("cloud", "method", "result"),
    meaning="moves of servers that have ended",
)
MOVE_DURATION: Final = Metric(
    name="escalator.move_duration",
    kind=Kind.TIMING,
    tags=("cloud", "method"),
    meaning="how long moves took that arrived",
)
INTERRUPTION: Final = Metric(
    name="escalator.interruption",
    kind=Kind.TIMING,
    tags=("cloud", "kind"),
    meaning="how long each guest (of those that are measured) or service was silent; told with the report",
)
OVER_LIMIT: Final = Metric(
    name="escalator.interruptions_over_limit",
    kind=Kind.COUNTER,
    tags=("cloud",),
    meaning="interruptions of services that are longer than allowed, counted as soon as they are",
)
REBOOT_DURATION: Final = Metric(
    name="escalator.reboot_duration",
    kind=Kind.TIMING,
    tags=("cloud",),
    meaning="from the order of a reboot until the node is back",
)
SWITCHES: Final = Metric(
    name="escalator.switches",
    kind=Kind.COUNTER,
    tags=("cloud", "method", "result"),
    meaning="switchovers of VNFs: begun, verified, restored",
)
QUESTIONS: Final = Metric(
    name="escalator.questions",
    kind=Kind.COUNTER,
    tags=("cloud",),
    meaning="times that a person was asked",
)
CAMPAIGNS: Final = Metric(
    name="escalator.campaigns",
    kind=Kind.COUNTER,
    tags=("cloud", "result"),
    meaning="campaigns that were concluded",
)
METRICS: Final = (
    NODES,
    STEP_DURATION,
    STEPS_OVERDUE,
    API_CALLS,
    DECISIONS,
    MOVES,
    MOVE_DURATION,
    INTERRUPTION,
    OVER_LIMIT,
    REBOOT_DURATION,
    SWITCHES,
    QUESTIONS,
    CAMPAIGNS,
)
"""All of them; the same stand in the table of docs/monitoring/README.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One value of a metric: a count, the value of a gauge, or seconds."""

    metric: Metric
    value: float
    tags: Mapping[str, str]


def list_measures(event: Event) -> Iterator[Measure]:
    """Say what an event adds to the metrics; the gauge of nodes is not among it, it needs the ledger."""
    measure = _MEASURES.get(event.action)
    return iter(()) if measure is None else measure(event)


def count_nodes(event: Event, read_nodes: Callable[[], Iterable[NodeProgress]]) -> Iterator[Measure]:
    """Say how many nodes of the event's campaign are in which state; zero where none is.

    With the end of the campaign only those count that it leaves out of service, marked FAILED or HELD: a
    gauge keeps its last value, and the campaign has no other nodes any more.

    :param read_nodes: reads how the nodes of the campaign's run stand; asked only when they are counted.
    """
    if event.action not in _COUNTED or event.result == REFUSED:
        return  # one that was refused says nothing of the nodes that an earlier run has left out
    is_over = event.action is Action.CAMPAIGN_CONCLUDED
    found = Counter(n.state for n in read_nodes() if n.selected and (n.mark is not None or not is_over))
    for state in NodeState:
        yield _measure(NODES, found[state], event.about.cloud, event.about.campaign, str(state))


def _measure_step(event: Event) -> Iterator[Measure]:
    step = str(event.step or "")
    if event.seconds is not None:
        yield _measure(STEP_DURATION, event.seconds, event.about.cloud, step, event.result or "")
    calls = event.details.get("api_calls")
    if isinstance(calls, int) and calls > 0:
        yield _measure(API_CALLS, calls, event.about.cloud, step)


def _measure_move(event: Event) -> Iterator[Measure]:
    cloud, method = event.about.cloud, str(event.details.get("method") or "")
    yield _measure(MOVES, 1, cloud, method, event.result or "")
    if event.result == ARRIVED and event.seconds is not None:
        yield _measure(MOVE_DURATION, event.seconds, cloud, method)


def _measure_interruption(event: Event) -> Iterator[Measure]:
    if event.result == OVER:
        yield _measure(OVER_LIMIT, 1, event.about.cloud)
    elif event.result == MEASURED and event.seconds is not None:
        of_server = event.subject is not None and event.subject.type is SubjectType.SERVER
        yield _measure(INTERRUPTION, event.seconds, event.about.cloud, "guest" if of_server else "service")


def _measure_reboot(event: Event) -> Iterator[Measure]:
    if event.seconds is not None:
        yield _measure(REBOOT_DURATION, event.seconds, event.about.cloud)


def _count(metric: Metric) -> Callable[[Event], Iterator[Measure]]:
    """Count an event under what it says of the metric's tags."""

    def count(event: Event) -> Iterator[Measure]:
        known = {
            "cloud": event.about.cloud,
            "step": str(event.step or ""),
            "result": event.result or "",
            "code": str(event.code or ""),
            "method": str(event.details.get("method") or ""),
        }
        yield _measure(metric, 1, *(known[tag] for tag in metric.tags))

    return count


def _measure(metric: Metric, value: float, *tags: str) -> Measure:
    return Measure(metric=metric, value=value, tags=dict(zip(metric.tags, tags, strict=True)))


_COUNTED = frozenset({Action.NODE_STATE, Action.CAMPAIGN_OPENED, Action.CAMPAIGN_CONCLUDED})
"""With these the nodes are counted anew."""
_MEASURES: Mapping[Action, Callable[[Event], Iterator[Measure]]] = {
    Action.STEP_ENDED: _measure_step,
    Action.STEP_OVERDUE: _count(STEPS_OVERDUE),
    Action.DECISION: _count(DECISIONS),
    Action.MOVE: _measure_move,
    Action.INTERRUPTION: _measure_interruption,
    Action.REBOOT: _measure_reboot,
    Action.SWITCH: _count(SWITCHES),
    Action.QUESTION: _count(QUESTIONS),
    Action.CAMPAIGN_CONCLUDED: _count(CAMPAIGNS),
}
