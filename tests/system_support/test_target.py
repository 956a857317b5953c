from __future__ import annotations

from pathlib import Path

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.system_support.target import SshTarget

SECRETS = {"private_key": "KEYTEXT", "private_key_passphrase": "PASSPHRASE"}


def read(extra: dict[str, object], login: str | None = None, port: int | None = None) -> SshTarget:
    return SshTarget.from_connection_fields(login, None, port, extra, host="node-01", address="192.0.2.1")


def test_fields_of_a_connection_become_a_target() -> None:
    target = read(
        {
            "key_file": "/keys/id",
            "known_hosts": "/keys/known",
            "conn_timeout": "7",
            "cmd_timeout": 90,
            "compress": "true",
        },
        login="stack",
        port=2222,
    )
    assert target == SshTarget(
        host="node-01",
        address="192.0.2.1",
        port=2222,
        user="stack",
        key_file=Path("/keys/id"),
        known_hosts=Path("/keys/known"),
        connect_timeout_seconds=7.0,
        command_timeout_seconds=90.0,
    )


def test_an_empty_connection_means_root_on_port_22() -> None:
    target = read({})
    assert (target.user, target.port, target.key_file) == ("root", 22, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no_host_key_check", True),
        ("ignore_hostkey_verification", True),
        ("allow_host_key_change", True),
        ("no_host_key_check", "true"),
        ("no_host_key_check", "True"),
        ("no_host_key_check", "1"),
    ],
)
def test_switching_host_key_verification_off_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidRequestError, match="always verified"):
        read({name: value})


@pytest.mark.parametrize("value", [False, "false", "", None])
def test_leaving_host_key_verification_on_is_accepted(value: object) -> None:
    assert read({"no_host_key_check": value}).host == "node-01"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"conn_timeout": "soon"}, "number of seconds"),
        ({"conn_timeout": "1e400"}, "at most 86400"),
        ({"conn_timeout": "nan"}, "above zero"),
        ({"cmd_timeout": 10**5000}, "at most 86400"),
        ({"cmd_timeout": -1}, "above zero"),
        ({"key_file": 5}, "not text"),
        ({"key_file": "/k", "private_key": "x"}, "one of both"),
    ],
)
def test_malformed_extras_are_refused_with_a_remedy(extra: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        read(extra)


def test_all_malformed_extras_are_named_at_once() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read({"no_host_key_check": True, "known_hosts": 5, "conn_timeout": "soon", "cmd_timeout": 1e12})
    for name in ("no_host_key_check", "known_hosts", "conn_timeout", "cmd_timeout"):
        assert name in caught.value.message
        assert name in (caught.value.remedy or "")


def test_no_wait_is_longer_than_clocks_are() -> None:
    with pytest.raises(InvalidRequestError, match="at most 86400 seconds"):
        SshTarget(host="node-01", address="192.0.2.1", command_timeout_seconds=float("inf"))


@pytest.mark.parametrize(("address", "port"), [("", 22), ("192.0.2.1", 70000)])
def test_an_impossible_address_or_port_is_refused(address: str, port: int) -> None:
    with pytest.raises(InvalidRequestError):
        SshTarget(host="node-01", address=address, port=port)


def test_secrets_never_show() -> None:
    target = SshTarget.from_connection_fields(
        "root", "PASSWORD", None, SECRETS, host="node-01", address="192.0.2.1"
    )
    assert target.password == "PASSWORD"
    assert target.private_key == "KEYTEXT"
    for secret in ("PASSWORD", "KEYTEXT", "PASSPHRASE"):
        assert secret not in repr(target)
