"""Reads ``escalator.vnfms/1``: the managers of VNFs and how each is spoken to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, WrapValidator

from escalator.documents.document_model import (
    DocumentModel,
    GivenName,
    Name,
    OrNull,
    Text,
    Word,
    list_mappings,
    must_be,
    read_document,
    refuse,
)
from escalator.documents.faults import Fault
from escalator.documents.wording import show_value
from escalator.model.vnfm import (
    LONGEST_REPLY_SECONDS,
    InstanceSelector,
    ManagerRole,
    OnNack,
    OnSilence,
    Vnfm,
    VnfmKind,
)

LONGEST_SESSION_REPLY_SECONDS = 86_400
_MOST_SECONDS = 10**7
_SELECTS_BY = ("name", "metadata")
_LAST_PORT = 65_535


def _read_url(text: str) -> str:
    """Refuse what is no address to POST to, and an address that holds a password.

    The address itself is not shown when it may hold one.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise refuse("is no address: its host or port cannot be read") from None
    if "@" in parts.netloc:
        raise refuse("must not hold a name or password: put them into the connection (conn_id)")
    if parts.scheme not in {"http", "https"} or not host:
        raise refuse(f"must be an address that begins with http:// or https://, not {show_value(text)}")
    if port == 0 or not text.isprintable() or " " in text or parts.fragment:
        raise refuse(f"must be an address without blanks and '#', not {show_value(text)}")
    return text


def _say_limit(longest: int) -> WrapValidator:
    return must_be(f"seconds, more than 0 and at most {longest}")


_URL = r"^[Hh][Tt][Tt][Pp][Ss]?://[^@\s/?#]+([/?][^\s#]*)?$"
Url = Annotated[Text, AfterValidator(_read_url), Field(json_schema_extra={"pattern": _URL})]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ReplySeconds = Annotated[_Seconds, Field(le=LONGEST_REPLY_SECONDS), _say_limit(LONGEST_REPLY_SECONDS)]
SessionReplySeconds = Annotated[
    _Seconds, Field(le=LONGEST_SESSION_REPLY_SECONDS), _say_limit(LONGEST_SESSION_REPLY_SECONDS)
]
DeadlineSeconds = Annotated[_Seconds, Field(le=_MOST_SECONDS), _say_limit(_MOST_SECONDS)]


class SelectorDocument(DocumentModel):
    """Servers of the manager's projects: by name, by metadata, or by both at once."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": [key]} for key in _SELECTS_BY]})
    name: GivenName | None = None
    metadata: Annotated[dict[str, Text], Field(min_length=1)] | None = None

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find a selector that would select everything."""
        if all(values.get(key) is None for key in _SELECTS_BY):
            yield Fault((), "must have name, metadata or both; leave selectors out to select every server")


class VnfmDocument(DocumentModel):
    """One manager."""

    id: Name
    cloud: Name
    kind: Word[VnfmKind]
    url: Url
    projects: Annotated[list[GivenName], Field(min_length=1)]
    role: OrNull[Word[ManagerRole]] = ManagerRole.VNFM
    selectors: OrNull[list[SelectorDocument]] = Field(default=[])
    conn_id: Name | None = None
    reply_seconds: OrNull[ReplySeconds] = 300.0
    session_reply_seconds: OrNull[SessionReplySeconds] = 600.0
    on_silence: OrNull[Word[OnSilence]] = OnSilence.MIGRATE
    on_nack: OrNull[Word[OnNack]] = OnNack.ASK_AGAIN
    nack_deadline_seconds: DeadlineSeconds | None = None
    health_url: Url | None = None
    strict_migrate: OrNull[bool] = False
    scale_lock: OrNull[bool] = False

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find a lock of scaling that its kind cannot be told, and projects that are named twice."""
        kind = values.get("kind")
        if values.get("scale_lock") is True and isinstance(kind, str) and kind != VnfmKind.WEBHOOK:
            yield Fault(
                ("scale_lock",), "must be false: only the kind webhook has messages that lock scaling"
            )
        projects = values.get("projects")
        named = (
            Counter(p for p in projects if isinstance(p, str)) if isinstance(projects, list) else Counter()
        )
        for project, times in named.items():
            if times > 1:
                yield Fault(("projects",), f"{show_value(project)} is there {times} times")


class VnfmsDocument(DocumentModel):
    """The managers of all clouds."""

    schema_: Literal["escalator.vnfms/1"] = Field(alias="schema")
    vnfms: OrNull[list[VnfmDocument]] = Field(default=[])

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find ids that are there twice, and projects that two managers claim as a whole."""
        ids: dict[str, int] = {}
        whole: dict[tuple[str, str], int] = {}
        for index, vnfm in list_mappings(values, "vnfms"):
            vnfm_id = vnfm.get("id")
            if isinstance(vnfm_id, str) and ids.setdefault(vnfm_id, index) != index:
                yield Fault(("vnfms", index, "id"), f"is that of vnfms[{ids[vnfm_id]}] already")
            for pair in _list_wholly_claimed(vnfm):
                if whole.setdefault(pair, index) != index:
                    words = f"vnfms[{whole[pair]}] has all servers of {show_value(pair[1])} already"
                    yield Fault(("vnfms", index, "projects"), f"{words}: give one of them selectors")


def _list_wholly_claimed(vnfm: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    """Yield cloud and id of the projects whose servers are the manager's without exception."""
    cloud, projects = vnfm.get("cloud"), vnfm.get("projects")
    if vnfm.get("selectors") or vnfm.get("role") == ManagerRole.NFVO or not isinstance(cloud, str):
        return
    for project in (
        dict.fromkeys(p for p in projects if isinstance(p, str)) if isinstance(projects, list) else ()
    ):
        yield cloud, project


def parse_vnfms(document: object, file: str) -> tuple[Vnfm, ...] | list[str]:
    """Read the managers from their document, or every fault with its path.

    :param file: name of the file; stands before every fault.
    """
    found = read_document(VnfmsDocument, document)
    if isinstance(found, list):
        return [f"{file}: {fault}" for fault in found]
    return tuple(_vnfm(vnfm) for vnfm in found.vnfms)


def _vnfm(vnfm: VnfmDocument) -> Vnfm:
    values = {name: getattr(vnfm, name) for name in VnfmDocument.model_fields}
    values["projects"] = tuple(vnfm.projects)
    values["selectors"] = tuple(
        InstanceSelector(name=selector.name, metadata=selector.metadata or {}) for selector in vnfm.selectors
    )
    return Vnfm(**values)
