"""Read the maintenance windows: from a document of ``escalator.windows/1``, or every fault at once."""

from __future__ import annotations

from collections import Counter

from escalator.documents.fields import Fields, shown
from escalator.documents.requests import KEYS
from escalator.model.errors import InvalidRequestError
from escalator.model.window import SCHEMA, Window, Windows

_KEYS = ("cloud", "domain", "cron", "timezone", "minutes", "run")


def parse_windows(document: object) -> Windows:
    """Read the windows from their document; whether a cron rule can be read is not judged here.

    :raises InvalidRequestError: names every fault with its path, such as ``windows[0].minutes: ...``.
    """
    faults: list[str] = []
    fields = Fields.of(document, faults, path="", keys=("schema", "windows"))
    schema = fields.text("schema", required=True)
    if schema and schema != SCHEMA:
        fields.fault("schema", f"is {shown(schema)}, this release reads {SCHEMA}")
    windows = tuple(_window(item) for item in fields.sections("windows", keys=_KEYS))
    for (cloud, domain), times in Counter((w.cloud, w.domain) for w in windows).items():
        if times > 1 and domain:
            fields.fault("windows", f"domain {domain} of cloud {cloud} has {times}, a DAG has one schedule")
    if faults:
        raise InvalidRequestError(
            f"the windows cannot be read: {'; '.join(faults)}", remedy="correct the file"
        )
    return Windows(windows=windows)


def _window(item: Fields) -> Window:
    run = item.section("run", keys=[key for key in KEYS if key != "window_end"])
    run.text("bundle", required=True)
    if not item.has("minutes"):
        item.fault("minutes", "is required")
    return Window(
        cloud=item.text("cloud", required=True),
        domain=item.text("domain", required=True),
        cron=item.text("cron", required=True),
        timezone=item.text("timezone", default="UTC"),
        minutes=item.whole("minutes", default=1, least=1),
        run={str(key): value for key, value in run.values.items()},
    )
