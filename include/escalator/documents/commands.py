"""Commands of operators in documents, and how long they may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from escalator.documents.document_model import Text, must_be, refuse

LONGEST_COMMAND = 7200.0
"""The longest limit of a command (s): a step that takes longer counts as hung."""
LONGEST_LOOK = 60.0
"""The longest limit of a command that only looks (s)."""
MOST_CHARACTERS = 8000
"""The longest command: all of them go to the node in one argument."""

Limit = Annotated[
    float,
    Field(gt=0, le=LONGEST_COMMAND, allow_inf_nan=False),
    must_be(f"a number of seconds above 0, at most {LONGEST_COMMAND:g}"),
]
LookLimit = Annotated[
    float,
    Field(gt=0, le=LONGEST_LOOK, allow_inf_nan=False),
    must_be(f"a number of seconds above 0, at most {LONGEST_LOOK:g}"),
]


def _refuse_unfit(command: str) -> str:
    if len(command) > MOST_CHARACTERS:
        said = f"has {len(command)} characters, more than {MOST_CHARACTERS}"
        raise refuse(f"{said}: bring a script to the node, and call that")
    if "\0" in command:
        raise refuse("has a character that no command can have: NUL")
    return command


Command = Annotated[Text, AfterValidator(_refuse_unfit)]
"""What ``sh -e`` runs on a node; several lines are several commands, and the first that fails ends it."""
