"""Every variable of the code stands in the table, and the table in the documents."""

from __future__ import annotations

import re

from tests.conftest import ROOT

from escalator.doctor.cli import OF_COMPOSE
from escalator.settings.variables import GIVEN_TO_COMMANDS, VARIABLES, list_names

NAME = re.compile(r"\bESCALATOR_[A-Z]+(?:_[A-Z]+)*\b")
MANUAL = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")


def names_in(*places: str) -> set[str]:
    paths = [path for place in places for path in sorted(ROOT.glob(place))]
    assert paths
    return {name for path in paths for name in NAME.findall(path.read_text(encoding="utf-8"))}


def test_every_variable_that_the_code_names_is_in_the_table_and_no_other() -> None:
    code = names_in("include/escalator/**/*.py", "plugins/**/*.py", "dags/*.py")
    settings = {*list_names(), *(name for name in OF_COMPOSE if name in code)}
    assert sorted(code - GIVEN_TO_COMMANDS) == sorted(settings)


def test_what_commands_on_nodes_are_given_is_no_setting_and_stands_in_their_pages() -> None:
    code = names_in("include/escalator/system_support/mechanisms/*.py")
    assert code == GIVEN_TO_COMMANDS
    assert names_in("docs/bundles.md", "docs/mechanisms/*.md") - set(list_names()) == GIVEN_TO_COMMANDS
    assert GIVEN_TO_COMMANDS.isdisjoint({*list_names(), *OF_COMPOSE})


def test_every_variable_of_compose_is_known_to_the_doctor() -> None:
    assert names_in("docker-compose.yaml", ".env.example") <= {*list_names(), *OF_COMPOSE}
    assert names_in("docker-compose.yaml", ".env.example") >= OF_COMPOSE


def test_the_documents_have_every_variable() -> None:
    """Word for word: tests/docs/test_reference.py."""
    lacking = [v.name for v in VARIABLES if f"| `{v.name}` | " not in MANUAL]
    assert lacking == [], "run `make reference`"


def test_the_documents_name_no_variable_that_nobody_reads() -> None:
    known = {*list_names(), *OF_COMPOSE, *GIVEN_TO_COMMANDS}
    assert (
        sorted(names_in("docs/*.md", "docs/reference/*.md", "README.md", "include/vnfs/README.md") - known)
        == []
    )
