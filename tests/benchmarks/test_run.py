import subprocess
import sys

import pytest
from tests.conftest import ROOT


@pytest.mark.parametrize("program", ["run", "plans", "looks"])
def test_a_program_that_takes_words_starts(program: str) -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / f"{program}.py"), "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:6]) == (0, "usage:"), done.stderr
