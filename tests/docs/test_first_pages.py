"""What the first pages quote is what the commands before it print."""

from __future__ import annotations

import re
import shlex

import pytest
from tests.conftest import ROOT

from escalator.cli import main

TEXT = (ROOT / "docs" / "first-check.md").read_text(encoding="utf-8")
COMMAND = r"^```console\n(escalator [^\n]*docs/examples/[^\n]*)\n```\n\n"
ANSWER = r"```text\n(.*?)```$"
PAIRS = re.findall(COMMAND + ANSWER, TEXT, re.MULTILINE | re.DOTALL)


def test_every_answer_stands_below_its_command() -> None:
    assert len(PAIRS) == TEXT.count("```text")


@pytest.mark.parametrize(("command", "quoted"), PAIRS)
def test_every_line_that_is_quoted_is_printed(
    command: str, quoted: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    main(shlex.split(command)[1:])
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in quoted.splitlines() if line not in printed] == []
