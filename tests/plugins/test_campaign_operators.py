from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.events.hearing import Heard
from tests.plugins.airflow_home import DOMAIN
from tests.plugins.conftest import context

from escalator.events.event import About, Action
from escalator.events.teller import Teller
from escalator.ledger.ledger import Ledger
from escalator.model.errors import EscalatorError, InvalidRequestError, NodeFaultError, TransientError
from escalator.model.window import Window
from escalator.steps.campaign.announce import Announcement

pytestmark = pytest.mark.airflow
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
HOSTS = ("general-001", "general-002", "general-003")
GOOD = {"bundle": "nova-34", "hosts": [], "max_parallel": 1}


TUESDAYS = Window(
    cloud="lab",
    domain=DOMAIN,
    cron="0 22 * * 2",
    timezone="Europe/Warsaw",
    minutes=240,
    run={"bundle": "nova-34", "max_parallel": 2, "on_blocked": "skip"},
)


@pytest.fixture
def module(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The operators, with every way out of the process closed."""
    assert folders
    from escalator_airflow.operators import campaign

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the cloud was asked")

    monkeypatch.setattr(campaign, "make_context", refuse)
    return campaign


def check(module: Any, run_id: str = "refused", **asked: Any) -> Any:
    operator = module.CheckConditionsOperator(
        task_id="check", procedure="upgrade", cloud="lab", domain=DOMAIN, hosts=HOSTS
    )
    params = {k: v for k, v in asked.items() if k in {*GOOD, "dry_run", "window_end"}}
    return operator.execute(context(conf=asked, params={**GOOD, **params}, run_id=run_id))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"max_paralel": 2}, "max_paralel"),
        ({"force": True, "hosts": ["general-009"]}, "general-009"),
        ({"hosts": ["general-01"]}, "general-01"),
        ({"hosts": ["general-001", "general-001"]}, "2 times"),
        ({"max_parallel": 3}, "impossible"),
        ({"bundle": "nova-35"}, "nova-35"),
        ({"window_end": "2020-01-01T00:00:00Z"}, "in the past"),
    ],
)
def test_a_wrong_request_is_refused_before_any_call_or_write(
    module: Any, asked: dict[str, Any], words: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="Refused, nothing was changed") as refused:
        check(module, **asked)
    assert words in str(refused.value)
    assert Ledger().run("upgrade__lab__cell1-az1-general", "refused").plan() is None


def test_every_fault_of_a_request_is_told_at_once(module: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException) as refused:
        check(module, force=True, hosts=["x"], max_parallel=9)
    for words in ("force", "'x'", "9"):
        assert words in str(refused.value)


def test_an_unreadable_bundle_is_refused(module: Any, folders: Path) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    (folders / "bundles" / "broken.yaml").write_text("schema: [")
    with pytest.raises(AirflowFailException, match=r"broken\.yaml cannot be read"):
        check(module, bundle="broken")


def opened(module: Any, monkeypatch: pytest.MonkeyPatch, function: str, answer: Any) -> None:
    def act(*_: object, **__: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module, "open_campaign", lambda *_, **__: "campaign")
    monkeypatch.setattr(module, "_tell_end", lambda _: ())
    monkeypatch.setattr(module, "start_own_rollbacks", lambda *_: ())
    monkeypatch.setattr(module, function, act)


def test_a_cloud_that_is_away_is_another_try(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_context", lambda *_, **__: "campaign")
    opened(module, monkeypatch, "check", TransientError("HTTP 503"))
    with pytest.raises(TransientError):
        check(module)


def test_a_good_request_gives_the_plan_as_json(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def judge(draft: Any, document: Any, *, known_hosts: Any) -> Any:
        seen.append((draft, document, known_hosts))
        return SimpleNamespace(hosts=HOSTS[::-1], target_version="34.0.0"), ()

    known: list[Any] = []
    monkeypatch.setattr(module, "load_vnfms", lambda _: "registry")
    monkeypatch.setattr(
        module, "make_context", lambda record, *, vnfms, **_: known.append(vnfms) or record.plan
    )
    monkeypatch.setattr(module, "check", judge)
    assert check(module) == {"schema_version": 1, "hosts": list(HOSTS[::-1]), "target_version": "34.0.0"}
    ((draft, document, hosts),) = seen
    assert known == ["registry"]
    assert (draft.target_version, draft.request.domain, hosts) == ("34.0.0", DOMAIN, HOSTS)
    assert document["name"] == "nova-34"


def test_a_refusal_is_told_with_the_reason(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    heard = Heard()
    teller = Teller(about=About(campaign="c", run_id="r", cloud="lab"), hearers=[heard])
    monkeypatch.setattr(module, "make_context", lambda *_, **__: SimpleNamespace(teller=teller))
    opened(module, monkeypatch, "check", InvalidRequestError("no room", remedy="add a node"))
    with pytest.raises(AirflowFailException, match="Refused, nothing was changed: no room"):
        check(module)
    (event,) = heard
    assert (event.action, event.result, event.details) == (
        Action.CAMPAIGN_CONCLUDED,
        "refused",
        {"by_window": False},
    )
    assert "no room" in event.message


@pytest.mark.parametrize("run_type", ["scheduled", "manual"])
def test_what_a_window_asks_for_counts_for_the_runs_that_it_begins_only(
    module: Any, monkeypatch: pytest.MonkeyPatch, run_type: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    drafts: list[Any] = []
    monkeypatch.setattr(module, "make_context", lambda record, **_: drafts.append(record.plan))
    monkeypatch.setattr(
        module, "check", lambda *_, **__: (SimpleNamespace(hosts=HOSTS, target_version="34.0.0"), ())
    )
    operator = module.CheckConditionsOperator(
        task_id="check",
        procedure="upgrade",
        cloud="lab",
        domain=DOMAIN,
        hosts=HOSTS,
        window=TUESDAYS,
    )
    form = {"bundle": None, "hosts": [], "max_parallel": 1, "on_blocked": "refuse"}
    if run_type == "manual":
        with pytest.raises(AirflowFailException, match="bundle: is required"):
            operator.execute(context(params=form, run_type=run_type))
        return
    operator.execute(context(params=form, run_type=run_type))
    (plan,) = drafts
    assert (plan.request.bundle, plan.request.max_parallel, str(plan.request.on_blocked)) == (
        "nova-34",
        2,
        "skip",
    )


@pytest.mark.parametrize(
    ("started", "end"),
    [
        ("2026-11-24T20:59:00Z", None),
        ("2026-11-24T22:30:00.5Z", "2026-11-25T01:00:00Z"),
        ("2026-11-25T01:00:00Z", None),
    ],
)
def test_a_run_without_a_logical_date_ends_with_the_window_that_was_open_when_it_was_started(
    module: Any, monkeypatch: pytest.MonkeyPatch, started: str, end: str | None
) -> None:
    drafts: list[Any] = []
    monkeypatch.setattr(module, "make_context", lambda record, **_: drafts.append(record.plan))
    monkeypatch.setattr(
        module, "check", lambda *_, **__: (SimpleNamespace(hosts=HOSTS, target_version="34.0.0"), ())
    )
    operator = module.CheckConditionsOperator(
        task_id="check", procedure="upgrade", cloud="lab", domain=DOMAIN, hosts=HOSTS, window=TUESDAYS
    )
    asked = context(params=GOOD)
    asked["dag_run"].run_after = datetime.fromisoformat(started)
    operator.execute(asked)
    assert drafts[0].window_end == (datetime.fromisoformat(end) if end else None)


def test_a_data_interval_that_cannot_be_reckoned_with_is_refused(module: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    operator = module.CheckConditionsOperator(
        task_id="check", procedure="upgrade", cloud="lab", domain=DOMAIN, hosts=HOSTS, window=TUESDAYS
    )
    asked = context(params=GOOD)
    asked["dag_run"].data_interval_start = NOW
    asked["dag_run"].data_interval_end = NOW.replace(year=9999)
    with pytest.raises(AirflowFailException, match="the data interval ends at 9999"):
        operator.execute(asked)


def test_prepare_names_the_nodes_that_it_could_not_stage(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(module, monkeypatch, "prepare", {"general-001": "disk full"})
    answer = module.PrepareOperator(task_id="prepare").execute(context())
    assert answer == {"schema_version": 1, "not_staged": {"general-001": "disk full"}}


def test_what_is_staged_beside_the_nodes_fails_no_run(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(module, monkeypatch, "prepare_others", {"general-001": "disk full"})
    operator = module.PrepareOthersOperator(task_id="prepare_others")
    assert operator.execute(context())["not_staged"] == {"general-001": "disk full"}

    def fail(_campaign: object) -> None:
        raise TransientError("the ledger is away")

    monkeypatch.setattr(module, "prepare_others", fail)
    assert operator.execute(context()) == {"schema_version": 1, "not_staged": {}}


def test_conclude_without_a_campaign_points_to_the_reason(module: Any) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="see check_conditions"):
        module.ConcludeOperator(task_id="conclude").execute(context(run_id="never opened"))


def test_a_session_whose_run_was_refused_has_failed(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    failed: list[tuple[str, str]] = []
    monkeypatch.setattr(module, "fail_session_of", lambda *run: failed.append(run[:2]))
    with pytest.raises(AirflowFailException):
        module.ConcludeOperator(task_id="conclude").execute(context(run_id="maintenance__s"))
    assert [run_id for _, run_id in failed] == ["maintenance__s"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (EscalatorError("disk full"), "could not be written: disk full"),
        (NodeFaultError("odd"), "could not be written: odd"),
        (
            SimpleNamespace(paths=SimpleNamespace(html="r.html"), faults=("node-01 is held",)),
            "node-01 is held",
        ),
    ],
)
def test_conclude_fails_the_run_when_a_node_or_the_report_is_not_good(
    module: Any, monkeypatch: pytest.MonkeyPatch, answer: Any, words: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    opened(module, monkeypatch, "conclude", answer)
    with pytest.raises(AirflowFailException, match=words):
        module.ConcludeOperator(task_id="conclude").execute(context())


def test_conclude_of_a_good_campaign_says_where_the_report_is(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = SimpleNamespace(html="r.html", json=Path("r.json"))
    opened(module, monkeypatch, "conclude", SimpleNamespace(paths=paths, faults=(), left=("node-02",)))
    answer = module.ConcludeOperator(task_id="conclude").execute(context())
    assert answer == {"schema_version": 1, "report": "r.json", "left_for_next_window": ["node-02"]}


def test_conclude_tries_again_when_the_cloud_is_away(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(module, monkeypatch, "conclude", TransientError("HTTP 503"))
    with pytest.raises(TransientError):
        module.ConcludeOperator(task_id="conclude").execute(context())


def test_conclude_minds_no_probe_that_was_ended(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run was marked failed, and its nodes were cleared since, one by one: the probes are not."""
    paths = SimpleNamespace(html="r.html", json=Path("r.json"))
    opened(module, monkeypatch, "conclude", SimpleNamespace(paths=paths, faults=(), left=()))
    states = {"run-1": {"general-001.admit": "success", "probe_services": "failed"}}
    answer = module.ConcludeOperator(task_id="conclude").execute(context(get_task_states=lambda **_: states))
    assert answer["report"] == "r.json"


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_conclude_fails_the_run_when_a_task_is_failed_whatever_the_nodes_are(
    module: Any, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    paths = SimpleNamespace(html="r.html", json=Path("r.json"))
    opened(module, monkeypatch, "conclude", SimpleNamespace(paths=paths, faults=(), left=()))
    states = {"run-1": {"general-001.admit": state, "general-002.admit": "skipped", "conclude": "running"}}
    with pytest.raises(AirflowFailException, match=r"cut off: general-001\.admit did not end by itself"):
        module.ConcludeOperator(task_id="conclude").execute(context(get_task_states=lambda **_: states))


@pytest.mark.parametrize(
    ("said", "not_before"),
    [
        ({"waits": ("m",), "not_before": None}, None),
        ({"waits": (), "not_before": NOW}, "2026-11-22T08:00:00+00:00"),
    ],
)
def test_announce_waits_in_the_triggerer_for_answers_and_for_its_moment(
    module: Any, monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], not_before: str | None
) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    opened(module, monkeypatch, "announce", Announcement(told=1, **said))
    with pytest.raises(TaskDeferred) as deferred:
        module.AnnounceOperator(task_id="announce").execute(context())
    assert deferred.value.method_name == "resume"
    assert deferred.value.timeout is None
    assert deferred.value.trigger.serialize()[1]["not_before"] == not_before
    opened(module, monkeypatch, "announce", Announcement(told=1, findings=("silent",)))
    resumed = module.AnnounceOperator(task_id="announce").resume(context())
    assert resumed == {"schema_version": 1, "told": 1, "findings": ["silent"]}
