"""Whose a Keystone token is: asked of the cloud's Keystone, remembered for a minute."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from keystoneauth1 import exceptions as ksa
from keystoneauth1.plugin import AUTH_INTERFACE
from openstack.connection import Connection

from escalator.cloud_manager.roles import ADMIN
from escalator.cloud_manager.translation import translate, translate_error
from escalator.model.errors import TransientError

KEPT_FOR = timedelta(minutes=1)
"""For how long an answer of Keystone's holds: so long a token that was revoked still counts."""
MOST_KEPT = 4096
LONGEST_TOKEN = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What Keystone says of a token.

    :ivar user: name of its user.
    :ivar project_id: its project; None: it is for no project.
    :ivar roles: names of the roles that its user has there.
    :ivar expires_at: an aware time.
    """

    user: str
    project_id: str | None
    roles: frozenset[str]
    expires_at: datetime

    @property
    def is_admin(self) -> bool:
        """Tell whether its user administers the cloud."""
        return ADMIN in self.roles


class TokenCheck:
    """Asks who has a token, and remembers the answer, by the token's digest. Threads may share it.

    What is not known, as Keystone does not answer, is an error and is not remembered.

    :param ask: asks Keystone; None: it knows no such token, or the token has expired.
    :param kept_for: how long an answer is remembered.
    :param most: answers that are remembered at once; the one used longest ago gives way.
    """

    def __init__(
        self,
        ask: Callable[[str], TokenFacts | None],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        kept_for: timedelta = KEPT_FOR,
        most: int = MOST_KEPT,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._kept_for = kept_for
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[datetime, TokenFacts | None]] = OrderedDict()

    def find_facts(self, token: str) -> TokenFacts | None:
        """Return what Keystone says of a token; None when it does not count.

        :raises EscalatorError: Keystone cannot be asked.
        """
        if not is_token(token):
            return None
        digest = hashlib.sha256(token.encode()).digest()
        now = self._clock()
        with self._lock:
            known = self._kept.get(digest)
            if known is not None and now < known[0]:
                self._kept.move_to_end(digest)
                return self._if_valid(known[1], now)
        facts = self._ask(token)
        with self._lock:
            self._kept[digest] = (now + self._kept_for, facts)
            self._kept.move_to_end(digest)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return self._if_valid(facts, self._clock())

    @staticmethod
    def _if_valid(facts: TokenFacts | None, now: datetime) -> TokenFacts | None:
        return facts if facts is not None and now < facts.expires_at else None


def is_token(text: str) -> bool:
    """Tell whether a text can be a token at all: visible ASCII of a length that tokens have."""
    return 0 < len(text) <= LONGEST_TOKEN and text.isascii() and text.isprintable() and " " not in text


def fetch_token_facts(connection: Connection, token: str) -> TokenFacts | None:
    """Ask the cloud's Keystone about a token, with the credentials of the connection. One call.

    :return: None when Keystone does not know the token, or it has expired.
    :raises TransientError: Keystone does not answer, or in words that are none of its own.
    :raises InvalidRequestError: the credentials of the connection are refused.
    """
    action = "asking Keystone about a token"
    try:
        with translate_error(action):
            url = _find_keystone(connection)
        response = connection.session.get(
            f"{url}/auth/tokens", headers={"X-Subject-Token": token}, params={"nocatalog": ""}
        )
    except ksa.NotFound:
        return None
    except ksa.ClientException as exc:
        raise translate(action, exc) from exc
    try:
        return _facts_of(response.json()["token"])
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise TransientError(f"{action}: the answer is none of Keystone's") from exc


def _find_keystone(connection: Connection) -> str:
    """Return the address of Keystone's API v3: that of the credentials."""
    url = str(connection.session.get_endpoint(interface=AUTH_INTERFACE)).rstrip("/")
    return url if url.endswith("/v3") else f"{url.removesuffix('/v2.0')}/v3"


def _facts_of(token: Any) -> TokenFacts:  # noqa: ANN401 - JSON
    project = token.get("project")
    return TokenFacts(
        user=str(token["user"]["name"]),
        project_id=None if project is None else str(project["id"]),
        roles=frozenset(str(role["name"]) for role in token.get("roles", ())),
        expires_at=datetime.fromisoformat(token["expires_at"]),
    )
