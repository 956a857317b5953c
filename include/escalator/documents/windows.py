"""Read the maintenance windows: from a document of ``escalator.windows/1``, or every fault at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from escalator.documents.document_model import (
    DocumentModel,
    GivenName,
    OrNull,
    Text,
    list_mappings,
    read_document,
)
from escalator.documents.faults import Fault, say_faults
from escalator.documents.requests import WindowRunDocument
from escalator.model.errors import InvalidRequestError
from escalator.model.window import Window, Windows

LONGEST_MINUTES = 7 * 24 * 60


class WindowDocument(DocumentModel):
    """One window: when a drain domain may be upgraded, and with which parameters."""

    cloud: GivenName
    domain: GivenName
    cron: Text
    timezone: OrNull[Text] = "UTC"
    minutes: Annotated[int, Field(ge=1, le=LONGEST_MINUTES)]
    run: WindowRunDocument


class WindowsDocument(DocumentModel):
    """The windows of all clouds, one for a drain domain at most."""

    schema_: Literal["escalator.windows/1"] = Field(alias="schema")
    windows: OrNull[list[WindowDocument]] = Field(default=[])

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find the domains that have two windows."""
        pairs = (
            (window.get("cloud"), window.get("domain")) for _, window in list_mappings(values, "windows")
        )
        named = Counter(pair for pair in pairs if all(isinstance(word, str) and word for word in pair))
        for (cloud, domain), times in named.items():
            if times > 1:
                yield Fault(
                    ("windows",), f"domain {domain} of cloud {cloud} has {times}, a DAG has one schedule"
                )


def parse_windows(document: object) -> Windows:
    """Read the windows from their document; whether a cron rule can be read is not judged here.

    :raises InvalidRequestError: names every fault with its path, such as ``windows[0].minutes: ...``.
    """
    found = read_document(WindowsDocument, document)
    if isinstance(found, list):
        raise InvalidRequestError(
            f"the windows cannot be read: {say_faults(found)}", remedy="correct the file"
        )
    return Windows(windows=tuple(_window(window) for window in found.windows))


def _window(window: WindowDocument) -> Window:
    return Window(
        cloud=window.cloud,
        domain=window.domain,
        cron=window.cron,
        timezone=window.timezone,
        minutes=window.minutes,
        run={
            "on_blocked": window.run.on_blocked.value,
            **window.run.model_dump(mode="json", exclude_unset=True),
        },
    )
