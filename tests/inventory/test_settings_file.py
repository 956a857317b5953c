from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from escalator.inventory.settings_file import read_settings
from escalator.model.alerts import AlertSettings, AtStart, Matcher
from escalator.model.errors import InvalidRequestError
from escalator.model.inventory_settings import (
    NOTHING_DECLARED,
    AggregateRules,
    Controller,
    DumpCommand,
    PowerCommands,
    PowerPlace,
)
from escalator.model.occasion import Notify, Occasion, Way
from escalator.model.server_image import ImagePolicy

HEAD = "schema: escalator.inventory-settings/1\n"
WHOLE = """
cells:
  cell1: [node-0*]
  cell2: [gpu-01]
aggregates:
  ignore: [rack-*]
controller:
  address: ctl-01
  nova_status: docker exec nova_api nova-status
"""


def write(folder: Path, text: str) -> None:
    (folder / "lab.settings.yaml").write_text(text)


POWER = """
power:
  cycle: bmc-cli cycle "$ESCALATOR_HOST"
  is_on: bmc-cli power "$ESCALATOR_HOST"
  conn_id: bmc
"""


def test_the_power_of_nodes_is_switched_by_commands(tmp_path: Path) -> None:
    write(tmp_path, HEAD + POWER)
    cycle, is_on = 'bmc-cli cycle "$ESCALATOR_HOST"', 'bmc-cli power "$ESCALATOR_HOST"'
    assert read_settings(tmp_path, "lab").power == PowerCommands(cycle=cycle, is_on=is_on, conn_id="bmc")
    there = "power: {switch_on: a, switch_off: b, run_on: controller, limit_seconds: 5}\n"
    write(tmp_path, HEAD + "controller: {address: c}\n" + there)
    assert read_settings(tmp_path, "lab").power == PowerCommands(
        switch_on="a", switch_off="b", run_on=PowerPlace.CONTROLLER, limit_seconds=5.0
    )


def test_servers_have_images_taken_by_their_metadata(tmp_path: Path) -> None:
    write(tmp_path, HEAD + 'images: {metadata: {save: "yes"}, limit_seconds: 60}\n')
    assert read_settings(tmp_path, "lab").images == ImagePolicy(metadata={"save": "yes"}, limit_seconds=60.0)
    for fault in ("images: {}", "images: {metadata: {}}", "images: {metadata: {a: b}, limit_seconds: 0}"):
        write(tmp_path, HEAD + fault)
        with pytest.raises(InvalidRequestError, match="images"):
            read_settings(tmp_path, "lab")


def test_databases_are_dumped_by_a_command(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "dump: {command: dump-it}\n")
    assert read_settings(tmp_path, "lab").dump == DumpCommand(command="dump-it", limit_seconds=900.0)
    for fault in ("dump: {}", "dump: {command: a, limit_seconds: 0}", "dump: {command: a, run_on: worker}"):
        write(tmp_path, HEAD + fault + "\n")
        with pytest.raises(InvalidRequestError, match="dump"):
            read_settings(tmp_path, "lab")


def test_alerts_are_declared_with_the_matchers_of_silences_and_the_gate(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "alerts: {conn_id: am}\n")
    assert read_settings(tmp_path, "lab").alerts == AlertSettings(conn_id="am")
    whole = """alerts:
  conn_id: am
  silence: [['instance=~"{host}:.*"', job=node]]
  gate: [[severity=critical], [severity=page, team=nova]]
  margin_minutes: 10
  at_start: accept
"""
    write(tmp_path, HEAD + whole)
    page = (Matcher.parse("severity=page"), Matcher.parse("team=nova"))
    assert read_settings(tmp_path, "lab").alerts == AlertSettings(
        conn_id="am",
        silence=((Matcher.parse("instance=~{host}:.*"), Matcher.parse("job=node")),),
        gate=((Matcher.parse("severity=critical"),), page),
        margin=timedelta(minutes=10),
        at_start=AtStart.ACCEPT,
    )
    write(tmp_path, HEAD + "alerts: {conn_id: am, silence: []}\n")
    silent = read_settings(tmp_path, "lab").alerts
    assert silent is not None
    assert silent.silence == ()


def test_what_is_declared_is_read(tmp_path: Path) -> None:
    write(tmp_path, HEAD + WHOLE)
    settings = read_settings(tmp_path, "lab")
    assert settings.cells == {"cell1": ("node-0*",), "cell2": ("gpu-01",)}
    assert settings.aggregates == AggregateRules(ignore=("rack-*",))
    assert settings.controller == Controller(address="ctl-01", nova_status="docker exec nova_api nova-status")


@pytest.mark.parametrize("text", [None, HEAD, HEAD + "cells:\naggregates:\ncontroller:\n"])
def test_without_a_word_nothing_is_declared(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        write(tmp_path, text)
    assert read_settings(tmp_path, "lab") == NOTHING_DECLARED


def test_who_is_told_is_declared_in_a_list(tmp_path: Path) -> None:
    write(
        tmp_path,
        HEAD
        + """notify:
  - {when: [held, failed, needs_person], via: webhook, conn_id: pager}
  - {when: [done], via: smtp, conn_id: mail, to: [ops@example.org]}
""",
    )
    assert read_settings(tmp_path, "lab").notify == (
        Notify(
            when=(Occasion.HELD, Occasion.FAILED, Occasion.NEEDS_PERSON), via=Way.WEBHOOK, conn_id="pager"
        ),
        Notify(when=(Occasion.DONE,), via=Way.SMTP, conn_id="mail", to=("ops@example.org",)),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must be a mapping"),
        ("cells: {}\n", "schema: is required"),
        (HEAD + "cells: [node-01]\n", "cells: must be a mapping"),
        (HEAD + "cells: {a: []}\n", "cells.a"),
        (HEAD + "cells: {a: [n], b: [n]}\n", "cells: in more than one: n"),
        (HEAD + "cells: {a: n}\n", "cells.a: must be a list"),
        (HEAD + "racks: []\n", "racks: is not known"),
        (HEAD + "aggregates: {ignore: rack-1}\n", "aggregates.ignore: must be a list"),
        (HEAD + "controller: {}\n", "controller.address: is required"),
        (
            HEAD + "controller: {address: 'ctl:99999'}\n",
            "controller.address: address 'ctl:99999': '99999' is not",
        ),
        (
            HEAD + "controller: {address: '@ctl'}\n",
            "controller.address: address '@ctl' is not [user@]address",
        ),
        (HEAD + 'controller: {address: c, nova_manage: "sh -c \'x"}\n', "a quotation mark is open"),
        (HEAD + "power: {is_on: x}\n", "power: needs cycle, or switch_on and switch_off"),
        (HEAD + "power: {switch_on: x}\n", "power: needs cycle, or switch_on and switch_off"),
        (HEAD + "power: {cycle: x, run_on: bmc}\n", "power.run_on: is 'bmc', must be one of"),
        (HEAD + "power: {cycle: x, run_on: controller}\n", "power.run_on: is controller, and no controller"),
        (HEAD + "power: {cycle: x, limit_seconds: 6000}\n", "power.limit_seconds: must be a number"),
        (
            HEAD + "controller: {address: c}\npower: {cycle: x, run_on: controller, conn_id: bmc}\n",
            "power.conn_id: is for run_on: worker",
        ),
        (HEAD + "alerts: {gate: [[a=b]]}\n", "alerts.conn_id: is required"),
        (
            HEAD + "alerts: {conn_id: a, gate: [[critical]]}\n",
            "alerts.gate[0][0]: is no matcher: write label",
        ),
        (HEAD + "alerts: {conn_id: a, gate: [severity=x]}\n", "alerts.gate[0]: must be a list"),
        (HEAD + "alerts: {conn_id: a, margin_minutes: 0}\n", "alerts.margin_minutes: must be a number of"),
        (HEAD + "alerts: {conn_id: a, at_start: maybe}\n", "alerts.at_start: is 'maybe', must be one of"),
        (HEAD + "notify: [{via: webhook, conn_id: a}]\n", "notify[0].when: is required"),
        (
            HEAD + "notify: [{when: [], via: webhook, conn_id: a}]\n",
            "notify[0].when: is required: a list of one",
        ),
        (
            HEAD + "notify: [{when: [late], via: webhook, conn_id: a}]\n",
            "notify[0].when[0]: is 'late', must be one of",
        ),
        (
            HEAD + "notify: [{when: [done], via: fax, conn_id: a}]\n",
            "notify[0].via: is 'fax', must be one of",
        ),
        (
            HEAD + "notify: [{when: [done], via: smtp, conn_id: a}]\n",
            "notify[0].to: must name who gets the mail",
        ),
        (
            HEAD + "notify: [{when: [done], via: webhook, conn_id: a, to: [a@b.c]}]\n",
            "notify[0].to: is for via: smtp",
        ),
        (
            HEAD + 'notify: [{when: [done], via: smtp, conn_id: a, to: ["a@b.c\\nBcc: x@y.z"]}]\n',
            "notify[0].to[0]: is no address of mail",
        ),
        ("{", "cannot be read"),
    ],
)
def test_faults_are_named_with_the_file_and_the_key(tmp_path: Path, text: str, fault: str) -> None:
    write(tmp_path, text)
    with pytest.raises(InvalidRequestError) as caught:
        read_settings(tmp_path, "lab")
    assert fault in caught.value.message
    assert "lab.settings.yaml" in caught.value.message
