"""The inventory settings as pydantic models: what stands in their own file, and again in the inventory."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from escalator.documents.document_model import DocumentModel, OrNull, Text, Word, must_be, refuse
from escalator.documents.faults import Fault
from escalator.inventory.alerts_document import AlertsDocument, alerts_of
from escalator.inventory.notify_document import NotifyDocument, notify_of
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory import split_address
from escalator.model.inventory_settings import (
    AggregateRules,
    Controller,
    DumpCommand,
    InventorySettings,
    PowerCommands,
    PowerPlace,
)
from escalator.model.server_image import ImagePolicy


def _refuse_unreadable(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError as exc:
        raise refuse("must be a command; a quotation mark is open") from exc
    return text


def _refuse_no_address(text: str) -> str:
    try:
        split_address(text)
    except InvalidRequestError as exc:
        raise refuse(exc.message) from exc
    return text


Command = Annotated[Text, AfterValidator(_refuse_unreadable)]


class AggregatesDocument(DocumentModel):
    """Which host aggregates make drain domains: names, or patterns such as ``rack-*``."""

    count: OrNull[list[Text] | None] = None
    ignore: OrNull[list[Text]] = Field(default=[])


class ControllerDocument(DocumentModel):
    """A host of the control plane that SSH reaches, and how Nova's commands are called there."""

    address: Annotated[Text, AfterValidator(_refuse_no_address)]
    nova_manage: OrNull[Command] = "nova-manage"
    nova_status: OrNull[Command] = "nova-status"


class PowerDocument(DocumentModel):
    """How the power of a node is switched from outside: commands for ``sh -e``."""

    cycle: Text | None = None
    switch_on: Text | None = None
    switch_off: Text | None = None
    is_on: Text | None = None
    run_on: OrNull[Word[PowerPlace]] = PowerPlace.WORKER
    limit_seconds: Annotated[
        float, Field(gt=0, le=600, allow_inf_nan=False), must_be("a number of seconds above 0, at most 600")
    ] = 120.0
    conn_id: Text | None = None

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find commands that cannot bring a node back, and a secret that others would see."""
        if not values.get("cycle") and not (values.get("switch_on") and values.get("switch_off")):
            yield Fault((), "needs cycle, or switch_on and switch_off")
        if values.get("conn_id") and values.get("run_on") == PowerPlace.CONTROLLER:
            yield Fault(("conn_id",), "is for run_on: worker; on the controller the commands have their own")


class DumpDocument(DocumentModel):
    """How the databases of the control plane are dumped before a campaign: a command for ``sh -e``."""

    command: Text
    limit_seconds: Annotated[
        float, Field(gt=0, le=7200, allow_inf_nan=False), must_be("a number of seconds above 0, at most 7200")
    ] = 900.0


class ImagesDocument(DocumentModel):
    """Which servers have an image taken before their node is changed: those with all of this metadata."""

    metadata: Annotated[dict[Text, str], Field(min_length=1)]
    limit_seconds: Annotated[
        float,
        Field(gt=0, le=86400, allow_inf_nan=False),
        must_be("a number of seconds above 0, at most 86400"),
    ] = 3600.0


class SettingsDocument(DocumentModel):
    """What an operator declares of one cloud that its API does not tell."""

    schema_: Literal["escalator.inventory-settings/1"] = Field(alias="schema")
    cells: OrNull[dict[Text, Annotated[list[Text], Field(min_length=1)]]] = Field(default={})
    aggregates: OrNull[AggregatesDocument] = Field(default_factory=AggregatesDocument)
    controller: OrNull[ControllerDocument | None] = None
    power: OrNull[PowerDocument | None] = None
    alerts: OrNull[AlertsDocument | None] = None
    dump: OrNull[DumpDocument | None] = None
    images: OrNull[ImagesDocument | None] = None
    notify: OrNull[list[NotifyDocument]] = Field(default=[])

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find a host, or a pattern, that stands in two cells, and a power switch on no controller."""
        power = values.get("power")
        place = power.get("run_on") if isinstance(power, Mapping) else None
        if place == PowerPlace.CONTROLLER and not values.get("controller"):
            yield Fault(("power", "run_on"), "is controller, and no controller is named")
        cells = values.get("cells")
        lists = cells.values() if isinstance(cells, Mapping) else ()
        each = ({h for h in hosts if isinstance(h, str)} for hosts in lists if isinstance(hosts, list))
        named = Counter(host for hosts in each for host in hosts)
        doubles = sorted(host for host, times in named.items() if times > 1)
        if doubles:
            yield Fault(("cells",), f"in more than one: {', '.join(doubles)}")


def rules_of(document: AggregatesDocument) -> AggregateRules:
    """Make the rules about aggregates from their model."""
    count = None if document.count is None else tuple(document.count)
    return AggregateRules(count=count, ignore=tuple(document.ignore))


def controller_of(document: ControllerDocument | None) -> Controller | None:
    """Make the controller from its model."""
    return Controller(**vars(document)) if document is not None else None


def power_of(document: PowerDocument | None) -> PowerCommands | None:
    """Make the commands of the power switch from their model."""
    return PowerCommands(**vars(document)) if document is not None else None


def dump_of(document: DumpDocument | None) -> DumpCommand | None:
    """Make the command of the dumps from its model."""
    return DumpCommand(**vars(document)) if document is not None else None


def images_of(document: ImagesDocument | None) -> ImagePolicy | None:
    """Make the policy about images of servers from its model."""
    return ImagePolicy(**vars(document)) if document is not None else None


def settings_of(document: SettingsDocument) -> InventorySettings:
    """Make the settings from their model."""
    return InventorySettings(
        cells={cell: tuple(hosts) for cell, hosts in document.cells.items()},
        aggregates=rules_of(document.aggregates),
        controller=controller_of(document.controller),
        power=power_of(document.power),
        alerts=alerts_of(document.alerts),
        dump=dump_of(document.dump),
        images=images_of(document.images),
        notify=notify_of(document.notify),
    )
