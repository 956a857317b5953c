"""Names that Airflow shows, made from names of the cloud."""

from __future__ import annotations

import re


def make_dag_id(verb: str, cloud: str, domain: str | None = None, part: int | None = None) -> str:
    """Return ``<verb>__<cloud>__<domain>``, with ``-`` for what a DAG id may not have.

    :param domain: None for a DAG that is about the whole cloud.
    :param part: number of the part when a large domain is cut into several DAGs.
    """
    name = "__".join((verb, *(_plain(name) for name in (cloud, domain) if name is not None)))
    return name if part is None else f"{name}__part{part}"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)
