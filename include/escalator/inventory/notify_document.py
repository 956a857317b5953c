"""Who is told of a campaign, as a pydantic model of the inventory settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from escalator.documents.document_model import DocumentModel, OrNull, Text, Word, refuse
from escalator.documents.faults import Fault
from escalator.documents.wording import show_value
from escalator.model.occasion import Notify, Occasion, Way


def _refuse_no_address(text: str) -> str:
    name, at, domain = text.rpartition("@")
    if not (name and at and domain) or not text.isprintable() or any(c.isspace() or c in ",;" for c in text):
        raise refuse(f"is no address of mail, such as ops@example.org: {show_value(text)}")
    return text


MailAddress = Annotated[Text, AfterValidator(_refuse_no_address)]


class NotifyDocument(DocumentModel):
    """Who is told of what, and by which way: one entry of a list; in YAML ``on`` would mean true."""

    when: Annotated[list[Word[Occasion]], Field(min_length=1)]
    via: Word[Way]
    conn_id: Text
    to: OrNull[list[MailAddress]] = Field(default=[])

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find a mail to nobody, and addresses that nobody would read."""
        if values.get("via") == Way.SMTP and not values.get("to"):
            yield Fault(("to",), "must name who gets the mail")
        if values.get("via") in {Way.WEBHOOK.value, Way.SLACK.value} and values.get("to"):
            yield Fault(("to",), "is for via: smtp; of the other ways the connection says where it goes")


def notify_of(documents: Sequence[NotifyDocument]) -> tuple[Notify, ...]:
    """Make the settings from their models."""
    return tuple(Notify(when=tuple(d.when), via=d.via, conn_id=d.conn_id, to=tuple(d.to)) for d in documents)


def notify_to_document(notify: Sequence[Notify]) -> list[dict[str, Any]]:
    """Write the settings as plain JSON data."""
    return [
        {
            "when": [str(occasion) for occasion in one.when],
            "via": str(one.via),
            "conn_id": one.conn_id,
            **({"to": list(one.to)} if one.to else {}),
        }
        for one in notify
    ]
