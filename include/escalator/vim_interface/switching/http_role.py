"""Switches over by HTTP: members tell their role, and change it when they are told to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from escalator.model.cloud import Server
from escalator.model.errors import InvalidRequestError, NodeFaultError, TransientError
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.model.vnf_means import HttpMeans, SwitchSide
from escalator.vim_interface.registry.placeholders import fill_placeholders
from escalator.vim_interface.switching.cloud_side import NetworkSide
from escalator.vim_interface.switching.switcher import Health, RoleView, SwitchGroup

_MOST_BYTES = 4096
"""So much is read of an answer: a role is a word."""
_LONGEST_ROLE = 40


def make_client() -> httpx.Client:
    """Make a client that takes no proxy from the environment: members are asked directly."""
    return httpx.Client(trust_env=False)


class HttpSwitcher:
    """One group whose members answer over HTTP.

    :param client: sends the requests; it follows no redirect.
    """

    method = SwitchMethod.HTTP
    repeatable = False

    def __init__(
        self, means: HttpMeans, group: SwitchGroup, network: NetworkSide, client: httpx.Client
    ) -> None:
        self._means = means
        self._group = group
        self._network = network
        self._client = client

    def find_role(self) -> RoleView:
        """Ask every member for its role; of one that does not answer it cannot be seen."""
        holders, unknown, said = set(), set(), []
        for server in self._group.members:
            try:
                role = self._ask(server)
            except (TransientError, InvalidRequestError, NodeFaultError) as exc:
                unknown.add(server.id)
                said.append(f"{server.name} cannot be asked ({exc.message})")
                continue
            said.append(f"{server.name} says {role!r}")
            if role == self._means.active_word:
                holders.add(server.id)
        words = ", ".join(said)
        return RoleView(holders=frozenset(holders), unknown=frozenset(unknown), words=words)

    def is_healthy(self, server: Server) -> Health:
        """Tell whether the member answers."""
        try:
            self._ask(server)
        except (TransientError, InvalidRequestError, NodeFaultError) as exc:
            return Health(ok=False, words=exc.message)
        return Health(ok=True)

    def find_state(self, from_server: str, to_server: str | None) -> Mapping[str, Any]:
        """Return nothing: the VNF keeps its own state. That the member can be told is seen before."""
        self._url_of(self._told(from_server, to_server))
        return {}

    def switch(self, record: SwitchRecord) -> None:
        """POST to the member that takes over, or to the one that gives up.

        :raises TransientError: no answer: whether it switches is not known.
        :raises NodeFaultError: it refuses.
        """
        url = self._url_of(self._told(record.from_server, record.to_server)) + self._means.switch_path
        body = {"group": record.group, "from": record.from_server, "to": record.to_server}
        status, text = self._send("POST", url, body)
        if not httpx.codes.is_success(status):
            raise NodeFaultError(
                f"POST {url}: HTTP {status}: {text[:80]!r}", remedy="see the VNF, and its VNF file"
            )

    def finish(self, record: SwitchRecord) -> None:
        """Wait for nothing: the VNF has said that it has switched."""

    def restore(self, record: SwitchRecord) -> tuple[str, ...]:  # noqa: ARG002
        """Restore nothing: the service stays where it is."""
        return ()

    def _told(self, from_server: str, to_server: str | None) -> Server:
        wanted = to_server if self._means.switch_at is SwitchSide.STANDBY else from_server
        for server in self._group.members:
            if server.id == wanted:
                return server
        raise InvalidRequestError(
            f"group {self._group.id} has no member {wanted} that could be told to switch",
            remedy="see the members of the group",
        )

    def _ask(self, server: Server) -> str:
        url = self._url_of(server) + self._means.role_path
        status, text = self._send("GET", url)
        if status != httpx.codes.OK:
            raise NodeFaultError(f"GET {url}: HTTP {status}")
        return read_role(text)

    def _url_of(self, server: Server) -> str:
        of_member = self._means.urls.get(server.id) or self._means.urls.get(server.name)
        if of_member is not None:
            return of_member.rstrip("/")
        if self._means.url is None:
            raise InvalidRequestError(
                f"{server.name} has no URL in the VNF file",
                remedy="add it to urls, or say url for all members",
            )
        values = {"id": quote(server.id, safe=""), "name": quote(server.name, safe="")}
        if "{address}" in self._means.url:
            values["address"] = self._address_of(server)
        return fill_placeholders(self._means.url, values).rstrip("/")

    def _address_of(self, server: Server) -> str:
        addresses = [a for port in self._network.fetch_ports((server.id,)) for a in port.addresses]
        if not addresses:
            raise InvalidRequestError(f"{server.name} has no address", remedy="name its URL in urls")
        return f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> tuple[int, str]:
        """Send one request; return the status and the beginning of the answer."""
        patience = self._means.timeout_seconds
        try:
            with self._client.stream(
                method, url, json=body, timeout=patience, follow_redirects=False
            ) as answer:
                text = b""
                for part in answer.iter_bytes(_MOST_BYTES):
                    text += part
                    if len(text) >= _MOST_BYTES:
                        break
                return answer.status_code, text[:_MOST_BYTES].decode(errors="replace")
        except httpx.InvalidURL as exc:
            raise InvalidRequestError(f"{url!r} is no URL: {exc}", remedy="correct the VNF file") from exc
        except httpx.HTTPError as exc:
            raise TransientError(
                f"{method} {url}: {type(exc).__name__}: {exc}", remedy="see whether the member answers there"
            ) from exc


def read_role(text: str) -> str:
    """Read a role: a word, or ``{"role": word}``."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    if isinstance(found, Mapping):
        found = found.get("role", "")
    return str(found).strip()[:_LONGEST_ROLE]
