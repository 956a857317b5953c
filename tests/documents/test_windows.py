from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from tests.documents.documents_drawn import json_values, mutilated
from tests.upgrade_manager.clouds import few

from escalator.documents.windows import parse_windows
from escalator.model.errors import InvalidRequestError
from escalator.model.window import Window

WINDOW: dict[str, Any] = {
    "cloud": "lab",
    "domain": "cell1/az1/general",
    "cron": "0 22 * * 2",
    "timezone": "Europe/Warsaw",
    "minutes": 240,
    "run": {"bundle": "nova-34", "max_parallel": 2},
}
FULL = {"schema": "escalator.windows/1", "windows": [WINDOW]}


def refusal(*windows: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        parse_windows({**FULL, "windows": list(windows)})
    return caught.value.message


def changed(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**WINDOW, **changes}.items() if value is not ...}


def test_a_window_is_found_by_cloud_and_domain() -> None:
    windows = parse_windows(FULL)
    asked = {"on_blocked": "skip", **WINDOW["run"]}
    assert windows.of("lab", "cell1/az1/general") == Window(**{**WINDOW, "run": asked})
    assert windows.of("lab", "other") is windows.of("other", "cell1/az1/general") is None


@pytest.mark.parametrize(("said", "asked"), [({}, "skip"), ({"on_blocked": "refuse"}, "refuse")])
def test_a_window_leaves_blocked_nodes_out_unless_it_says_otherwise(said: dict[str, str], asked: str) -> None:
    windows = parse_windows({**FULL, "windows": [changed(run={"bundle": "nova-34", **said})]})
    assert windows.windows[0].run["on_blocked"] == asked


def test_without_a_zone_the_rule_is_read_in_utc() -> None:
    assert parse_windows({**FULL, "windows": [changed(timezone=...)]}).windows[0].timezone == "UTC"


@pytest.mark.parametrize("windows", [None, []])
def test_no_windows_are_no_fault(windows: object) -> None:
    assert parse_windows({**FULL, "windows": windows}).windows == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cloud": ...}, "windows[0].cloud: is required"),
        ({"cron": 5}, "windows[0].cron: must be text, not 5"),
        ({"minutes": 0}, "windows[0].minutes: must be at least 1, not 0"),
        ({"minutes": 1.5}, "windows[0].minutes: must be a whole number, not 1.5"),
        ({"run": {}}, "windows[0].run.bundle: is required"),
        (
            {"run": {"bundle": "b", "max_parallel": "2"}},
            "windows[0].run.max_parallel: must be a whole number",
        ),
        ({"run": {"bundle": "b", "max_paralel": 2}}, "max_paralel: is not known, did you mean max_parallel?"),
        ({"run": {"bundle": "b", "window_end": "x"}}, "windows[0].run.window_end: is not known"),
        ({"length": 3}, "windows[0].length: is not known"),
    ],
)
def test_refusals(change: dict[str, Any], message: str) -> None:
    assert message in refusal(changed(**change))


def test_a_domain_with_two_windows_is_refused() -> None:
    assert "domain cell1/az1/general of cloud lab has 2" in refusal(WINDOW, changed(cron="0 1 * * *"))


@given(json_values | mutilated(FULL))
@few
def test_any_document_is_windows_or_refused(document: object) -> None:
    try:
        windows = parse_windows(document).windows
    except InvalidRequestError as error:
        windows, remedy = (), error.remedy
    else:
        remedy = "correct the file"
    assert remedy == "correct the file"
    assert all(window.minutes >= 1 and window.run["bundle"] for window in windows)
