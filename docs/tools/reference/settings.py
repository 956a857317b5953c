"""Page of the variables of the environment, made from the list that the program reads."""

from __future__ import annotations

import re

from docs.tools.reference.tables import make_table

from escalator.settings.variables import VARIABLES

HEAD = """# Settings

Variables of the environment. What only `docker-compose.yaml` reads stands in `.env.example`. `escalator
doctor` says which are set, and names variables that begin with `ESCALATOR_` and that nobody reads: most are
misspelt.
"""


def make_settings() -> str:
    """Return the page."""
    rows = [[f"`{v.name}`", _lead(v.meaning), _lead(v.default), v.readers, v.shared] for v in VARIABLES]
    head = ["variable", "meaning", "without it", "whose environment", "who must have the same"]
    return f"{HEAD}\n{make_table(head, rows)}"


def _lead(text: str) -> str:
    """Lead the links of a text, which are of the folder above."""
    return re.sub(r"\]\((?!https?:)", "](../", text)
