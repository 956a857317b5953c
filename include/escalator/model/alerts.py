"""Alerts of a monitoring system, how they are silenced, and which of them let no node go."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from escalator.model.errors import InvalidRequestError

HOST = "{host}"
"""Stands in a matcher for the node's nova-compute service host."""
_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL)
_NAMED = ("alertname", "instance", "hostname", "host", "severity")
"""Labels that an alert is told by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """What a label must be, or must not be: that text, or all of it by a regular expression."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    @classmethod
    def parse(cls, text: str) -> Matcher:
        """Read ``label=value``, ``!=``, ``=~`` or ``!~``; the value may stand in double quotes.

        :raises InvalidRequestError: it has another form.
        """
        found = _MATCHER.fullmatch(text)
        if found is None:
            raise InvalidRequestError(f"{text!r} is no matcher", remedy='write label=value or label=~"regex"')
        name, operator, value = found.groups()
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        return cls(
            name=name,
            value=value[1:-1] if quoted else value,
            is_regex=operator.endswith("~"),
            is_equal=operator.startswith("="),
        )

    def of_host(self, host: str) -> Matcher:
        """Put the name of a node in."""
        name = re.escape(host) if self.is_regex else host
        return Matcher(
            name=self.name,
            value=self.value.replace(HOST, name),
            is_regex=self.is_regex,
            is_equal=self.is_equal,
        )

    def write(self) -> str:
        """Write it as it is read."""
        return f'{self.name}{self._operator}"{self.value}"'

    def __str__(self) -> str:
        """Write it as Prometheus does, its value quoted and escaped."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.name}{self._operator}"{value}"'

    @property
    def _operator(self) -> str:
        end = "~" if self.is_regex else "" if self.is_equal else "="
        return ("=" if self.is_equal else "!") + end


Matchers = tuple[Matcher, ...]
"""All of them must hold."""


class AtStart(StrEnum):
    """What alerts of the gate that fire before the start do: refuse it, or be the baseline."""

    REFUSE = "refuse"
    ACCEPT = "accept"


DEFAULT_SILENCE = ((Matcher.parse("instance=~{host}([.:].*)?"),), (Matcher.parse("hostname={host}"),))
"""The labels of node_exporter and of what has the host by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """How a campaign gets on with the alerts of a cloud, as its operator declares it.

    :ivar conn_id: Airflow connection of the Alertmanager.
    :ivar silence: a node that is out has one silence for each; none: it is not silenced.
    :ivar gate: alerts that one of these is true of let no node go; none: there is no gate.
    :ivar margin: how much longer than expected a silence lasts.
    """

    conn_id: str
    silence: tuple[Matchers, ...] = DEFAULT_SILENCE
    gate: tuple[Matchers, ...] = ()
    margin: timedelta = timedelta(minutes=30)
    at_start: AtStart = AtStart.REFUSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert that fires; its fingerprint is the same whenever one with these labels does."""

    fingerprint: str
    labels: Mapping[str, str] = field(hash=False)

    def __str__(self) -> str:
        """Say which it is, by the labels that tell most."""
        name = self.labels.get("alertname", self.fingerprint)
        told = ", ".join(f"{key}={self.labels[key]}" for key in _NAMED[1:] if key in self.labels)
        return f"{name} ({told})" if told else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence that is not over. Times are aware.

    :ivar id: the system's; None: it is still to be made.
    """

    id: str | None = None
    matchers: Matchers
    comment: str
    starts_at: datetime
    ends_at: datetime
