"""How the benchmarks are called; what they measure is no test."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("argument", "code"), [("--help", 0), ("nonsense", 2)])
def test_the_benchmarks_are_named_to_whoever_asks_or_errs(argument: str, code: int) -> None:
    command = [sys.executable, "-m", "bench", argument]
    shown = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert shown.returncode == code
    assert "usage: " in shown.stdout + shown.stderr
    assert "retrieval_quality" in shown.stdout + shown.stderr
