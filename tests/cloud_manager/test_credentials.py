from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.model.errors import InvalidRequestError

GOOD: dict[str, Any] = {
    "host": "https://keystone.example:5000/v3",
    "login": "admin",
    "password": "hidden-word",
    "extra": {"OS_REGION_NAME": "R1", "OS_PROJECT_ID": "p-1", "OS_PROJECT_DOMAIN_ID": "default"},
}


def test_provider_form_is_read_as_the_provider_reads_it() -> None:
    credentials = CloudCredentials.from_connection_fields(**GOOD)
    assert credentials.auth == {
        "auth_url": "https://keystone.example:5000/v3",
        "username": "admin",
        "password": "hidden-word",
        "project_id": "p-1",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }
    assert credentials.region_name == "R1"
    assert credentials.auth_type == "v3password"


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"host": None}, "`host`"),
        ({"login": ""}, "`login`"),
        ({"password": None}, "`password`"),
        ({"extra": {"OS_PROJECT_DOMAIN_ID": "default"}}, "no project"),
        ({"extra": {"OS_PROJECT_ID": "p-1"}}, "no user domain"),
        ({"extra": {"application_credential_id": "i"}}, "`application_credential_secret`"),
        ({"extra": {"application_credential_secret": "s"}}, "`application_credential_name`"),
        (
            {"extra": {"application_credential_secret": "s", "application_credential_name": "n"}},
            "no user domain",
        ),
    ],
)
def test_missing_field_is_named(fields: dict[str, Any], missing: str) -> None:
    with pytest.raises(InvalidRequestError, match=missing) as caught:
        CloudCredentials.from_connection_fields(**{**GOOD, **fields})
    assert caught.value.remedy
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "what"),
    [
        ({}, "`host`, no `login`, no `password`, no project, no user domain"),
        (
            {"application_credential_name": "n"},
            "`host`, no `login`, no `application_credential_secret`, no user domain",
        ),
        ({"application_credential_id": "i"}, "`host`, no `application_credential_secret`"),
        ({"project_name": "ops"}, "`host`, no `login`, no `password`, no user domain"),
    ],
)
def test_all_missing_fields_are_named_at_once(extra: dict[str, str], what: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        CloudCredentials.from_connection_fields(extra=extra)
    assert caught.value.message == f"the connection has no {what}"
    assert str(caught.value.remedy).count(";") == what.count(",")  # one thing to do for each


@pytest.mark.parametrize("host", ["http://[::1", "keystone:http", "http://k:http/v3", "https://k:99999/v3"])
def test_a_host_that_is_no_address_is_said_to_be_none(host: str) -> None:
    with pytest.raises(InvalidRequestError, match=r"`host` .* is no address.*5000/v3"):
        CloudCredentials.from_connection_fields(**{**GOOD, "host": host, "port": 5000})


def test_spaces_around_an_address_are_none_of_it() -> None:
    credentials = CloudCredentials.from_connection_fields(**{**GOOD, "host": " https://k:5000/v3 "})
    assert credentials.auth["auth_url"] == "https://k:5000/v3"


def test_secrets_are_not_in_the_repr() -> None:
    assert "hidden-word" not in repr(CloudCredentials.from_connection_fields(**GOOD))


@pytest.mark.parametrize(
    ("host", "schema", "port", "url"),
    [
        ("keystone.example", "http", 5000, "http://keystone.example:5000/v3"),
        ("keystone.example", None, None, "https://keystone.example/v3"),
        ("http://keystone.example", None, 5000, "http://keystone.example:5000/v3"),
        ("http://keystone.example:35357/v3", "https", 5000, "http://keystone.example:35357/v3"),
        ("https://cloud.example/identity", None, None, "https://cloud.example/identity"),
    ],
)
def test_auth_url_is_put_together(host: str, schema: str | None, port: int | None, url: str) -> None:
    credentials = CloudCredentials.from_connection_fields(**{**GOOD, "host": host}, schema=schema, port=port)
    assert credentials.auth["auth_url"] == url


def test_project_name_takes_the_users_domain_when_it_has_none() -> None:
    extra = {"project_name": "ops", "user_domain_name": "Default"}
    credentials = CloudCredentials.from_connection_fields(**{**GOOD, "extra": extra})
    assert credentials.auth["project_domain_name"] == "Default"
    assert "project_id" not in credentials.auth


def test_application_credential_needs_no_password() -> None:
    extra = {"application_credential_id": "i", "application_credential_secret": "s"}
    credentials = CloudCredentials.from_connection_fields(host="http://k/v3", extra=extra)
    assert credentials.auth_type == "v3applicationcredential"
    assert credentials.auth == {
        "auth_url": "http://k/v3",
        "application_credential_id": "i",
        "application_credential_secret": "s",
    }


def test_application_credential_by_name_needs_its_owner() -> None:
    extra = {
        "application_credential_name": "n",
        "application_credential_secret": "s",
        "user_domain_name": "Default",
    }
    credentials = CloudCredentials.from_connection_fields(host="http://k/v3", login="u", extra=extra)
    assert credentials.auth["username"] == "u"
    assert credentials.auth["user_domain_name"] == "Default"


def test_cloud_in_extras_needs_nothing_else() -> None:
    extra = {
        "cloud": "lab",
        "clouds_yaml": "/c.yaml",
        "verify": "false",
        "interface": "internal",
        "cacert": "/ca",
    }
    credentials = CloudCredentials.from_connection_fields(extra=extra)
    assert (credentials.cloud, credentials.clouds_yaml) == ("lab", "/c.yaml")
    assert (credentials.verify, credentials.interface, credentials.cacert) == (False, "internal", "/ca")
    assert credentials.label == "lab"


def test_clouds_yaml_gives_region_interface_and_url(tmp_path: Path) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(
        "clouds: {one: {region_name: R9, interface: internal, auth: {auth_url: http://k/v3, username: u,"
        " password: p, project_name: a, user_domain_name: D, project_domain_name: D}}}"
    )
    connection = connect(CloudCredentials.from_clouds_yaml("one", path=path), CallCounter())
    assert connection.config.get_region_name("compute") == "R9"
    assert connection.config.get_interface("compute") == "internal"


@pytest.mark.parametrize("name", ["two", ""])
def test_unknown_cloud_is_refused_before_any_call(tmp_path: Path, name: str) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text("clouds: {one: {auth: {auth_url: http://k/v3}}}")
    counter = CallCounter()
    with pytest.raises(InvalidRequestError):
        connect(CloudCredentials.from_clouds_yaml(name, path=path), counter)
    assert counter.total == 0


def test_tls_options_reach_the_session() -> None:
    fields = {**GOOD, "extra": {**GOOD["extra"], "verify": "no"}}
    connection = connect(CloudCredentials.from_connection_fields(**fields), CallCounter())
    assert connection.session.verify is False
