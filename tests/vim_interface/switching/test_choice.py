from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from tests.conftest import ROOT
from tests.vim_interface.registry.test_means import GOOD
from tests.vim_interface.switching.fakes import PAIR, FakeBalancers, FakeNetwork

from escalator.vim_interface.switching import make_switcher


@pytest.mark.parametrize("means", [means for _, means in GOOD])
def test_every_means_has_what_carries_it_out(means: Any) -> None:
    switcher = make_switcher(means, PAIR, network=FakeNetwork(), balancers=FakeBalancers())
    assert switcher.method is means.method
    assert switcher.repeatable is (means.method.value in {"floating-ip", "vip-port", "octavia"})


def test_tasks_that_ask_nobody_over_http_do_not_import_httpx() -> None:
    code = "import sys, escalator.vim_interface.switching as s; sys.exit('httpx' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0
