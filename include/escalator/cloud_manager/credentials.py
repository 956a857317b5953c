"""Where a cloud is and who we are there: from ``clouds.yaml`` or from an Airflow connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from escalator.documents.wording import show_value
from escalator.model.errors import InvalidRequestError

_FALSE = frozenset({"false", "no", "0", "off"})
_SCOPE = ("project_id", "project_name")
_PROVIDER_EXTRAS = {
    "OS_REGION_NAME": "region_name",
    "OS_INTERFACE": "interface",
    "OS_CACERT": "cacert",
    "OS_PROJECT_ID": "project_id",
    "OS_PROJECT_NAME": "project_name",
    "OS_PROJECT_DOMAIN_NAME": "project_domain_name",
    "OS_USER_DOMAIN_ID": "user_domain_id",
    "OS_USER_DOMAIN_NAME": "user_domain_name",
}
"""Extras in the spelling of the Airflow provider's connection form -> the names used here."""
_SCOPE_FIELDS = ("project_id", "project_name", "project_domain_id", "project_domain_name")
_DOMAIN_FIELDS = ("user_domain_id", "user_domain_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudCredentials:
    """Everything that a connection to one cloud needs; secrets are not part of its repr.

    :ivar cloud: name in ``clouds.yaml``, or of the cloud of the openrc; None when ``auth`` says it all.
    :ivar openrc: it is the cloud that the variables ``OS_*`` of the environment describe.
    :ivar clouds_yaml: path of that file; None for the usual places.
    :ivar auth_type: keystoneauth's name of the kind; ``v3password`` asks for no version of Keystone first.
    :ivar auth: authentication options of keystoneauth, secrets included.
    :ivar verify: whether TLS certificates are checked.
    """

    cloud: str | None = None
    openrc: bool = False
    clouds_yaml: str | None = None
    auth_type: str = "password"
    auth: Mapping[str, str] = field(default_factory=dict, repr=False)
    region_name: str | None = None
    interface: str | None = None
    cacert: str | None = None
    verify: bool = True

    @classmethod
    def from_clouds_yaml(
        cls, name: str, region: str | None = None, *, path: str | Path | None = None
    ) -> CloudCredentials:
        """Take a cloud of ``clouds.yaml``; the file is read when the connection is made.

        :param path: the file; None for the usual places (``OS_CLIENT_CONFIG_FILE``, the working directory,
            ``~/.config/openstack``, ``/etc/openstack``).
        :raises InvalidRequestError: the name is empty.
        """
        if not name:
            raise InvalidRequestError("no cloud is named", remedy="name a cloud of clouds.yaml")
        return cls(cloud=name, clouds_yaml=str(path) if path else None, region_name=region)

    @classmethod
    def from_connection_fields(
        cls,
        *,
        host: str | None = None,
        login: str | None = None,
        password: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> CloudCredentials:
        """Read the fields of an Airflow connection of type ``openstack``.

        As the provider makes it: the auth URL in host, login, password, and the extras ``OS_REGION_NAME``,
        ``OS_PROJECT_ID`` and ``OS_PROJECT_DOMAIN_ID`` (which the provider takes for the user's domain too).
        Beyond it, in extras: ``cloud`` with ``clouds_yaml``; ``application_credential_id`` (or ``_name``) and
        ``_secret``; ``project_name``; ``user_domain_id``, ``project_domain_id`` and their ``_name``;
        ``region_name``, ``interface``, ``cacert``, ``verify``.

        :raises InvalidRequestError: fields are missing; the message names each of them.
        """
        extras = _plain(extra or {})
        options = cls(
            region_name=extras.get("region_name"),
            interface=extras.get("interface"),
            cacert=extras.get("cacert"),
            verify=str(extras.get("verify", "true")).lower() not in _FALSE,
        )
        if "cloud" in extras:
            return replace(options, cloud=extras["cloud"], clouds_yaml=extras.get("clouds_yaml"))
        given = _Given(login=login or "", password=password or "", extras=extras)
        by_credential = any(key.startswith("application_credential_") for key in extras)
        _refuse_missing(_find_missing(host, given, by_credential=by_credential))
        auth = {"auth_url": _auth_url(host or "", schema, port)}
        if by_credential:
            auth |= _application_credential(given)
            return replace(options, auth_type="v3applicationcredential", auth=auth)
        auth |= _password(given)
        kind = "v3password" if auth["auth_url"].rstrip("/").endswith("/v3") else "password"
        return replace(options, auth_type=kind, auth=auth)

    @property
    def label(self) -> str:
        """Name the cloud for messages: its name, or the host of its auth URL."""
        return self.cloud or urlsplit(self.auth.get("auth_url", "")).netloc


def _plain(extra: Mapping[str, object]) -> dict[str, str]:
    """Spell every extra one way, and leave out those that are empty."""
    extras = {key: str(value) for key, value in extra.items() if value not in (None, "")}
    for theirs, ours in _PROVIDER_EXTRAS.items():
        if theirs in extras:
            extras.setdefault(ours, extras[theirs])
    if "OS_PROJECT_DOMAIN_ID" in extras:
        extras.setdefault("project_domain_id", extras["OS_PROJECT_DOMAIN_ID"])
        if not any(name in extras for name in _DOMAIN_FIELDS):
            extras["user_domain_id"] = extras["OS_PROJECT_DOMAIN_ID"]
    return extras


class _Given(NamedTuple):
    """What a connection says of who we are: two of its fields, and its extras in our spelling."""

    login: str
    password: str
    extras: Mapping[str, str]


def _find_missing(host: str | None, given: _Given, *, by_credential: bool) -> Iterator[tuple[str, str]]:
    """Find every field that lacks: what it is, and what to put where."""
    extras = given.extras
    by_name = "application_credential_id" not in extras
    if not host:
        yield "`host`", "the auth URL into its host field, such as https://keystone:5000/v3"
    if not given.login and (by_name or not by_credential):
        yield "`login`", "the user's name into its login field"
    if not given.password and not by_credential:
        yield "`password`", "the user's password into its password field"
    if by_credential and by_name and "application_credential_name" not in extras:
        yield "`application_credential_name`", "it (or `application_credential_id`) into its extras"
    if by_credential and "application_credential_secret" not in extras:
        yield "`application_credential_secret`", "it into its extras"
    if not any(name in extras for name in _SCOPE) and not by_credential:
        yield "project", "`project_name` (or `project_id`) into its extras"
    if not any(name in extras for name in _DOMAIN_FIELDS) and (by_name or not by_credential):
        yield "user domain", "`user_domain_name` (or `user_domain_id`) into its extras"


def _refuse_missing(missing: Iterable[tuple[str, str]]) -> None:
    lacking = list(missing)
    if lacking:
        raise InvalidRequestError(
            f"the connection has no {', no '.join(what for what, _ in lacking)}",
            remedy=f"put {'; '.join(where for _, where in lacking)}",
        )


def _auth_url(host: str, schema: str | None, port: int | None) -> str:
    url = host.strip() if "://" in host else f"{schema or 'https'}://{host.strip()}"
    try:
        parts = urlsplit(url)
        own_port = parts.port
    except ValueError:
        raise InvalidRequestError(
            f"the connection's `host` {show_value(host)} is no address",
            remedy="give one such as https://keystone.example:5000/v3; an IPv6 address stands in [brackets]",
        ) from None
    if port is not None and own_port is None:
        parts = parts._replace(netloc=f"{parts.netloc}:{port}")
    if parts.path in {"", "/"}:
        parts = parts._replace(path="/v3")
    return parts.geturl()


def _application_credential(given: _Given) -> dict[str, str]:
    names = ("application_credential_id", "application_credential_name")
    known = names[0] if names[0] in given.extras else names[1]
    auth = {name: given.extras[name] for name in (known, "application_credential_secret")}
    return auth if known == names[0] else auth | {"username": given.login} | _domain(given)


def _password(given: _Given) -> dict[str, str]:
    scope = {name: given.extras[name] for name in _SCOPE_FIELDS if name in given.extras}
    if "project_id" not in scope and not any("domain" in name for name in scope):
        scope |= {name.replace("user_", "project_"): value for name, value in _domain(given).items()}
    return {"username": given.login, "password": given.password} | _domain(given) | scope


def _domain(given: _Given) -> dict[str, str]:
    return {name: given.extras[name] for name in _DOMAIN_FIELDS if name in given.extras}
