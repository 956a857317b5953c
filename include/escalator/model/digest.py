"""The digest of a document: the SHA-256 of its one canonical spelling."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def canonical(value: object) -> str:
    """Spell JSON data in its canonical form: keys sorted, no spaces, characters as they are."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def compute_digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document's canonical form, in hexadecimal digits."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()
