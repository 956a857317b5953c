"""``escalator doctor``: what this process would use, where that is said, and whether it can."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import escalator
from escalator.doctor.airflow_look import AirflowFacts, ask_airflow, judge_airflow, list_refused_files
from escalator.doctor.findings import (
    Finding,
    Health,
    describe_fault,
    find_source,
    findings_to_document,
    list_lines,
)
from escalator.doctor.places import judge_places
from escalator.documents.wording import did_you_mean
from escalator.ledger.database import Database, ledger_url, parse_url
from escalator.model.errors import EscalatorError
from escalator.settings.sharing import LEDGER_VARIABLE, SHARED_VARIABLE
from escalator.settings.variables import list_names

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - its only name

WELL, NOT_WELL = 0, 1
PREFIX = "ESCALATOR_"
OF_COMPOSE = frozenset(
    f"ESCALATOR_{name}"
    for name in (
        "FERNET_KEY",
        "API_SECRET_KEY",
        "JWT_SECRET",
        "ADMIN_PASSWORD",
        "LISTEN",
        "WORKER_CONCURRENCY",
    )
)
"""Variables of .env that only docker-compose.yaml reads."""


def add_parser(subparsers: Subparsers) -> None:
    """Declare the verb ``doctor``."""
    doctor = subparsers.add_parser(
        "doctor", help="what this process would use, and whether it can; writes nothing"
    )
    doctor.add_argument("--json", action="store_true", help="print escalator.doctor/1 and nothing else")
    doctor.add_argument("--no-airflow", action="store_true", help="do not ask Airflow's configuration")


def run(args: argparse.Namespace) -> int:
    """Look, and say what was found.

    :return: 0 no faults, 1 there are some.
    """
    findings = tuple(judge_environment(os.environ, with_airflow=not args.no_airflow))
    if args.json:
        print(json.dumps(findings_to_document(findings), indent=1))
    else:
        print("\n".join(list_lines(findings)))
    return NOT_WELL if any(finding.health is Health.FAULT for finding in findings) else WELL


def judge_environment(environment: Mapping[str, str], *, with_airflow: bool) -> Iterator[Finding]:
    """Look at everything that a component would use with this environment."""
    yield _look_at_code()
    facts = ask_airflow(environment) if with_airflow else None
    if isinstance(facts, Finding):
        yield facts
    if isinstance(facts, AirflowFacts):
        yield from judge_airflow(facts)
        environment = {**environment, SHARED_VARIABLE: facts.shared or ""}
    yield _look_at_ledger(environment)
    places = tuple(judge_places(environment))
    yield from places
    if isinstance(facts, AirflowFacts):
        yield from list_refused_files(facts, {place.about for place in places})
    yield from _find_strangers(environment)


def _look_at_code() -> Finding:
    try:
        release = version("escalator")
    except PackageNotFoundError:
        release = "not installed, found on PYTHONPATH"
    folder = Path(escalator.__file__).parent
    return Finding(about="code", found=f"{release}: {folder}, Python {platform.python_version()}")


def _look_at_ledger(environment: Mapping[str, str]) -> Finding:
    source = find_source(environment, LEDGER_VARIABLE)
    try:
        database = Database(parse_url(ledger_url(environment)))
        database.require_head()
    except EscalatorError as exc:
        return describe_fault("ledger", exc, source)
    return Finding(about="ledger", found=f"{database.shown}, schema {database.revision()}", source=source)


def _find_strangers(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find variables that look like ours and are read by nobody: most are misspelt."""
    known = {*list_names(), *OF_COMPOSE}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            yield Finding(
                about=name,
                found=f"is read by nobody{did_you_mean(name, known)}",
                health=Health.WARNING,
                remedy="correct its name, or take it away; the table is in docs/reference/settings.md",
            )
