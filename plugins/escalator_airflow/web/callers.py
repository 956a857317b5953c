"""Who calls, and what they may: a VNFM touches its own project, an administrator everything."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import APIKeyHeader

from escalator.cloud_manager.token_check import TokenFacts
from escalator.ledger.ledger import Ledger
from escalator.model.inventory import Inventory
from escalator.vim_interface.wire.bodies import ID_PATTERN, LONGEST_ID
from escalator_airflow.web.answers import RefusedError
from escalator_airflow.web.clouds import find_inventory
from escalator_airflow.web.means import Means

PathId = Annotated[str, Path(pattern=ID_PATTERN, max_length=LONGEST_ID)]
CloudName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]+$", max_length=LONGEST_ID)]
_TOKEN = APIKeyHeader(name="X-Auth-Token", scheme_name="Keystone", auto_error=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever sent a request, and the cloud that it is about."""

    inventory: Inventory
    token: TokenFacts

    @property
    def cloud(self) -> str:
        """Return the name of the cloud."""
        return self.inventory.cloud

    @property
    def user(self) -> str:
        """Return the name of the user."""
        return self.token.user

    def require(self, project_id: str) -> None:
        """See that the caller may touch a project.

        :raises RefusedError: it is not the project of the token, and the user is no administrator.
        """
        if not self.token.is_admin and self.token.project_id != project_id:
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                "this belongs to another project than the token",
                remedy="use a token of the project that it belongs to",
            )


def find_open_means(request: Request) -> Means:
    """Return the means of the app that a request came to."""
    means = request.app.state.means
    if not isinstance(means, Means):
        raise TypeError(f"the app has {means!r} for means")
    return means


MeansDep = Annotated[Means, Depends(find_open_means)]


def find_caller(
    cloud: CloudName, means: MeansDep, token: Annotated[str | None, Depends(_TOKEN)] = None
) -> Caller:
    """Find out who calls.

    :raises RefusedError: the token does not count, or there is no such cloud.
    """
    if token is None:
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "there is no X-Auth-Token", remedy=_TAKE_ONE)
    inventory = find_inventory(cloud)
    facts = means.find_facts(inventory, token)
    if facts is None:
        raise RefusedError(
            HTTPStatus.UNAUTHORIZED,
            f"Keystone of {cloud} does not know the token, or it has expired",
            remedy=_TAKE_ONE,
        )
    return Caller(inventory=inventory, token=facts)


_TAKE_ONE = "take a new token from the cloud's Keystone"
CallerDep = Annotated[Caller, Depends(find_caller)]


def find_admin(caller: CallerDep) -> Caller:
    """Find out who calls, and see that it is an administrator.

    :raises RefusedError: it is none.
    """
    if not caller.token.is_admin:
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            "this needs the role admin",
            remedy="use the token of an administrator of the cloud",
        )
    return caller


AdminDep = Annotated[Caller, Depends(find_admin)]


def open_ledger_of(caller: CallerDep, means: MeansDep) -> Ledger:
    """Open the ledger, for whoever has shown a token."""
    del caller
    return means.open_ledger()


LedgerDep = Annotated[Ledger, Depends(open_ledger_of)]
