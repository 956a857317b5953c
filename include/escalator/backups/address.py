"""The address of the store: which it is, and what of it may be shown."""

from __future__ import annotations

import os
from collections.abc import Mapping

from escalator.settings.places import BACKUP_VARIABLE


def find_store_url(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return what ``ESCALATOR_BACKUP_URL`` says; None: no backups are taken."""
    return environment.get(BACKUP_VARIABLE, "").strip() or None


def hide_credentials(url: str) -> str:
    """Return a URL without user, password and query: as it may be kept and shown."""
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    place = rest.partition("?")[0].partition("#")[0]
    authority, slash, path = place.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
