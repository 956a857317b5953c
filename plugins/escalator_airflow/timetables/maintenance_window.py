"""The timetable of a maintenance window: a run begins at the tick, its data interval is the window."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowTimetableInvalid
from airflow.serialization.encoders import encode_timezone
from airflow.timetables.base import DagRunInfo, DataInterval
from airflow.timetables.trigger import CronTriggerTimetable
from pendulum import DateTime, datetime, instance, now

from escalator_airflow.timetables.overlaps import find_overlap

if TYPE_CHECKING:
    from airflow.timetables.base import TimeRestriction

_BY_CHANCE = re.compile(r"(?<![A-Za-z])[RrHh](?![A-Za-z])")
_FIELDS = 5
"""Of a cron rule; a sixth would count seconds."""


class MaintenanceWindow(CronTriggerTimetable):
    """Runs begin at the ticks of a cron rule; the data interval is ``[tick, tick + length]``.

    So a task reads the end of its window as the end of its data interval. A run that a person starts during a
    window ends with it; started at another time it has no window. A tick whose window is over is passed over;
    one whose window is still open when Airflow comes to it is used.

    :param cron: when windows open, such as ``0 22 * * 2``.
    :param timezone: in which the cron rule is read, such as ``Europe/Warsaw``.
    :param minutes: how long a window is open.
    """

    def __init__(self, cron: str, *, timezone: str = "UTC", minutes: int) -> None:
        super().__init__(cron, timezone=timezone, run_immediately=timedelta(minutes=minutes))
        self.minutes = minutes

    @property
    def summary(self) -> str:
        """Say the rule and the length."""
        return f"{self._expression} for {self.minutes} min"

    def serialize(self) -> dict[str, Any]:
        """Return the arguments as JSON."""
        return {
            "expression": self._expression,
            "timezone": encode_timezone(self._timezone),
            "minutes": self.minutes,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> MaintenanceWindow:
        """Make the timetable from what :meth:`serialize` wrote."""
        return cls(data["expression"], timezone=data["timezone"], minutes=data["minutes"])

    def validate(self) -> None:
        """Refuse a rule that cannot be read or never comes, and a length that does not fit between two ticks.

        :raises AirflowTimetableInvalid: says which.
        """
        super().validate()
        from escalator.documents.windows import LONGEST_MINUTES  # noqa: PLC0415  the scheduler keeps none of it

        if not 1 <= self.minutes <= LONGEST_MINUTES:
            raise AirflowTimetableInvalid(
                f"a window of {self.minutes} minutes: choose 1 to {LONGEST_MINUTES} minutes"
            )
        if len(self._expression.split()) != _FIELDS:
            raise AirflowTimetableInvalid(f"{self._expression!r} has not five columns")
        if _BY_CHANCE.search(self._expression):
            raise AirflowTimetableInvalid(f"{self._expression!r} would open at another time with every look")
        try:
            self._get_next(datetime(2026, 1, 1))
        except ValueError as exc:  # 30 February
            raise AirflowTimetableInvalid(f"{self._expression!r} never comes: {exc}") from exc
        overlap = find_overlap(
            self._expression,
            self._timezone,
            timedelta(minutes=self.minutes),
            lambda moment: self._get_next(instance(moment)),
        )
        if overlap:
            tick, following = (moment.astimezone(self._timezone) for moment in overlap)
            raise AirflowTimetableInvalid(
                f"windows overlap: {self.minutes} minutes from {tick.isoformat()}, "
                f"but the next opens at {following.isoformat()}"
            )

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next window that is not over yet."""
        last = last_automated_data_interval
        if last is not None:  # the cron rule goes on from the tick, not from the end of the window
            last = DataInterval.exact(last.start)
        while True:
            info = super().next_dagrun_info(last_automated_data_interval=last, restriction=restriction)
            if info is None:
                return None
            window = self._window(info.run_after)
            if window.end > now("UTC"):
                return DagRunInfo(run_after=window.start, data_interval=window)
            last = DataInterval.exact(window.start)

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the rest of the window that is open; without one, an interval without a length.

        :raises ValueError: the moment is too far away to be reckoned with; Airflow answers 400.
        """
        from escalator.documents.moments import WITHIN, is_near  # noqa: PLC0415  the scheduler keeps none of it

        if not is_near(run_after):
            raise ValueError(f"the logical date {run_after.isoformat()} has to be {WITHIN}")
        window = self._window(self._align_to_prev(run_after))
        return DataInterval(run_after, max(run_after, window.end))

    def _window(self, tick: DateTime) -> DataInterval:
        return DataInterval(tick, tick.add(minutes=self.minutes))
