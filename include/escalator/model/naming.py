"""Names that Airflow shows, made from names of the cloud."""

from __future__ import annotations

import re


def dag_id_of(verb: str, cloud: str, domain: str, part: int | None = None) -> str:
    """Return ``<verb>__<cloud>__<domain>``, with ``-`` for what a DAG id may not have.

    :param part: number of the part when a large domain is cut into several DAGs.
    """
    name = f"{verb}__{_plain(cloud)}__{_plain(domain)}"
    return name if part is None else f"{name}__part{part}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)
