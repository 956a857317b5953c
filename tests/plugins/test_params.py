from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.airflow
HOSTS = ("node-01", "node-02", "node-03")
BUNDLES = {"nova-34": "nova-compute 34.0.0 by venv", "nova-35": "nova-compute 35.0.0 by venv"}


@pytest.fixture
def form(airflow_home: object) -> Any:
    assert airflow_home
    from airflow.sdk.definitions.param import ParamsDict

    from escalator_airflow.params import make_campaign_params

    return ParamsDict(make_campaign_params(HOSTS, BUNDLES))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bundle", "nova-99"),
        ("bundle", None),
        ("hosts", "node-01"),
        ("max_parallel", 0),
        ("max_parallel", 3),
        ("max_parallel", "2"),
        ("max_failed_nodes", -1),
        ("max_failed_nodes", 10**30),
        ("max_failed_nodes", "101%"),
        ("max_failed_nodes", "some"),
        ("soak_seconds", -1),
        ("canary_move_seconds", 601),
        ("approval", "yes"),
        ("on_failed_node", "rollback"),
        ("max_parallel", 10**30),
        ("migration_timeout_seconds", 10**9),
        ("migration_timeout_seconds_per_gib", 1e300),
        ("window_end", "9999-12-31T23:59:59-14:00"),
        ("window_end", "0001-01-01T00:00:00+14:00"),
        ("dry_run", "yes"),
        ("migration_timeout_seconds", 9),
        ("mode", "rough"),
        ("on_blocked", "ignore"),
        ("on_interruption", "hold"),
        ("spill", 1.5),
        ("move_standbys", "no"),
        ("migration_timeout_seconds_per_gib", -1),
        ("on_slow_move", "wait"),
        ("window_end", "tomorrow"),
        ("window_end", "2026-11-22 08:00"),
    ],
)
def test_a_bad_value_is_refused(form: Any, key: str, value: object) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        form[key] = value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bundle", "nova-35"),
        ("hosts", ["node-02"]),
        ("max_parallel", 2),
        ("max_failed_nodes", 3),
        ("max_failed_nodes", "3"),
        ("max_failed_nodes", "10%"),
        ("soak_seconds", 600),
        ("canary_move_seconds", 60),
        ("approval", "every-node"),
        ("dry_run", True),
        ("migration_timeout_seconds", 10),
        ("window_end", "2026-11-22T08:00:00Z"),
        ("window_end", None),
        ("mode", "non-smooth"),
        ("on_blocked", "skip"),
        ("on_interruption", "stop"),
        ("spill", 0.02),
        ("move_standbys", False),
        ("migration_timeout_seconds_per_gib", 12.5),
        ("on_slow_move", "force_complete"),
        ("spill", 0),
    ],
)
def test_a_good_value_is_taken(form: Any, key: str, value: object) -> None:
    form["bundle"] = "nova-34"
    form[key] = value
    assert form.validate()[key] == value


def test_the_defaults_are_good_and_are_what_a_request_knows(form: Any) -> None:
    from escalator.documents.requests import KEYS, parse_request

    form["bundle"] = "nova-34"
    defaults = form.validate()
    assert set(defaults) == set(KEYS)
    request = parse_request(defaults, cloud="lab", domain="d", known_hosts=HOSTS, bundles=("nova-34",))
    assert (request.bundle, request.max_parallel, request.hosts, request.dry_run) == ("nova-34", 1, (), False)


def test_until_a_person_chooses_a_bundle_nothing_starts(form: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    assert not form.get_param("bundle").has_value
    with pytest.raises(ParamValidationError, match="bundle"):
        form.validate()


def test_beside_each_bundle_the_form_says_what_it_brings(form: Any) -> None:
    field = form.get_param("bundle").schema
    assert field["values_display"] == {name: f"{name}: {brings}" for name, brings in BUNDLES.items()}
    assert "- **nova-34**: nova-compute 34.0.0 by venv" in field["description_md"]
    assert form.get_param("bundle").description is None  # the form shows only one of both, and this one first


def test_where_windows_begin_runs_the_form_has_no_bundle_either(airflow_home: object) -> None:
    assert airflow_home
    from airflow.sdk.definitions.param import ParamsDict

    from escalator_airflow.params import make_campaign_params

    form = ParamsDict(make_campaign_params(HOSTS, BUNDLES, in_windows=True))  # type: ignore[arg-type]
    assert form.validate()["bundle"] is None
    form["bundle"] = "nova-34"
    assert form.validate()["bundle"] == "nova-34"


def test_without_a_bundle_there_is_a_form_but_no_run(airflow_home: object) -> None:
    assert airflow_home
    from airflow.sdk.definitions.param import ParamsDict
    from airflow.sdk.exceptions import ParamValidationError

    from escalator_airflow.params import make_campaign_params

    with pytest.raises(ParamValidationError):
        ParamsDict(make_campaign_params(HOSTS, {})).validate()  # type: ignore[arg-type]


def test_a_domain_of_one_node_has_a_form(airflow_home: object) -> None:
    assert airflow_home
    from escalator_airflow.params import make_campaign_params

    assert make_campaign_params(("node-01",), {"b": "nothing by none"})["max_parallel"].schema["maximum"] == 1


def test_the_defaults_of_a_check_are_good_and_are_what_it_knows(airflow_home: object) -> None:
    assert airflow_home
    from airflow.sdk.definitions.param import ParamsDict

    from escalator.documents.requests import CheckDocument, parse_check
    from escalator_airflow.params import make_check_params

    form = ParamsDict(make_check_params(HOSTS, BUNDLES))  # type: ignore[arg-type]
    assert not form.get_param("bundle").has_value
    form["bundle"] = "nova-34"
    defaults = form.validate()
    assert set(defaults) == set(CheckDocument.model_fields)
    request, rollback = parse_check(defaults, cloud="lab", known_hosts=HOSTS, bundles=("nova-34",))
    assert (request.bundle, request.hosts, rollback) == ("nova-34", (), False)
