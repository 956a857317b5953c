"""How campaigns get on with the alerts of a cloud, as a pydantic model of the inventory settings."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from escalator.documents.document_model import DocumentModel, OrNull, Text, Word, must_be, refuse
from escalator.model.alerts import DEFAULT_SILENCE, AlertSettings, AtStart, Matcher, Matchers
from escalator.model.errors import InvalidRequestError


def _refuse_no_matcher(text: str) -> str:
    try:
        Matcher.parse(text)
    except InvalidRequestError as exc:
        raise refuse(f"is no matcher: {exc.remedy}") from exc
    return text


MatcherText = Annotated[Text, AfterValidator(_refuse_no_matcher)]
Line = Annotated[list[MatcherText], Field(min_length=1)]
"""Matchers of which all must hold."""


class AlertsDocument(DocumentModel):
    """Alertmanager: which alerts of a node that is out are silenced, and which let no node go."""

    conn_id: Text
    silence: OrNull[list[Line] | None] = None
    gate: OrNull[list[Line]] = Field(default=[])
    margin_minutes: Annotated[
        float, Field(gt=0, le=1440, allow_inf_nan=False), must_be("a number of minutes above 0, at most 1440")
    ] = 30.0
    at_start: OrNull[Word[AtStart]] = AtStart.REFUSE


def alerts_of(document: AlertsDocument | None) -> AlertSettings | None:
    """Make the settings from their model."""
    if document is None:
        return None
    return AlertSettings(
        conn_id=document.conn_id,
        silence=DEFAULT_SILENCE if document.silence is None else _read_lines(document.silence),
        gate=_read_lines(document.gate),
        margin=timedelta(minutes=document.margin_minutes),
        at_start=document.at_start,
    )


def alerts_to_document(alerts: AlertSettings) -> dict[str, Any]:
    """Write the settings as plain JSON data."""
    return {
        "conn_id": alerts.conn_id,
        "silence": [[matcher.write() for matcher in line] for line in alerts.silence],
        "gate": [[matcher.write() for matcher in line] for line in alerts.gate],
        "margin_minutes": alerts.margin.total_seconds() / 60,
        "at_start": str(alerts.at_start),
    }


def _read_lines(lines: list[list[str]]) -> tuple[Matchers, ...]:
    return tuple(tuple(Matcher.parse(text) for text in line) for line in lines)
