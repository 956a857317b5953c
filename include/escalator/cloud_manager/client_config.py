"""What the OpenStack client would use for a cloud: its files and variables, read by openstacksdk's loader."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from keystoneauth1 import exceptions as ksa
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from openstack.config.loader import CONFIG_FILES, SECURE_FILES

from escalator.cloud_manager.client_files import find_client_file
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.documents.wording import did_you_mean, show_value
from escalator.model.errors import InvalidRequestError

APP_NAME = "escalator"
_FILE, _SECRETS, _ADDRESS = "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE", "OS_AUTH_URL"
_HOW_TO_NAME = f"give --cloud NAME, set OS_CLOUD, or source an openrc ({_ADDRESS} and the others)"
_BY_PASSWORD = frozenset({"password", "v3password"})
_OF_OPENSTACKSDK = "defaults"
_OTHER_FORMS = (TypeError, AttributeError, ValueError, LookupError, RecursionError)
"""What openstacksdk raises for values of another form than it takes for granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """The clouds of the files, and where they were looked for."""

    config: OpenStackConfig
    path: str | None
    passed_over: tuple[str, ...]

    def names(self) -> list[str]:
        """Return the clouds; openstacksdk makes one of its own where there is none."""
        names = [name for name in self.config.get_cloud_names() if isinstance(name, str)]
        return [] if names == [_OF_OPENSTACKSDK] else names

    def refuse_unknown(self, name: str) -> None:
        """Refuse a cloud that is in no file.

        :raises InvalidRequestError: names the clouds that there are, and the files that cannot be read.
        """
        names = self.names()
        if name in names:
            return
        has = f"which has {', '.join(sorted(names))}" if names else "which has none"
        where = f"{self.path}, {has}" if self.path else f"a clouds.yaml: none is found, and no {_ADDRESS}"
        raise InvalidRequestError(
            f"cloud {show_value(name)} is not in {where}{did_you_mean(name, names)}"
            f"{''.join(f'; {fault}' for fault in self.passed_over)}",
            remedy="see `openstack --os-cloud NAME token issue`, or name the file with --clouds-yaml",
        )


def name_cloud(
    name: str | None,
    region: str | None = None,
    *,
    path: str | Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> CloudCredentials:
    """Find the cloud that is meant, as the OpenStack client does. Nothing is sent.

    That is ``name``, else ``OS_CLOUD``, else the cloud of an openrc, else the only one of the file. Where
    there is no file at all, a name is one for the cloud of the openrc.

    :param region: of the cloud; else ``OS_REGION_NAME``, else as the file says.
    :param path: of ``clouds.yaml``; else ``OS_CLIENT_CONFIG_FILE``, else the usual places.
    :return: the credentials; their ``label`` is the name of the cloud.
    :raises InvalidRequestError: no cloud is meant, it is in no file, or the file cannot be read.
    """
    name, region = name or environ.get("OS_CLOUD"), region or environ.get("OS_REGION_NAME")
    if name and path:
        return CloudCredentials.from_clouds_yaml(name, region, path=path)
    files = _load_files(path, name, environ)
    names, own = files.names(), environ.get("OS_CLOUD_NAME") or "envvars"
    is_sourced = bool(environ.get(_ADDRESS)) and path is None
    if is_sourced and (not name or (name not in names and (name == own or files.path is None))):
        return CloudCredentials(cloud=name or own, openrc=True, region_name=region)
    chosen = name or (names[0] if len(names) == 1 else None)
    if chosen is None:
        several = f": {files.path} has {', '.join(sorted(names))}" if names else ""
        faults = "".join(f"; {fault}" for fault in files.passed_over)
        raise InvalidRequestError(f"no cloud is named{several}{faults}", remedy=_HOW_TO_NAME)
    files.refuse_unknown(chosen)
    return CloudCredentials.from_clouds_yaml(chosen, region, path=path)


def find_region(
    credentials: CloudCredentials, options: Mapping[str, Any], *, environ: Mapping[str, str] = os.environ
) -> CloudRegion:
    """Make openstacksdk's configuration of a cloud and its region. Nothing is sent.

    :param options: of ``OpenStackConfig.get_one``, before those of the files.
    :raises InvalidRequestError: the cloud is in no file, a file cannot be read or used.
    """
    what = f"configuration of cloud {credentials.label}"
    asked = dict(options)
    passed_over: tuple[str, ...] = ()
    if credentials.openrc:
        config = _make_config(what, load_yaml_config=False)
        asked["cloud"] = config.envvar_key
    elif credentials.cloud is None:
        config = _make_config(what, load_yaml_config=False, load_envvars=False)
    else:
        files = _load_files(credentials.clouds_yaml, credentials.cloud, environ)
        files.refuse_unknown(credentials.cloud)
        config, passed_over = files.config, files.passed_over
        asked["cloud"] = credentials.cloud
        if not options.get("region_name"):
            _refuse_several_regions(what, config.cloud_config["clouds"][credentials.cloud])
    with _refuse_other_forms(what, passed_over):
        region = config.get_one(**asked)
        _refuse_bad_address(what, region)
        _refuse_half_a_login(what, region, passed_over)
        _refuse_bad_certificates(what, region)
    return region


def _load_files(path: str | Path | None, cloud: str | None, environ: Mapping[str, str]) -> _Files:
    """Load the file that is named, else the usual ones, and the secrets that belong to it."""
    named = str(path) if path else environ.get(_FILE)
    beside = [str(Path(path).with_name(f"secure{suffix}")) for suffix in (".yaml", ".yml")] if path else []
    clouds = find_client_file(named, CONFIG_FILES, cloud)
    secrets = find_client_file(environ.get(_SECRETS), [*beside, *SECURE_FILES], cloud)
    config = _make_config(
        clouds.path or "clouds.yaml",
        config_files=[clouds.path] if clouds.path else [],
        secure_files=[secrets.path] if secrets.path else [],
        load_envvars=False,
    )
    return _Files(config=config, path=clouds.path, passed_over=(*clouds.passed_over, *secrets.passed_over))


def _make_config(what: str, **options: Any) -> OpenStackConfig:  # noqa: ANN401 - options of openstacksdk
    with _refuse_other_forms(what):
        return OpenStackConfig(app_name=APP_NAME, app_version=_app_version(), **options)


@contextmanager
def _refuse_other_forms(what: str, passed_over: Sequence[str] = ()) -> Iterator[None]:
    try:
        yield
    except ksa.MissingRequiredOptions as exc:
        raise _lack(what, [str(option.dest) for option in exc.options], passed_over) from exc
    except _OTHER_FORMS as exc:
        raise InvalidRequestError(
            f"{what}: cannot be used: {type(exc).__name__}: {exc}", remedy="see the values in it"
        ) from exc


def _refuse_several_regions(what: str, entry: Mapping[str, Any]) -> None:
    """Refuse a cloud of several regions without a choice: openstacksdk would take the first."""
    found = entry.get("regions") or entry.get("region_name") or []
    regions = found.split(",") if isinstance(found, str) else found
    if len(regions) > 1:
        names = ", ".join(str(one.get("name") if isinstance(one, Mapping) else one) for one in regions)
        raise InvalidRequestError(
            f"{what}: it has several regions: {names}", remedy="choose one: --region NAME, or OS_REGION_NAME"
        )


def _refuse_bad_address(what: str, region: CloudRegion) -> None:
    """Refuse an address of Keystone that is none, such as one with a bare IPv6 address."""
    url = (region.config.get("auth") or {}).get("auth_url")
    if url is None:
        return
    try:
        parts = urlsplit(str(url))
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        raise InvalidRequestError(
            f"{what}: auth_url {show_value(url)} is no address",
            remedy="give one such as https://keystone.example:5000/v3; an IPv6 address stands in [brackets]",
        )


def _refuse_half_a_login(what: str, region: CloudRegion, passed_over: Sequence[str]) -> None:
    """Refuse a log-in by password without a user or a password: keystoneauth would end with a traceback."""
    if region.config.get("auth_type") not in _BY_PASSWORD:
        return
    auth = region.config.get("auth") or {}
    lacking = [] if auth.get("username") or auth.get("user_id") else ["username"]
    lacking += [] if auth.get("password") else ["password"]
    if lacking:
        raise _lack(what, lacking, passed_over)


def _lack(what: str, lacking: list[str], passed_over: Sequence[str]) -> InvalidRequestError:
    """Say what a log-in lacks, and which files cannot be read that may have it.

    :param passed_over: what is wrong with these files.
    """
    return InvalidRequestError(
        "; ".join([f"{what}: it lacks {', '.join(lacking)}", *passed_over]),
        remedy="mend the file" if passed_over else "put that under `auth`, or into the openrc",
    )


def _refuse_bad_certificates(what: str, region: CloudRegion) -> None:
    """Refuse files of certificates that cannot be read: a call would end with a traceback."""
    verify, cert = region.get_requests_verify_args()
    pair = (cert,) if isinstance(cert, str) else cert or ()
    for path in (*([verify] if isinstance(verify, str) else []), *pair):
        try:
            if Path(path).is_dir():
                os.listdir(path)  # noqa: PTH208 - whether it can be read is all that counts
            else:
                Path(path).read_bytes()
        except OSError as exc:
            raise InvalidRequestError(
                f"{what}: {path} cannot be read: {exc.strerror}", remedy="see cacert, cert and key"
            ) from exc
    try:
        if isinstance(verify, str) and Path(verify).is_file():
            ssl.create_default_context(cafile=verify)
    except ssl.SSLError as exc:
        raise InvalidRequestError(
            f"{what}: {verify} has no certificate in PEM form", remedy="see cacert"
        ) from exc


def _app_version() -> str:
    try:
        return version(APP_NAME)
    except PackageNotFoundError:
        return "0"
