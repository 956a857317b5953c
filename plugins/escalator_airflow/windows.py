"""The maintenance windows: from the file of the inventory folder to the schedules of the upgrade DAGs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from escalator.documents.requests import parse_request
from escalator.documents.window_file import NAME, read_window_document
from escalator.documents.windows import parse_windows
from escalator.model.errors import InvalidRequestError
from escalator.model.window import Window, Windows
from escalator_airflow.settings import inventory_dir

if TYPE_CHECKING:
    from escalator.model.inventory import Inventory
    from escalator_airflow.timetables.maintenance_window import MaintenanceWindow

NO_WINDOWS = Windows()


def load_windows() -> Windows:
    """Read the windows file; no windows without one.

    :raises InvalidRequestError: the file cannot be read; names every fault.
    """
    document = read_window_document(inventory_dir())
    if document is None:
        return NO_WINDOWS
    try:
        return parse_windows(document)
    except InvalidRequestError as exc:
        raise InvalidRequestError(f"{inventory_dir() / NAME}: {exc.message}", remedy=exc.remedy) from None


def schedule_of(window: Window) -> MaintenanceWindow:
    """Make the schedule of a window.

    :raises InvalidRequestError: its cron rule, time zone or length is not possible.
    """
    from airflow.exceptions import AirflowTimetableInvalid  # noqa: PLC0415  heavy, for DAGs with windows only

    from escalator_airflow.timetables.maintenance_window import MaintenanceWindow  # noqa: PLC0415

    try:
        timetable = MaintenanceWindow(window.cron, timezone=window.timezone, minutes=window.minutes)
        timetable.validate()
    except (AirflowTimetableInvalid, ValueError, KeyError, OSError) as exc:  # OSError: `Europe` is a folder
        raise InvalidRequestError(
            f"the window of {window.domain} in {window.cloud}, {window.cron!r} in {window.timezone}, "
            f"is not possible: {exc}",
            remedy=f"correct {inventory_dir() / NAME}",
        ) from exc
    return timetable


def find_open_end(window: Window, moment: datetime) -> datetime | None:
    """Return when the window ends that is open at a moment (aware); None when none is.

    Runs without a logical date have no interval of their own: this is what holds them to their window.
    """
    from pendulum import instance  # noqa: PLC0415  heavy, for DAGs with windows only

    interval = schedule_of(window).infer_manual_data_interval(run_after=instance(moment))
    return interval.end if interval.end > interval.start else None


def refuse_bad_windows(
    windows: Windows, inventories: Mapping[str, Inventory], bundles: tuple[str, ...]
) -> None:
    """Refuse windows that no upgrade can begin with.

    :raises InvalidRequestError: names every fault.
    """
    faults = []
    for window in windows.windows:
        try:
            schedule_of(window)
            _refuse_request(window, inventories.get(window.cloud), bundles)
        except InvalidRequestError as exc:
            faults.append(exc.message)
    if faults:
        raise InvalidRequestError("; ".join(faults), remedy=f"correct {inventory_dir() / NAME}")


def _refuse_request(window: Window, inventory: Inventory | None, bundles: tuple[str, ...]) -> None:
    hosts = inventory.hosts(window.domain) if inventory is not None else ()
    try:
        parse_request(
            window.run, cloud=window.cloud, domain=window.domain, known_hosts=hosts, bundles=bundles
        )
    except InvalidRequestError as exc:
        raise InvalidRequestError(f"the window of {window.domain} in {window.cloud}: {exc.message}") from exc
