"""How a bundle names playbooks and commands of ``kolla-ansible``, and what it gives them."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import InitErrorDetails

from escalator.documents.commands import Command, Limit, LookLimit
from escalator.documents.document_model import DocumentModel, OrNull, Service, is_whole, must_be, refuse
from escalator.documents.venv_mechanism import Program
from escalator.documents.wording import hint_at_quotes, show_value
from escalator.model.bundle import AnsibleMechanism, KollaAnsibleMechanism, KollaRun, PlaybookRun

MOST_TAGS = 50
MOST_CHARACTERS = 20_000
"""Of all extra variables, as JSON."""
RESERVED = ("ansible_", "escalator_")
"""Variables that no bundle sets: how a node is reached is the inventory's, what Escalator gives is ours."""
_PART = r"[A-Za-z0-9_][A-Za-z0-9._+-]*"

PlaybookPath = Annotated[
    str,
    Field(pattern=rf"^{_PART}(?:/{_PART})*$"),
    must_be("a path in the playbook folder, such as nova/upgrade.yml"),
]
InventoryPath = Annotated[
    str,
    Field(pattern=rf"^/?{_PART}(?:/{_PART})*$"),
    must_be("a path in the playbook folder, or an absolute one on the worker"),
]
FolderPath = Annotated[
    str, Field(pattern=rf"^(?:/{_PART})+$"), must_be("an absolute path on the worker, in plain characters")
]
InventoryHost = Annotated[
    str,
    Field(pattern=r"^(?:[A-Za-z0-9_][A-Za-z0-9._-]*)?\{host\}[A-Za-z0-9._-]*$"),
    must_be("a name with {host} in it, such as {host}.example.org"),
]
ConnectionId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"), must_be("the id of a connection of Airflow's")
]
Action = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]*$"), must_be("a command of kolla-ansible, such as upgrade")
]
Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"), must_be("a tag")]
Tags = Annotated[list[Tag], Field(max_length=MOST_TAGS)]
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _refuse_unfit(variables: dict[str, JsonValue]) -> dict[str, JsonValue]:
    wrong = [name for name in variables if not _VARIABLE.fullmatch(name)]
    if wrong:
        raise refuse(f"{', '.join(map(show_value, wrong))} cannot be the name of a variable")
    taken = [name for name in variables if name.startswith(RESERVED)]
    if taken:
        raise refuse(f"{', '.join(taken)} cannot be set here: the names {' and '.join(RESERVED)} are taken")
    try:
        text = json.dumps(variables, ensure_ascii=False, allow_nan=False)
    except ValueError as exc:
        raise refuse("has a number that is infinite, none, or too long: put it in quotes") from exc
    if not is_whole(text):
        raise refuse("has a text with half a character")
    if len(text) > MOST_CHARACTERS:
        raise refuse(f"has more than {MOST_CHARACTERS} characters: keep them in the inventory")
    return variables


def _name_unfit(values: object, read: ValidatorFunctionWrapHandler) -> object:
    """Name what JSON has not, such as a date, by its own place."""
    try:
        return read(values)
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        if not {error["type"] for error in errors} <= {"invalid-json-value", "recursion_loop"}:
            raise
        details = [
            InitErrorDetails(
                type=refuse(_say_unfit(error["type"], error["input"])),
                loc=error["loc"][::2],  # between two keys pydantic names the type of the outer value
                input=None,
            )
            for error in errors
        ]
        raise ValidationError.from_exception_data("extra_vars", details) from exc


def _say_unfit(kind: str, value: object) -> str:
    if kind == "recursion_loop":
        return "has itself in it: an alias names what it stands in"
    said = "must be text, a number, true or false, a list or a mapping"
    return f"{said}, not {show_value(value)}{hint_at_quotes(value)}"


ExtraVars = Annotated[dict[str, JsonValue], AfterValidator(_refuse_unfit), WrapValidator(_name_unfit)]


class _PartDocument(DocumentModel):
    """Which part of something is run."""

    tags: OrNull[Tags] = Field(default=[])
    skip_tags: OrNull[Tags] = Field(default=[])


class PlaybookDocument(_PartDocument):
    """A playbook, and the part of it that is run."""

    playbook: PlaybookPath

    def read(self) -> PlaybookRun:
        """Return it as the model has it."""
        return PlaybookRun(**self.list_values())


class KollaDocument(_PartDocument):
    """A command of ``kolla-ansible``, and the part of it that is run."""

    action: Action

    def read(self) -> KollaRun:
        """Return it as the model has it."""
        return KollaRun(**self.list_values())


class _WorkersDocument(DocumentModel):
    """What the worker's ways have in common: it runs them for one node at a time."""

    service: Service
    version: Command
    inventory_host: OrNull[InventoryHost] = "{host}"
    extra_vars: OrNull[ExtraVars] = Field(default={})
    vault: ConnectionId | None = None
    version_seconds: LookLimit = 30.0


class AnsibleDocument(_WorkersDocument):
    """Playbooks bring the bundle: run by the worker for one node, and run again after any trouble."""

    type: Literal["ansible"]
    activate: PlaybookDocument
    stage: PlaybookDocument | None = None
    rollback: PlaybookDocument | None = None
    restore: PlaybookDocument | None = None
    inventory: InventoryPath | None = None
    check_mode: OrNull[bool] = True
    activate_seconds: Limit = 900.0
    stage_seconds: Limit = 900.0


class KollaAnsibleDocument(_WorkersDocument):
    """``kolla-ansible`` brings the bundle: run by the worker for one node."""

    type: Literal["kolla-ansible"]
    inventory: InventoryPath
    activate: OrNull[KollaDocument] = KollaDocument(action="upgrade", tags=["nova"])
    stage: KollaDocument | None = KollaDocument(action="pull", tags=["nova"])
    rollback: KollaDocument | None = None
    restore: KollaDocument | None = None
    check_mode: OrNull[bool] = False
    program: OrNull[Program] = "kolla-ansible"
    config_dir: OrNull[FolderPath] = "/etc/kolla"
    activate_seconds: Limit = 1800.0
    stage_seconds: Limit = 1800.0


def read_playbooks(
    document: AnsibleDocument | KollaAnsibleDocument,
) -> AnsibleMechanism | KollaAnsibleMechanism:
    """Return the mechanism that a document without fault describes."""
    names = ("activate", "stage", "rollback", "restore")
    parts = {name: getattr(document, name) for name in names}
    runs: dict[str, Any] = {name: None if part is None else part.read() for name, part in parts.items()}
    make = AnsibleMechanism if isinstance(document, AnsibleDocument) else KollaAnsibleMechanism
    return make(**document.list_values(*names), **runs)
