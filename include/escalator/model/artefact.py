"""Artefacts: the files that belong to a bundle, and how it names them."""

from __future__ import annotations

from dataclasses import dataclass

KEYRING = "/etc/escalator/artefacts.gpg"
"""Where a node has the keys that may sign artefacts, unless the bundle says otherwise."""
ARTEFACTS_FOLDER = "$ESCALATOR_ARTEFACTS"
"""How a bundle names the folder of its artefacts on the node, and begins the place of one of them."""
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""How the names of archives end, which are unpacked before they are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """A file that belongs to the bundle; each node gets it when the bundle is staged.

    :ivar name: what it is called on the node; :ivar source: its URL (http, https) or absolute path there.
    :ivar sha256: its checksum, 64 hexadecimal digits in lower case.
    :ivar signature: URL or path of its detached signature; None: the checksum is all.
    :ivar keyring: the file on the node with the keys that may have signed it.
    """

    name: str
    source: str
    sha256: str
    signature: str | None = None
    keyring: str = KEYRING


def is_archive(place: str) -> bool:
    """Tell whether a file is an archive of other files, by its name."""
    return place.endswith(ARCHIVES)
