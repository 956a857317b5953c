"""Passwords and keys of a stack: made once, kept in files that only the owner reads, never printed."""

from __future__ import annotations

import base64
import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from escalator.airflow_stack.settings import StackSettings

ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The secrets of one stack.

    :param simple_auth_file: Airflow's own password file: a JSON object from user to password.
    """

    admin_password: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    fernet_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    simple_auth_file: Path


def ensure_credentials(settings: StackSettings) -> Credentials:
    """Return the secrets of a stack, making those that lack; a second run returns the same."""
    folder = settings.secrets
    password = ensure_secret(settings.password_file, make_password)
    return Credentials(
        admin_password=password,
        jwt_secret=ensure_secret(folder / "jwt-secret", make_password),
        fernet_key=ensure_secret(folder / "fernet-key", _fernet_key),
        api_secret=ensure_secret(folder / "api-secret", make_password),
        simple_auth_file=_ensure_simple_auth_file(folder / "simple-auth.json", password),
    )


def ensure_secret(path: Path, make: Callable[[], str]) -> str:
    """Return the secret in a file; make the file, mode 0600, when it is not there."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        value = make()
        _write(path, value + "\n")
        return value


def _ensure_simple_auth_file(path: Path, password: str) -> Path:
    if not path.exists():
        _write(path, json.dumps({ADMIN: password}) + "\n")
    return path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - the mode is set before the first byte is written
        file.write(text)
    draft.replace(path)


def make_password() -> str:
    """Return a password that nobody guesses."""
    return secrets.token_urlsafe(32)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()
