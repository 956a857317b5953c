"""docker-compose.yaml against the schema of the Compose specification, and against our own rules."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from escalator.settings.variables import COMPONENTS, SERVERS, VARIABLES

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
LONG_LIVED = sorted(set(SERVICES) - {"init"})
AIRFLOW = ["api-server", "dag-processor", "scheduler", "triggerer", "worker"]
VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>[A-Z_]+)(?P<rest>[^}]*)\}")
SECRET = re.compile(r"PASSWORD|SECRET|KEY|TOKEN")
EXAMPLE = (ROOT / ".env.example").read_text()


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def variables() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for text in strings(COMPOSE):
        for match in VARIABLE.finditer(text):
            found.setdefault(match["name"], set()).add(match["rest"])
    return found


def test_the_file_fits_the_schema_of_the_compose_specification() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec.json").read_text())
    errors = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(COMPOSE)]
    assert errors == []


def test_the_schema_refuses_what_is_wrong() -> None:
    schema = json.loads((Path(__file__).parent / "compose_spec.json").read_text())
    wrong = {"services": {"api-server": {"image": "x", "helthcheck": {}}}}
    assert list(jsonschema.Draft7Validator(schema).iter_errors(wrong))


def test_all_parts_are_there() -> None:
    assert sorted(SERVICES) == sorted([*AIRFLOW, "init", "postgres", "redis"])
    commands = {name: SERVICES[name]["command"] for name in AIRFLOW}
    assert commands == {name: name for name in AIRFLOW} | {"worker": "celery worker"}


def test_every_secret_must_be_given_and_none_has_a_default() -> None:
    secrets = {name: rests for name, rests in variables().items() if SECRET.search(name)}
    assert len(secrets) == 6
    assert {rest[:2] for rests in secrets.values() for rest in rests} == {":?"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_secret_is_written_down(name: str) -> None:
    for key, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(key):
            assert VARIABLE.fullmatch(str(value)), f"{key} of {name} is not taken from the environment"
        for match in re.finditer(r"://[^:/@]*:(?P<password>[^@]*)@", str(value)):
            assert VARIABLE.fullmatch(match["password"]), f"{key} of {name} holds a password"


def test_the_example_names_every_variable_and_gives_no_secret_a_value() -> None:
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, flags=re.MULTILINE))
    assert set(named) == set(variables())
    assert {named[name] for name in named if SECRET.search(name)} == {""}


@pytest.mark.parametrize("name", LONG_LIVED)
def test_every_long_lived_service_is_watched_and_restarted(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    assert check["test"]
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_init_runs_once_and_everything_of_airflow_waits_for_it() -> None:
    assert SERVICES["init"]["restart"] == "no"
    assert SERVICES["init"]["healthcheck"] == {"disable": True}
    for name in AIRFLOW:
        needs = SERVICES[name]["depends_on"]
        assert needs["init"] == {"condition": "service_completed_successfully"}
        assert needs["postgres"] == needs["redis"] == {"condition": "service_healthy"}


def test_init_makes_schemas_and_the_pool_of_one_slot() -> None:
    script = SERVICES["init"]["command"][-1]
    assert "airflow db migrate" in script
    assert "python -m escalator.ledger upgrade" in script
    assert "airflow pools set escalator_admission 1 " in script


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_images_are_pinned_to_a_release(name: str) -> None:
    assert re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", SERVICES[name]["image"])


def test_the_image_is_the_airflow_release_that_the_project_pins() -> None:
    (base,) = re.findall(
        r"^FROM apache/airflow:(\S+)$", (ROOT / "docker" / "Dockerfile").read_text(), re.MULTILINE
    )
    assert f"apache-airflow=={base}" in (ROOT / "requirements.lock").read_text().splitlines()
    assert SERVICES["scheduler"]["image"].endswith(f":{base}")


@pytest.mark.parametrize("name", [*AIRFLOW, "init"])
def test_airflow_finds_dags_plugins_code_inventory_and_ledger(name: str) -> None:
    service = SERVICES[name]
    mounts = {volume.split(":")[1]: volume for volume in service["volumes"]}
    environment = service["environment"]
    for folder in ("dags", "plugins", "include"):
        assert mounts[f"/opt/airflow/{folder}"] == f"./{folder}:/opt/airflow/{folder}:ro"
    assert environment["PYTHONPATH"] == "/opt/airflow/include"
    for folder in ("ESCALATOR_INVENTORY_DIR", "ESCALATOR_REPORT_DIR"):
        assert mounts[environment[folder]].split(":")[0] in COMPOSE["volumes"]
    assert mounts["/opt/airflow/ssh"].startswith("ssh:")
    assert environment["ESCALATOR_LEDGER_URL"].startswith("postgresql+psycopg2://")


def test_the_image_has_the_folders_that_volumes_are_mounted_on_and_holds_nothing_of_airflow_back() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    for volume in ("inventory", "reports", "ssh"):
        assert f"/opt/airflow/{volume}" in dockerfile
    assert '--constraint "${HOME}/constraints.txt"' in dockerfile
    assert "requirements.lock" not in dockerfile


def test_files_and_volumes_that_are_named_exist() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            known = (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]
            assert known, f"{volume} of {name}"
    assert (ROOT / COMPOSE["x-airflow"]["build"]["dockerfile"]).is_file()


def test_only_the_api_server_listens_and_on_loopback_unless_told_otherwise() -> None:
    assert [name for name in SERVICES if "ports" in SERVICES[name]] == ["api-server"]
    assert SERVICES["api-server"]["ports"] == ["${ESCALATOR_LISTEN:-127.0.0.1:8080}:8080"]


def test_what_every_component_reads_is_handed_on_to_every_component() -> None:
    """Folders that lie in the mounted `include` and what the plugin sets itself need no variable."""
    needless = {"ESCALATOR_HOME", "ESCALATOR_BUNDLE_DIR", "ESCALATOR_VNF_DIR", "ESCALATOR_SHARED"}
    needed = {variable.name for variable in VARIABLES if variable.readers == COMPONENTS} - needless
    assert {name: needed - SERVICES[name]["environment"].keys() for name in AIRFLOW} == {
        name: set() for name in AIRFLOW
    }


def test_what_workers_and_triggerer_read_is_handed_on_to_both() -> None:
    needed = {variable.name for variable in VARIABLES if variable.readers == SERVERS}
    assert {name: needed - SERVICES[name]["environment"].keys() for name in ("worker", "triggerer")} == {
        "worker": set(),
        "triggerer": set(),
    }


def test_the_api_server_has_all_that_the_board_needs() -> None:
    """The plugin is mounted, its files with it; it reads the ledger, and asks Airflow who somebody is."""
    service = SERVICES["api-server"]
    assert "./plugins:/opt/airflow/plugins:ro" in service["volumes"]
    assert service["environment"]["ESCALATOR_LEDGER_URL"]
    assert (ROOT / "plugins" / "escalator_airflow" / "board" / "templates" / "board.html").is_file()
    plugin = (ROOT / "plugins" / "escalator_plugin.py").read_text()
    assert "make_board" in plugin
    assert "external_views" in plugin


def test_every_setting_of_the_vim_interface_is_handed_on_to_whoever_reads_it() -> None:
    """Found in the code: a new one has to be handed on and told of."""
    code = "".join(
        path.read_text() for folder in ("include", "plugins") for path in (ROOT / folder).rglob("*.py")
    )
    readers = {
        "ESCALATOR_VIM_URL": {"worker", "triggerer"},
        "ESCALATOR_VIM_TRANSPORT": {"worker", "triggerer"},
        "ESCALATOR_VIM_BUNDLE": {"api-server"},
        "ESCALATOR_VIM_MAX_SESSIONS": {"api-server"},
        "ESCALATOR_PROBE_HZ": {"triggerer"},
    }
    assert set(re.findall(r"\bESCALATOR_(?:VIM|PROBE)_[A-Z_]+", code)) == set(readers)
    manual = (ROOT / "docs" / "reference" / "settings.md").read_text()
    for setting, services in readers.items():
        given = {name for name in AIRFLOW if setting in SERVICES[name]["environment"]}
        assert services <= given, setting
        for name in services:
            assert VARIABLE.fullmatch(SERVICES[name]["environment"][setting])
        assert f"| `{setting}` |" in manual
