"""Turn Airflow's structured task log into text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from escalator.airflow_client.errors import refuse_other_forms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@refuse_other_forms
def read_log_text(content: Sequence[Mapping[str, Any] | str]) -> str:
    """Return one line a record, and the lines of a traceback below the record that carries it."""
    return "\n".join(line for record in content for line in _lines(record))


def _lines(record: Mapping[str, Any] | str) -> list[str]:
    if isinstance(record, str):
        return [record]
    parts = (record.get("timestamp"), record.get("level"), record.get("event"))
    lines = [" ".join(str(part) for part in parts if part)]
    for error in record.get("error_detail") or ():
        lines += [
            f"  {frame.get('filename')}:{frame.get('lineno')} in {frame.get('name')}"
            for frame in error.get("frames") or ()
        ]
        lines.append(f"  {error.get('exc_type')}: {error.get('exc_value')}")
    return lines
