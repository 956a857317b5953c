"""What all components of an Airflow must have the same of: none may take a folder of its own user's."""

from __future__ import annotations

import os
from collections.abc import Mapping

from escalator.model.errors import InvalidRequestError

SHARED_VARIABLE = "ESCALATOR_SHARED"
"""Why the components are several, in words. The plugin sets it for its process and those that this starts."""
HOME_VARIABLE = "ESCALATOR_HOME"
LEDGER_VARIABLE = "ESCALATOR_LEDGER_URL"
INVENTORY_VARIABLE = "ESCALATOR_INVENTORY_DIR"
MUST_AGREE = (LEDGER_VARIABLE, INVENTORY_VARIABLE)
"""What every component must have the same of. ``ESCALATOR_HOME`` stands in for both."""


def list_private(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the variables that lack where components must agree; none where one user is all there is."""
    if not environment.get(SHARED_VARIABLE) or environment.get(HOME_VARIABLE):
        return ()
    return tuple(name for name in MUST_AGREE if not environment.get(name))


def refuse_private(*names: str, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse that each user's own folder stands in for what all components share.

    :param names: the variables in question; none: all that must agree.
    :raises InvalidRequestError: names each that lacks, and why it is needed.
    """
    lacking = [name for name in list_private(environment) if name in (names or MUST_AGREE)]
    if lacking:
        are = "is" if len(lacking) == 1 else "are"
        raise InvalidRequestError(
            f"{' and '.join(lacking)} {are} not set, and each user's own folder is not the same for all "
            f"components ({environment[SHARED_VARIABLE]})",
            remedy="set the same in the environment of scheduler, DAG processor, triggerer, API server and "
            "workers, and start these again; the table in docs/reference/settings.md has all",
        )
