"""The files that belong to a bundle, as they stand in its document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field

from escalator.documents.document_model import NAME_PATTERN, DocumentModel, Name, OrNull, must_be, refuse
from escalator.documents.faults import Fault
from escalator.model.bundle import KEYRING, Artefact

MOST_ARTEFACTS = 100
"""Of one bundle: all of them go to the node in one argument."""
_CREDENTIALS = re.compile(r"[a-z]+://[^/?#]*@", re.IGNORECASE)


def refuse_credentials(place: object) -> object:
    """Refuse them before anything else is said: what is said shows the value."""
    if isinstance(place, str) and _CREDENTIALS.match(place):
        said = "has a name or a password before its @, and a bundle is in the ledger and in every report"
        raise refuse(f"{said}: write it without, and put them into ~root/.netrc or the keyring of the nodes")
    return place


FilePath = Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+$"), must_be("an absolute path, as the node has it")]
Url = Annotated[
    str,
    Field(pattern=r"^https?://[^\s\x00-\x1f]+$"),
    must_be("a URL that begins with http:// or https://"),
    BeforeValidator(refuse_credentials),
]
Place = Annotated[
    str,
    Field(pattern=r"^(?:/[^\x00-\x1f]+|https?://[^\s\x00-\x1f]+)$"),
    must_be("a URL that begins with http:// or https://, or an absolute path, as the node has it"),
    BeforeValidator(refuse_credentials),
]
_NAME = re.compile(NAME_PATTERN)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), must_be("64 hexadecimal digits in lower case")]


class ArtefactDocument(DocumentModel):
    """A file that belongs to the bundle, at a URL or at a path on the nodes."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["url"]}, {"required": ["path"]}]})
    url: Url | None = None
    path: FilePath | None = None
    sha256: Sha256
    name: Name | None = None
    signature: Place | None = None
    keyring: OrNull[FilePath] = KEYRING

    @property
    def source(self) -> str:
        """Return where it is fetched from."""
        return self.url or self.path or ""

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find that not exactly one of url and path is there, or no name that a file could have."""
        if (values.get("url") is None) == (values.get("path") is None):
            yield Fault((), "needs either url or path")
        elif values.get("name") is None and not _NAME.fullmatch(name_artefact(values)):
            yield Fault((), "needs a name: the last part of its url or path is none that a file should have")
        if values.get("keyring") is not None and values.get("signature") is None:
            yield Fault(("keyring",), "is of no use without a signature")


def read_artefact(document: ArtefactDocument) -> Artefact:
    """Return the artefact that a document without fault describes."""
    return Artefact(
        name=name_artefact({"name": document.name, "url": document.url, "path": document.path}),
        source=document.source,
        sha256=document.sha256,
        signature=document.signature,
        keyring=document.keyring,
    )


def name_artefact(values: Mapping[Any, Any]) -> str:
    """Return what an artefact is called: its name, else the last part of its URL or path; empty: nothing."""
    if isinstance(values.get("name"), str):
        return str(values["name"])
    source = values.get("url") or values.get("path")
    return re.split(r"[?#]", source)[0].rpartition("/")[2] if isinstance(source, str) else ""
