"""What lets a notice in at its manager; it is never shown, logged or kept."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Of a connection: a token (Bearer), or login and password (Basic); nothing: no header is sent."""

    login: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def make_header(self) -> bytes | None:
        """Return the value of the header Authorization; None: it is not sent."""
        if self.token:
            return b"Bearer " + self.token.encode()
        if self.login or self.password:
            pair = f"{self.login or ''}:{self.password or ''}"
            return b"Basic " + base64.b64encode(pair.encode())
        return None

    def hide_in(self, text: str) -> str:
        """Return the text without the secrets, for what a receiver may have sent back."""
        header = (self.make_header() or b"").decode().partition(" ")[2]
        for secret in filter(None, (self.password, self.token, header)):
            text = text.replace(secret, HIDDEN)
        return text
