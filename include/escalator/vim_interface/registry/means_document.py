"""Reads ``switchover:`` and ``probe:`` of a group in a VNF file."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from escalator.documents.document_model import DocumentModel, Name, OrNull, Text, Word, must_be, refuse
from escalator.documents.faults import Fault
from escalator.model.vnf_means import (
    CommandMeans,
    FloatingIpMeans,
    HttpMeans,
    OctaviaMeans,
    ProbeMethod,
    ProbeTarget,
    SwitchoverMeans,
    SwitchSide,
    VipPortMeans,
)
from escalator.vim_interface.registry.placeholders import (
    OF_COMMANDS,
    OF_MEMBERS,
    find_placeholders,
)

_HOST = r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]+$"
_PATH = r"^/[!-~]*$"
_LONGEST_SECONDS = 3600
_LAST_PORT = 65535


def _read_address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _judge_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        host = parts.netloc if "{" in parts.netloc else parts.hostname
        whole = parts.scheme in {"http", "https"} and bool(host) and text.isprintable()
        whole = whole and (parts.port is None or parts.port > 0)
    except ValueError:
        whole = False
    if not whole or " " in text:
        raise refuse("must be a URL that begins with http:// or https://")
    if "@" in parts.netloc:
        raise refuse("must not have a user or a password in it: the file is no place for secrets")
    return text


Address = Annotated[
    Text,
    AfterValidator(_read_address),
    Field(json_schema_extra={"pattern": r"^[0-9A-Fa-f:.]+$"}),
    must_be("an IP address"),
]
Host = Annotated[str, Field(pattern=_HOST), must_be("an IP address or the name of a machine")]
Url = Annotated[Text, AfterValidator(_judge_url), Field(json_schema_extra={"pattern": "^https?://"})]
Path = Annotated[str, Field(pattern=_PATH), must_be("a path that begins with '/'")]
Port = Annotated[int, Field(ge=1, le=_LAST_PORT)]
Patience = Annotated[
    float, Field(gt=0, le=_LONGEST_SECONDS), must_be("seconds, more than 0 and at most 3600")
]
Drain = Annotated[float, Field(ge=0, le=_LONGEST_SECONDS), must_be("seconds from 0 to 3600")]


class FloatingIpDocument(DocumentModel):
    """A floating IP that is moved to the standby."""

    method: Literal["floating-ip"]
    address: Address

    def to_means(self) -> SwitchoverMeans:
        """Return what the model has of it."""
        return FloatingIpMeans(address=self.address)


class VipPortDocument(DocumentModel):
    """An address that port security lets one member use: by its port, or itself."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["port"]}, {"required": ["address"]}]}
    )
    method: Literal["vip-port"]
    port: Name | None = None
    address: Address | None = None

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find that the address is said twice, or not at all."""
        yield from _exactly_one(values, "port", "address")

    def to_means(self) -> SwitchoverMeans:
        """Return what the model has of it."""
        return VipPortMeans(port=self.port, address=self.address)


class OctaviaDocument(DocumentModel):
    """Members of a pool, or of every pool of a load balancer, whose weight becomes 0."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["pool"]}, {"required": ["load_balancer"]}]}
    )
    method: Literal["octavia"]
    pool: Name | None = None
    load_balancer: Name | None = None
    drain_seconds: OrNull[Drain] = 60.0

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find that both are there, or neither."""
        yield from _exactly_one(values, "pool", "load_balancer")

    def to_means(self) -> SwitchoverMeans:
        """Return what the model has of it."""
        return OctaviaMeans(
            pool=self.pool, load_balancer=self.load_balancer, drain_seconds=self.drain_seconds
        )


class HttpDocument(DocumentModel):
    """Members that tell and change their role over HTTP."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["url"]}, {"required": ["urls"]}]})
    method: Literal["http"]
    url: Url | None = None
    urls: Annotated[dict[Text, Url], Field(min_length=1)] | None = None
    switch: OrNull[Path] = "/switchover"
    post_to: OrNull[Word[SwitchSide]] = SwitchSide.STANDBY
    role: OrNull[Path] = "/role"
    active: OrNull[Text] = "active"
    timeout_seconds: OrNull[Patience] = 10.0

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find that no member has an address of its own."""
        url = values.get("url")
        if url is None and values.get("urls") is None:
            yield Fault((), "must have url or urls")
        if not isinstance(url, str):
            return
        found = find_placeholders(url)
        yield from (Fault(("url",), words) for words in _unknown(found, OF_MEMBERS))
        if not found:
            yield Fault(("url",), "must have {id}, {name} or {address} in it: it is that of every member")

    def to_means(self) -> SwitchoverMeans:
        """Return what the model has of it."""
        return HttpMeans(
            url=self.url,
            urls=self.urls or {},
            switch_path=self.switch,
            switch_at=self.post_to,
            role_path=self.role,
            active_word=self.active,
            timeout_seconds=self.timeout_seconds,
        )


class CommandDocument(DocumentModel):
    """A program that switches over, on the machine that runs the task."""

    method: Literal["command"]
    argv: Annotated[list[Text], Field(min_length=1)]
    role_argv: Annotated[list[Text], Field(min_length=1)] | None = None
    timeout_seconds: OrNull[Patience] = 60.0

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find programs without a path, and placeholders that nothing is put in for."""
        for key, known in (("argv", OF_COMMANDS), ("role_argv", ("group",))):
            words = values.get(key)
            for index, word in enumerate(words if isinstance(words, list) else ()):
                if not isinstance(word, str):
                    continue
                if index == 0 and not word.startswith("/"):
                    yield Fault((key, 0), "must be the whole path of a program: no shell looks for it")
                yield from (Fault((key, index), f) for f in _unknown(find_placeholders(word), known))

    def to_means(self) -> SwitchoverMeans:
        """Return what the model has of it."""
        return CommandMeans(
            argv=tuple(self.argv),
            role_argv=tuple(self.role_argv or ()),
            timeout_seconds=self.timeout_seconds,
        )


class IcmpProbeDocument(DocumentModel):
    """An address that answers echo requests."""

    method: Literal["icmp"]
    address: Host

    def to_target(self, group: str) -> ProbeTarget:
        """Return what the model has of it."""
        return ProbeTarget(group=group, method=ProbeMethod.ICMP, address=self.address)


class TcpProbeDocument(DocumentModel):
    """An address and port that take connections."""

    method: Literal["tcp"]
    address: Host
    port: Port

    def to_target(self, group: str) -> ProbeTarget:
        """Return what the model has of it."""
        return ProbeTarget(group=group, method=ProbeMethod.TCP, address=self.address, port=self.port)


class HttpProbeDocument(DocumentModel):
    """A URL that answers."""

    method: Literal["http"]
    url: Url

    def to_target(self, group: str) -> ProbeTarget:
        """Return what the model has of it; the address is the part of the URL that names the machine."""
        parts = urlsplit(self.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return ProbeTarget(
            group=group, method=ProbeMethod.HTTP, address=parts.hostname or "", port=port, url=self.url
        )


AnySwitchover = FloatingIpDocument | VipPortDocument | OctaviaDocument | HttpDocument | CommandDocument
AnyProbe = IcmpProbeDocument | TcpProbeDocument | HttpProbeDocument
_MODE_OF = {"floating-ip": "active-standby", "vip-port": "active-standby", "octavia": "load-balanced"}


def find_faults_of_means(group: Mapping[Any, Any]) -> Iterator[Fault]:
    """Find a method that the mode of its group does not have."""
    means, mode = group.get("switchover"), group.get("mode")
    if not isinstance(means, Mapping) or not isinstance(mode, str):
        return
    method = means.get("method")
    wanted = _MODE_OF.get(method) if isinstance(method, str) else None
    if mode == "none":
        yield Fault(("switchover",), "is for groups whose members stand in for one another, not of mode none")
    elif wanted is not None and mode != wanted:
        yield Fault(("switchover", "method"), f"is for groups of mode {wanted}")


def _exactly_one(values: Mapping[Any, Any], one: str, other: str) -> Iterator[Fault]:
    if (values.get(one) is None) is (values.get(other) is None):
        yield Fault((), f"must have exactly one of {one}, {other}")


def _unknown(found: tuple[str, ...], known: tuple[str, ...]) -> Iterator[str]:
    for name in found:
        if name not in known:
            listed = ", ".join(f"{{{word}}}" for word in known)
            yield f"has {{{re.sub(r'[^A-Za-z0-9_]', '?', name)[:40]}}} in it, known are {listed}"
