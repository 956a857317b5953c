from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from escalator import cli as escalator
from escalator.cloud_manager import client_config
from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.client_config import name_cloud
from escalator.cloud_manager.cloud import Cloud
from escalator.cloud_manager.connection import connect
from escalator.model.errors import InvalidRequestError

if TYPE_CHECKING:
    from tests.cloud_manager.conftest import FakeOpenStack

AUTH = (
    "{auth_url: 'http://k:5000/v3', username: u, password: p, project_name: a, user_domain_name: D,"
    " project_domain_name: D}"
)
OPENRC = {
    "OS_AUTH_URL": "http://openrc:5000/v3",
    "OS_USERNAME": "u",
    "OS_PASSWORD": "p",
    "OS_PROJECT_NAME": "a",
    "OS_USER_DOMAIN_NAME": "D",
    "OS_PROJECT_DOMAIN_NAME": "D",
    "OS_REGION_NAME": "R1",
}
BAD_FILES = {
    "auth: null": ("clouds:\n  c:\n    auth:\n", "clouds.c.auth: must be a mapping, not null (line 3)"),
    "no auth": ("clouds: {c: {region_name: R}}", "lacks auth_url"),
    "no password": ("clouds: {c: {auth: {auth_url: 'http://k:5000/v3', username: u}}}", "lacks password"),
    "no log-in": (
        "clouds: {c: {auth: {auth_url: 'http://k:5000/v3', project_name: p}}}",
        "configuration of cloud c: it lacks username, password",
    ),
    "empty": ("", "cloud 'c' is not in"),
    "no clouds": ("x: 1", "cloud 'c' is not in"),
    "clouds: null": ("clouds:\n", "clouds: must be a mapping, not null (line 1)"),
    "a list": ("clouds:\n  - c\n", "clouds: must be a mapping, not a list (line 1)"),
    "an entry that is a word": ("clouds: {c: hello}", "clouds.c: must be a mapping, not 'hello'"),
    "a word": ("hello\n", "must be a mapping that has `clouds`"),
    "a tab": ("clouds:\n\tc: {}\n", "found character '\\t'"),
    "UTF-16": ("clouds: {}".encode("utf-16"), "can't decode byte"),
    "binary": (bytes(range(256)), "cannot be read"),
    "deep": ("[" * 5000, "nested too deeply"),
    "IPv6 without brackets": (
        "clouds: {c: {auth: {auth_url: 'http://::1:9/v3', username: u, password: p}}}",
        "auth_url 'http://::1:9/v3' is no address",
    ),
    "a port of letters": (
        "clouds: {c: {auth: {auth_url: 'http://k:http/v3', username: u, password: p}}}",
        "auth_url 'http://k:http/v3' is no address",
    ),
    "braces": (
        "clouds: {c: {auth: {auth_url: 'http://{k}/v3', username: u, password: p}}}",
        "configuration of cloud c: cannot be used: KeyError",
    ),
    "CA file": (f"clouds: {{c: {{cacert: /not/here.pem, auth: {AUTH}}}}}", "/not/here.pem cannot be read"),
    "CA of no form": (f"clouds: {{c: {{cacert: {__file__}, auth: {AUTH}}}}}", "no certificate in PEM form"),
    "client certificate": (f"clouds: {{c: {{cert: /not/my.pem, auth: {AUTH}}}}}", "/not/my.pem cannot be"),
    "verify: a word": (f"clouds: {{c: {{verify: 'no', auth: {AUTH}}}}}", "clouds.c.verify: must be true or"),
    "auth_type": (f"clouds: {{c: {{auth_type: magic, auth: {AUTH}}}}}", "magic"),
    "regions of a number": (
        f"clouds: {{c: {{regions: 7, auth: {AUTH}}}}}",
        "regions: must be a list",
    ),
    "several regions": (f"clouds: {{c: {{regions: [R1, R2], auth: {AUTH}}}}}", "several regions: R1, R2"),
    "region_name of several": (f"clouds: {{c: {{region_name: 'R1,R2', auth: {AUTH}}}}}", "several regions"),
}


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the person who runs the tests, and no file in the usual places."""
    for name in [name for name in client_config.os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(client_config, "CONFIG_FILES", [])
    monkeypatch.setattr(client_config, "SECURE_FILES", [])


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_exit_2_with_one_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    content, reason = BAD_FILES[kind]
    path = write(tmp_path / "clouds.yaml", content)
    words = ["snapshot", "--cloud", "c", "--clouds-yaml", str(path), "-o", str(tmp_path / "x.json")]
    assert escalator.main(words) == 2
    said = capsys.readouterr().err
    assert reason in said
    assert len(said.splitlines()) == 2  # what is wrong, and what to do


def test_a_file_that_is_not_there_or_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="there is no file"):
        name_cloud(None, path=tmp_path / "none.yaml", environ={})
    with pytest.raises(InvalidRequestError, match="it is a folder, not a file"):
        name_cloud(None, environ={"OS_CLIENT_CONFIG_FILE": str(tmp_path)})


def test_the_file_of_the_variable_is_read_whatever_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "mine", f"clouds: {{one: {{auth: {AUTH}}}, two: {{auth: {AUTH}}}}}")
    environ = {"OS_CLIENT_CONFIG_FILE": str(path)}
    assert name_cloud("two", environ=environ).label == "two"
    assert name_cloud(None, environ={**environ, "OS_CLOUD": "one"}).label == "one"
    with pytest.raises(InvalidRequestError, match=r"no cloud is named: .* has one, two"):
        name_cloud(None, environ=environ)
    with pytest.raises(InvalidRequestError, match=r"cloud 'on' is not in .*, which has one, two, did"):
        name_cloud("on", environ=environ)


def test_the_only_cloud_of_a_file_need_not_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.json", '{"clouds": {"one": {}}}')
    assert name_cloud(None, path=path, environ={}).label == "one"


def test_a_usual_file_that_cannot_be_read_is_passed_over_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = write(tmp_path / "bad.yaml", "clouds:\n\tc: {}")
    good = write(tmp_path / "good.yaml", "clouds: {one: {}}")
    monkeypatch.setattr(client_config, "CONFIG_FILES", [str(tmp_path / "none.yaml"), str(bad), str(good)])
    assert name_cloud("one", environ={}).label == "one"
    with pytest.raises(InvalidRequestError, match=r"is not in .*good.yaml.*; .*bad.yaml cannot be read"):
        name_cloud("c", environ={})


def test_secrets_stand_beside_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.yaml", f"clouds: {{c: {{auth: {AUTH.replace(' password: p,', '')}}}}}")
    write(tmp_path / "secure.yaml", "clouds: {c: {auth: {password: secret}}}")
    connection = connect(name_cloud("c", path=path, environ={}), CallCounter())
    assert connection.config.config["auth"]["password"] == "secret"


def test_a_file_of_secrets_that_cannot_be_read_is_named_where_the_password_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.yaml", f"clouds: {{c: {{auth: {AUTH.replace(' password: p,', '')}}}}}")
    (tmp_path / "secure.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidRequestError, match=r"lacks password; .*secure.yaml cannot be read") as caught:
        connect(name_cloud("c", path=path, environ={}), CallCounter())
    assert caught.value.remedy == "mend the file"


def test_a_bundle_of_authorities_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/here.pem")
    auth = AUTH.replace("http://k:5000/v3", "https://127.0.0.1:9/v3")
    path = write(tmp_path / "clouds.yaml", f"clouds: {{c: {{auth: {auth}}}}}")
    assert escalator.main(["snapshot", "--cloud", "c", "--clouds-yaml", str(path), "-o", "-"]) == 2
    said = capsys.readouterr().err
    assert "/not/here.pem" in said
    assert "REQUESTS_CA_BUNDLE" in said


def test_an_openrc_is_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OPENRC.items():
        monkeypatch.setenv(name, value)
    for asked, label in ((None, "envvars"), ("lab", "lab")):
        credentials = name_cloud(asked)
        assert (credentials.label, credentials.openrc) == (label, True)
        config = connect(credentials, CallCounter()).config
        assert config.config["auth"]["auth_url"] == OPENRC["OS_AUTH_URL"]
        assert config.get_region_name("compute") == "R1"
    monkeypatch.setenv("OS_CLOUD_NAME", "mine")
    assert connect(name_cloud(None), CallCounter()).config.name == "mine"


def test_an_openrc_never_stands_in_for_a_cloud_that_a_file_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.yaml", "clouds: {prod: {}}")
    with pytest.raises(InvalidRequestError, match=r"cloud 'prdo' is not in .*, did you mean prod"):
        name_cloud("prdo", environ={**OPENRC, "OS_CLIENT_CONFIG_FILE": str(path)})
    assert name_cloud(None, environ={**OPENRC, "OS_CLIENT_CONFIG_FILE": str(path)}).openrc
    assert not name_cloud(None, path=path, environ=OPENRC).openrc


def test_the_region_is_chosen_by_option_or_variable(tmp_path: Path) -> None:
    path = write(tmp_path / "clouds.yaml", f"clouds: {{c: {{regions: [R1, R2], auth: {AUTH}}}}}")
    for region, environ in (("R2", {}), (None, {"OS_REGION_NAME": "R2"})):
        config = connect(name_cloud("c", region, path=path, environ=environ), CallCounter()).config
        assert config.get_region_name("compute") == "R2"
    with pytest.raises(InvalidRequestError, match="R3"):
        connect(name_cloud("c", "R3", path=path, environ={}), CallCounter())


def test_several_regions_in_the_catalogue_without_a_choice_are_refused(
    tmp_path: Path, fake: FakeOpenStack
) -> None:
    fake.regions = ("R", "S")
    fake.tell("GET", "/compute/v2.1/os-services", {"services": []})
    auth = AUTH.replace("http://k:5000/v3", f"{fake.url}/identity/v3")
    path = write(tmp_path / "clouds.yaml", f"clouds: {{c: {{auth_type: v3password, auth: {auth}}}}}")

    def read(region: str | None) -> int:
        counter = CallCounter()
        connection = connect(name_cloud("c", region, path=path, environ={}), counter)
        return len(Cloud(connection, counter).fetch_services())

    with pytest.raises(InvalidRequestError, match="compute is in several regions: R, S; none is chosen"):
        read(None)
    assert read("R") == 0
