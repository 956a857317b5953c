"""Names that Airflow shows, made from names of the cloud: two names of the cloud never share one by chance.

What a DAG id may not have becomes ``-``. Where that would lose what tells names apart (other scripts, great
length, the ``__`` that separates the parts of an id), a digest of the whole name stands at the end.
"""

from __future__ import annotations

import hashlib
import re

MOST_OF_CLOUD = 60
MOST_OF_DOMAIN = 150
"""Characters of an id: with verb and part it stays below the 250 that Airflow takes."""
MOST_OF_TAG = 100
_DIGITS = 8


def make_dag_id(verb: str, cloud: str, domain: str | None = None, part: int | None = None) -> str:
    """Return ``<verb>__<cloud>__<domain>``.

    :param domain: None for a DAG that is about the whole cloud.
    :param part: number of the part when a large domain is cut into several DAGs.
    """
    names = [verb, _plain(cloud, MOST_OF_CLOUD)]
    if domain is not None:
        names.append(_plain(domain, MOST_OF_DOMAIN))
    name = "__".join(names)
    return name if part is None else f"{name}__part{part}"


def make_tag(name: str) -> str:
    """Return a tag for a name: the name, as long as Airflow takes it."""
    return name if len(name) <= MOST_OF_TAG else make_short(name, name, MOST_OF_TAG)


def make_short(plain: str, name: str, most: int, digits: int = _DIGITS) -> str:
    """Return as much of a plain form as may be, and a digest of the whole name.

    :param most: characters that the result may have.
    """
    return f"{plain[: most - digits - 1]}-{hashlib.sha256(name.encode()).hexdigest()[:digits]}"


def _plain(name: str, most: int) -> str:
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", name)
    if name.isascii() and "__" not in name and len(name) <= most:
        return plain
    return make_short(re.sub("__+", "_", plain), name, most)
