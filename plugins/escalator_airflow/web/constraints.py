"""Constraints of instances and groups, as managers of VNFs put them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import APIRouter
from pydantic import BaseModel

from escalator.ledger.ledger import Ledger
from escalator.model.constraints import GroupConstraints, InstanceConstraints
from escalator.vim_interface.wire.bodies import GroupBody, InstanceBody, group_to_wire, instance_to_wire
from escalator_airflow.web.answers import RefusedError, describe_refusals
from escalator_airflow.web.callers import Caller, CallerDep, LedgerDep, MeansDep, PathId

router = APIRouter(tags=["constraints"])
Known = TypeVar("Known", InstanceConstraints, GroupConstraints)


class InstanceAnswer(BaseModel):
    """Constraints of an instance, as they are recorded."""

    instance_id: str
    project_id: str
    group_id: str | None
    instance_name: str
    max_interruption_time: float | None
    migration_type: str | None
    resource_mitigation: bool
    lead_time: float


class GroupAnswer(BaseModel):
    """Constraints of a group, as they are recorded."""

    group_id: str
    project_id: str
    group_name: str
    anti_affinity_group: bool
    max_instances_per_host: int
    max_impacted_members: int | None
    recovery_time: float
    resource_mitigation: bool
    max_number_of_impacted_instances: list[dict[str, int]]
    min_number_of_preserved_instances: list[dict[str, int]]


@router.get("/instance/{id}", responses=describe_refusals())
def read_instance(id: PathId, caller: CallerDep, ledger: LedgerDep) -> InstanceAnswer:  # noqa: A002
    """Return the constraints of an instance."""
    found = _found(ledger.constraints().instance(caller.cloud, id), caller, f"instance {id}")
    return InstanceAnswer.model_validate(instance_to_wire(found))


@router.put("/instance/{id}", responses=describe_refusals(409, 413, 415))
def put_instance(
    id: PathId,  # noqa: A002
    body: InstanceBody,
    caller: CallerDep,
    ledger: LedgerDep,
    means: MeansDep,
) -> InstanceAnswer:
    """Record the constraints of an instance; a second time changes them."""
    book = ledger.constraints()
    _refuse_other_id("instance_id", body.instance_id, id)
    known = book.instance(caller.cloud, id)
    wanted = body.make_constraints(id, _project_of(body.project_id, caller, known))
    known = _find_changed(
        known, wanted.project_id, caller, lambda: means.find_server_owner(caller.inventory, id)
    )
    _refuse_two_groups(ledger, caller, known, wanted)
    book.put_instance(caller.cloud, wanted, means.clock())
    return InstanceAnswer.model_validate(instance_to_wire(wanted))


@router.delete("/instance/{id}", responses=describe_refusals())
def delete_instance(id: PathId, caller: CallerDep, ledger: LedgerDep) -> dict[str, Any]:  # noqa: A002
    """Forget the constraints of an instance."""
    book = ledger.constraints()
    _found(book.instance(caller.cloud, id), caller, f"instance {id}")
    book.delete_instance(caller.cloud, id)
    return {}


@router.get("/instance_group/{id}", responses=describe_refusals())
def read_group(id: PathId, caller: CallerDep, ledger: LedgerDep) -> GroupAnswer:  # noqa: A002
    """Return the constraints of a group."""
    found = _found(ledger.constraints().group(caller.cloud, id), caller, f"group {id}")
    return GroupAnswer.model_validate(group_to_wire(found))


@router.put("/instance_group/{id}", responses=describe_refusals(409, 413, 415))
def put_group(
    id: PathId,  # noqa: A002
    body: GroupBody,
    caller: CallerDep,
    ledger: LedgerDep,
    means: MeansDep,
) -> GroupAnswer:
    """Record the constraints of a group; a second time changes them."""
    book = ledger.constraints()
    _refuse_other_id("group_id", body.group_id, id)
    known = book.group(caller.cloud, id)
    wanted = body.make_constraints(id, _project_of(body.project_id, caller, known))
    _find_changed(known, wanted.project_id, caller, lambda: means.find_group_owner(caller.inventory, id))
    book.put_group(caller.cloud, wanted, means.clock())
    return GroupAnswer.model_validate(group_to_wire(wanted))


@router.delete("/instance_group/{id}", responses=describe_refusals())
def delete_group(id: PathId, caller: CallerDep, ledger: LedgerDep) -> dict[str, Any]:  # noqa: A002
    """Forget the constraints of a group; those of its instances stay."""
    book = ledger.constraints()
    _found(book.group(caller.cloud, id), caller, f"group {id}")
    book.delete_group(caller.cloud, id)
    return {}


def _found(known: Known | None, caller: Caller, what: str) -> Known:
    """Return constraints that the caller may touch."""
    if known is None:
        raise RefusedError(
            HTTPStatus.NOT_FOUND, f"{what} has no constraints", remedy="put them first, with PUT"
        )
    caller.require(known.project_id)
    return known


def _project_of(
    named: str | None, caller: Caller, known: InstanceConstraints | GroupConstraints | None
) -> str:
    """Return the project that constraints are for: as the body says, else the one of the token.

    An administrator who names none changes constraints that are there, and leaves them to their project.
    """
    kept = known.project_id if known is not None and caller.token.is_admin else None
    project_id = named or kept or caller.token.project_id
    if project_id is None:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "project_id: is required with a token that is for no project",
            remedy="name the project that the instance belongs to",
        )
    caller.require(project_id)
    return project_id


def _refuse_other_id(key: str, named: str | None, given: str) -> None:
    if named is not None and named != given:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{key}: is {named}, and the address names {given}",
            remedy="name the same in both",
        )


def _find_changed(
    known: Known | None, project_id: str, caller: Caller, find_owner: Callable[[], str | None]
) -> Known | None:
    """Return the constraints that are changed; None where there are none, or they are replaced.

    What another project has put is refused, but to an administrator and to the project that Nova says the
    id belongs to: nobody keeps an owner out by being there first.
    """
    if known is None or known.project_id == project_id or caller.token.is_admin:
        return known
    if find_owner() == project_id:
        return None
    raise RefusedError(
        HTTPStatus.FORBIDDEN,
        "another project has put constraints under this id, and Nova has nothing of this project under it",
        remedy="ask an administrator of the cloud to delete them when they are wrong",
    )


def _refuse_two_groups(
    ledger: Ledger, caller: Caller, known: InstanceConstraints | None, wanted: InstanceConstraints
) -> None:
    """Refuse an instance that would be in two groups, or in a group of another project."""
    if wanted.group_id is None:
        return
    book = ledger.constraints()
    group = book.group(caller.cloud, wanted.group_id)
    if group is not None and group.project_id != wanted.project_id:
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"group_id: group {wanted.group_id} belongs to another project",
            remedy="name a group of the project of the instance",
        )
    before = book.group(caller.cloud, known.group_id) if known and known.group_id else None
    if before is None or before.group_id == wanted.group_id or _is_successor(group, before):
        return
    raise RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"group_id: the instance is a member of group {before.group_id} already, and can be in one only",
        remedy="delete the constraints of the instance first when it has changed its group",
    )


def _is_successor(group: GroupConstraints | None, before: GroupConstraints) -> bool:
    """Tell whether a group is another under a new id: OPNFV Doctor's VNFM makes one up at every start."""
    return group is not None and bool(group.name) and group.name == before.name
