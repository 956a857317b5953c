"""Where a cloud is and who we are there: from ``clouds.yaml`` or from an Airflow connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

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

    :ivar cloud: name in ``clouds.yaml``; None when ``auth`` says it all.
    :ivar clouds_yaml: path of that file; None for the usual places.
    :ivar auth_type: keystoneauth's name of the kind; ``v3password`` asks for no version of Keystone first.
    :ivar auth: authentication options of keystoneauth, secrets included.
    :ivar verify: whether TLS certificates are checked.
    """

    cloud: str | None = None
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

        :raises InvalidRequestError: a field is missing; the message names it.
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
        auth = {"auth_url": _auth_url(host, schema, port)}
        if any(key.startswith("application_credential_") for key in extras):
            auth |= _application_credential(extras, login)
            return replace(options, auth_type="v3applicationcredential", auth=auth)
        auth |= _password(extras, login, password)
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


def _auth_url(host: str | None, schema: str | None, port: int | None) -> str:
    if not host:
        raise InvalidRequestError(
            "the connection has no `host`", remedy="put the auth URL there, such as https://keystone:5000/v3"
        )
    url = host if "://" in host else f"{schema or 'https'}://{host}"
    parts = urlsplit(url)
    if port is not None and parts.port is None:
        parts = parts._replace(netloc=f"{parts.netloc}:{port}")
    if parts.path in {"", "/"}:
        parts = parts._replace(path="/v3")
    return parts.geturl()


def _application_credential(extras: Mapping[str, str], login: str | None) -> dict[str, str]:
    secret = _required(extras, "application_credential_secret")
    if "application_credential_id" in extras:
        identity = extras["application_credential_id"]
        return {"application_credential_id": identity, "application_credential_secret": secret}
    auth = {
        "application_credential_name": _required(extras, "application_credential_name"),
        "application_credential_secret": secret,
        "username": _field(login, "login"),
    }
    return auth | _domain(extras)


def _password(extras: Mapping[str, str], login: str | None, password: str | None) -> dict[str, str]:
    auth = {"username": _field(login, "login"), "password": _field(password, "password")} | _domain(extras)
    if not any(name in extras for name in _SCOPE):
        raise InvalidRequestError(
            "the connection has no project", remedy="put `project_id` or `project_name` in its extras"
        )
    scope = {name: extras[name] for name in _SCOPE_FIELDS if name in extras}
    if "project_id" not in scope and not any("domain" in name for name in scope):
        domain = _domain(extras)
        scope |= {name.replace("user_", "project_"): value for name, value in domain.items()}
    return auth | scope


def _domain(extras: Mapping[str, str]) -> dict[str, str]:
    found = {name: extras[name] for name in _DOMAIN_FIELDS if name in extras}
    if not found:
        raise InvalidRequestError(
            "the connection has no user domain",
            remedy="put `user_domain_id` or `user_domain_name` in its extras",
        )
    return found


def _field(value: str | None, name: str) -> str:
    if not value:
        raise InvalidRequestError(f"the connection has no `{name}`", remedy=f"fill in its {name} field")
    return value


def _required(extras: Mapping[str, str], name: str) -> str:
    if name not in extras:
        raise InvalidRequestError(f"the connection has no `{name}`", remedy="put it in its extras")
    return extras[name]
