"""Read the request of a campaign: from the parameters of a run to a :class:`CampaignRequest`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BeforeValidator,
    Field,
    Strict,
    TypeAdapter,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from escalator.documents.document_model import (
    LONGEST_NAME,
    DocumentModel,
    GivenName,
    Model,
    OrNull,
    Word,
    must_be,
    read_document,
    refuse,
)
from escalator.documents.faults import Fault, say_faults
from escalator.documents.moments import WITHIN, is_near
from escalator.documents.wording import did_you_mean, hint_at_quotes, show_value
from escalator.model.approval import Approval
from escalator.model.campaign import CampaignRequest, OnBlocked, OnInterruption, OnSlowMove, UpgradeMode
from escalator.model.errors import InvalidRequestError
from escalator.model.failed_nodes import OnFailedNode

MOST_NODES = 10_000
"""More than any drain domain has."""
LONGEST_MIGRATION_SECONDS = 7 * 24 * 3600
LONGEST_SOAK_SECONDS = 24 * 3600
LONGEST_CANARY_MOVE_SECONDS = 600
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a request is judged by.

    :ivar where: the domain or the cloud that it is for, in words.
    :ivar hosts: nova-compute service hosts there.
    :ivar bundles: names of the bundles there are.
    :ivar now: an aware time; with it, a window that has ended already is refused.
    """

    where: str
    hosts: Collection[str]
    bundles: Collection[str]
    now: datetime | None = None


class _RequestDocument(DocumentModel):
    """What a campaign and a check are both asked."""

    bundle: GivenName
    hosts: OrNull[list[GivenName]] = Field(default=[])
    max_parallel: Annotated[int, Field(ge=1, le=MOST_NODES)] = 1
    mode: OrNull[Word[UpgradeMode]] = UpgradeMode.SMOOTH

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: Surroundings | None) -> Iterator[Fault]:
        """Find what does not fit the bundles and the nodes that there are."""
        if asked is None:
            return
        yield from _bundle_faults(values.get("bundle"), asked.bundles)
        yield from _host_faults(values.get("hosts"), asked)
        yield from _max_parallel_faults(values.get("max_parallel", 1), asked)


class CheckDocument(_RequestDocument):
    """The request of a check."""

    rollback: OrNull[bool] = False


_FAILURES = re.compile(r"(?P<number>[0-9]{1,5})|(?P<percent>100|[0-9]{1,2})%")
_Count = TypeAdapter(Annotated[int, Strict(), Field(ge=0, le=MOST_NODES)])


def _read_failures(value: object, _read: ValidatorFunctionWrapHandler) -> int | str:
    """Read a number of nodes, or a share of them; a field of a form gives the number as text."""
    if not isinstance(value, str):
        return _Count.validate_python(value)
    if not _FAILURES.fullmatch(value):
        raise refuse(f'must be a number of nodes, or a share of them such as "10%", not {show_value(value)}')
    return value if value.endswith("%") else _Count.validate_python(int(value))


Failures = Annotated[
    Annotated[int, Field(ge=0, le=MOST_NODES)]
    | Annotated[str, Field(pattern=r"^([0-9]{1,5}|(100|[0-9]{1,2})%)$")],
    WrapValidator(_read_failures),
]
"""How many nodes may fail: a number, or per cent of the campaign's nodes."""


class RunDocument(_RequestDocument):
    """What the run of a campaign is asked, whenever it begins: a window has an end of its own."""

    max_failed_nodes: Failures = 0
    dry_run: OrNull[bool] = False
    migration_timeout_seconds: Annotated[int, Field(ge=10, le=LONGEST_MIGRATION_SECONDS)] = 900
    spill: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), must_be("a number from 0 to 1")] = 1.0
    on_blocked: OrNull[Word[OnBlocked]] = OnBlocked.REFUSE
    on_interruption: OrNull[Word[OnInterruption]] = OnInterruption.REPORT
    move_standbys: OrNull[bool] = True
    migration_timeout_seconds_per_gib: Annotated[
        float, Field(ge=0, le=3600, allow_inf_nan=False), must_be("a number from 0 to 3600")
    ] = 0.0
    on_slow_move: OrNull[Word[OnSlowMove]] = OnSlowMove.ABORT
    soak_seconds: Annotated[int, Field(ge=0, le=LONGEST_SOAK_SECONDS)] = 0
    canary_move_seconds: Annotated[int, Field(ge=0, le=LONGEST_CANARY_MOVE_SECONDS)] = 0
    approval: OrNull[Word[Approval]] = Approval.NONE
    allow_downgrade: OrNull[bool] = False


class WindowRunDocument(RunDocument):
    """What the runs of a maintenance window are asked: nobody is there to take an odd node off the list."""

    on_blocked: OrNull[Word[OnBlocked]] = OnBlocked.SKIP
    on_failed_node: Word[OnFailedNode] | None = None
    ask_before_one_way: OrNull[bool] = False


def _read_moment(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        raise refuse(f"must be text, not {show_value(value)}{hint_at_quotes(value)}")
    if not _RFC_3339.fullmatch(value):
        raise refuse(
            f"must be a date and time with its offset, such as 2026-11-22T08:00:00Z, not {show_value(value)}"
        )
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError as exc:
        raise refuse(f"{show_value(value)} is not a date and time that exists") from exc
    if info.context is not None and info.context.now is not None and moment <= info.context.now:
        raise refuse(f"{value} is in the past")
    if not is_near(moment):
        raise refuse(f"must be {WITHIN}, not {show_value(value)}")
    return moment


class _OwnRunDocument(RunDocument):
    """What the run of a campaign is asked that no window begins."""

    window_end: Annotated[datetime, BeforeValidator(_read_moment)] | None = None


class CampaignDocument(_OwnRunDocument):
    """The request of a campaign."""

    on_failed_node: Word[OnFailedNode] | None = None
    ask_before_one_way: OrNull[bool] = False


class RollbackDocument(_OwnRunDocument):
    """The request of a rollback: a campaign that brings back what the nodes had before a run."""

    bundle: GivenName = ""
    run_id: OrNull[GivenName] = Field(default="")

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: Surroundings | None) -> Iterator[Fault]:
        """Find what does not fit the nodes that there are, and a bundle: the run that is undone says it."""
        if "bundle" in values:
            yield Fault(("bundle",), "a rollback brings back what the nodes had before: leave it out")
        rest = {key: value for key, value in values.items() if key != "bundle"}
        yield from super().find_faults_between(rest, asked)


class RestoreDocument(_OwnRunDocument):
    """The request of a restore: a campaign of one node, which is put back to its backup."""

    bundle: GivenName = ""
    backup: OrNull[GivenName] = Field(default="")
    approved: OrNull[bool] = False

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: Surroundings | None) -> Iterator[Fault]:
        """Find what does not fit the nodes that there are, more than one node, and a bundle."""
        if "bundle" in values:
            yield Fault(("bundle",), "a restore brings back what the backup has: leave it out")
        hosts = values.get("hosts")
        if not (isinstance(hosts, list) and len(hosts) == 1):
            yield Fault(("hosts",), "a restore is of one node: name it")
        rest = {key: value for key, value in values.items() if key != "bundle"}
        yield from super().find_faults_between(rest, asked)


KEYS = tuple(CampaignDocument.model_fields)
"""What a request may say."""


def parse_request(
    conf: Mapping[str, object],
    *,
    cloud: str,
    domain: str,
    known_hosts: Collection[str],
    bundles: Collection[str],
    now: datetime | None = None,
) -> CampaignRequest:
    """Read what an operator asks for; what is left out takes its default.

    :param conf: the parameters of the run, of any form.
    :param cloud: name of the cloud.
    :param domain: drain domain that the run is for.
    :param known_hosts: nova-compute service hosts of the domain.
    :param bundles: names of the bundles there are.
    :param now: an aware time; with it, a window that has ended already is refused.
    :raises InvalidRequestError: names every fault at once; nothing was written.
    """
    asked = Surroundings(where=f"domain {domain}", hosts=known_hosts, bundles=bundles, now=now)
    found = _read(CampaignDocument, conf, asked, cloud=cloud)
    request = _make_request(found, cloud=cloud, domain=domain)
    return replace(request, on_failed_node=found.on_failed_node, ask_before_one_way=found.ask_before_one_way)


def parse_rollback(
    conf: Mapping[str, object],
    *,
    cloud: str,
    domain: str,
    known_hosts: Collection[str],
    now: datetime | None = None,
) -> tuple[CampaignRequest, str | None]:
    """Read what an operator asks of a rollback, as :func:`parse_request` reads what is asked of an upgrade.

    :return: the request, without a bundle, and the id of the run that is taken back; None: the last one.
    :raises InvalidRequestError: names every fault at once; nothing was written.
    """
    asked = Surroundings(where=f"domain {domain}", hosts=known_hosts, bundles=(), now=now)
    found = _read(RollbackDocument, conf, asked, cloud=cloud)
    return _make_request(found, cloud=cloud, domain=domain), found.run_id or None


def parse_restore(
    conf: Mapping[str, object],
    *,
    cloud: str,
    domain: str,
    known_hosts: Collection[str],
    now: datetime | None = None,
) -> tuple[CampaignRequest, str | None, bool]:
    """Read what an operator asks of a restore, as :func:`parse_request` reads what is asked of an upgrade.

    :return: the request, without a bundle; the id of the backup, None: the newest one; and whether a person
        has accepted already what is lost.
    :raises InvalidRequestError: names every fault at once; nothing was written.
    """
    asked = Surroundings(where=f"domain {domain}", hosts=known_hosts, bundles=(), now=now)
    found = _read(RestoreDocument, conf, asked, cloud=cloud)
    return _make_request(found, cloud=cloud, domain=domain), found.backup or None, bool(found.approved)


def _make_request(found: _OwnRunDocument, *, cloud: str, domain: str) -> CampaignRequest:
    return CampaignRequest(
        cloud=cloud,
        domain=domain,
        bundle=found.bundle,
        hosts=tuple(found.hosts),
        max_parallel=found.max_parallel,
        max_failed_nodes=0 if isinstance(found.max_failed_nodes, str) else found.max_failed_nodes,
        max_failed_percent=_read_percent(found.max_failed_nodes),
        soak_seconds=found.soak_seconds,
        canary_move_seconds=found.canary_move_seconds,
        approval=found.approval,
        allow_downgrade=bool(found.allow_downgrade),
        dry_run=found.dry_run,
        migration_timeout_seconds=found.migration_timeout_seconds,
        window_end=found.window_end,
        mode=found.mode,
        spill=found.spill,
        on_blocked=found.on_blocked,
        on_interruption=found.on_interruption,
        move_standbys=found.move_standbys,
        migration_timeout_seconds_per_gib=found.migration_timeout_seconds_per_gib,
        on_slow_move=found.on_slow_move,
    )


def _read_percent(failures: int | str) -> int | None:
    return int(failures.removesuffix("%")) if isinstance(failures, str) else None


def parse_check(
    conf: Mapping[str, object], *, cloud: str, known_hosts: Collection[str], bundles: Collection[str]
) -> tuple[CampaignRequest, bool]:
    """Read what a check of a cloud is about; what is left out takes its default.

    :param known_hosts: nova-compute service hosts of the cloud.
    :return: the campaign that is asked about, in whatever domains, and whether its way back is meant.
    :raises InvalidRequestError: names every fault at once.
    """
    asked = Surroundings(where=f"cloud {cloud}", hosts=known_hosts, bundles=bundles)
    found = _read(CheckDocument, conf, asked, cloud=cloud)
    request = CampaignRequest(
        cloud=cloud,
        domain="",
        bundle=found.bundle,
        hosts=tuple(found.hosts),
        max_parallel=found.max_parallel,
        mode=found.mode,
    )
    return request, found.rollback


def _read(model: type[Model], conf: object, asked: Surroundings, *, cloud: str) -> Model:
    found = read_document(model, conf, asked=asked)
    faults = [str(fault) for fault in found] if isinstance(found, list) else []
    if not asked.hosts:
        of_cloud = "" if asked.where == f"cloud {cloud}" else f" of cloud {cloud}"
        faults.insert(0, f"{asked.where}{of_cloud} has no node")
    if isinstance(found, list) or faults:
        raise InvalidRequestError(
            f"the request is refused: {say_faults(faults)}",
            remedy="correct it and start again; nothing was changed",
        )
    return found


def _bundle_faults(name: object, bundles: Collection[str]) -> Iterator[Fault]:
    if isinstance(name, str) and name.strip() and name not in bundles:
        known = f"known are {', '.join(sorted(bundles))}" if bundles else "there is no bundle at all"
        yield Fault(("bundle",), f"{show_value(name)} is not known{did_you_mean(name, bundles)} ({known})")


def _host_faults(names: object, asked: Surroundings) -> Iterator[Fault]:
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    hosts = [name for name in texts if name.strip() and len(name) <= LONGEST_NAME]
    for host, times in Counter(hosts).items():
        if times > 1:
            yield Fault(("hosts",), f"{show_value(host)} stands there {times} times")
        if host not in asked.hosts:
            hint = did_you_mean(host, asked.hosts)
            yield Fault(("hosts",), f"{show_value(host)} is not a node of {asked.where}{hint}")


def _max_parallel_faults(value: object, asked: Surroundings) -> Iterator[Fault]:
    """Find how many nodes may be out at once; one node at least must stay in."""
    nodes = len(set(asked.hosts))
    if nodes == 1:
        yield Fault(("max_parallel",), f"{asked.where} has one node only: its servers have nowhere to go")
    elif isinstance(value, int) and not isinstance(value, bool) and 1 <= nodes <= value:
        yield Fault(
            ("max_parallel",),
            f"{show_value(value)} is impossible: {asked.where} has {nodes} nodes and one must stay in, "
            f"so at most {nodes - 1}",
        )
