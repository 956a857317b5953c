"""Metrics of campaigns through Airflow's own Stats: StatsD, Datadog's StatsD, OpenTelemetry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import chain

from airflow.configuration import conf
from airflow.sdk._shared.observability.metrics import stats as shared
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

from escalator.events.event import Event
from escalator.events.metrics import Kind, Measure, count_nodes, list_measures
from escalator.events.teller import Hear
from escalator.model.campaign import NodeProgress

_SECTION = "metrics"
_NO_PART = re.compile(r"[^A-Za-z0-9_-]+")
NONE = "none"
"""Stands in a name for a tag that has no value."""


def list_metric_hearers(read_nodes: Callable[[], Iterable[NodeProgress]]) -> tuple[Hear, ...]:
    """Return what sends metrics; nothing where Airflow sends none.

    :param read_nodes: reads how the nodes of the campaign's run stand.
    """
    on = [
        conf.getboolean(_SECTION, key, fallback=False)
        for key in ("statsd_on", "statsd_datadog_enabled", "otel_on")
    ]
    if not any(on):
        return ()
    _ensure_initialized()
    has_tags = not on[0] or on[1] or conf.getboolean(_SECTION, "statsd_influxdb_enabled", fallback=False)

    def hear(event: Event) -> None:
        for measure in chain(list_measures(event), count_nodes(event, read_nodes)):
            send(measure, has_tags=has_tags)

    return (hear,)


def send(measure: Measure, *, has_tags: bool) -> None:
    """Send one value; a backend without tags gets them as parts of the name, in their order."""
    values = {tag: _NO_PART.sub("_", value) or NONE for tag, value in measure.tags.items()}
    name = measure.metric.name if has_tags else ".".join((measure.metric.name, *values.values()))
    tags = values if has_tags else None
    match measure.metric.kind:
        case Kind.COUNTER:
            stats.incr(name, int(measure.value), tags=tags)
        case Kind.GAUGE:
            stats.gauge(name, measure.value, tags=tags)
        case Kind.TIMING:
            stats.timing(name, timedelta(seconds=measure.value), tags=tags)


def _ensure_initialized() -> None:
    """Let Airflow's Stats know where to send: a task's runner has said it, what runs triggers has not."""
    if getattr(shared, "_factory", None) is None:
        legacy = conf.getboolean(_SECTION, "legacy_names_on", fallback=True)
        stats.initialize(factory=get_stats_factory(), export_legacy_names=legacy)
