"""The PostgreSQL of the tests: it outlives no test run, and says what is missing."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.servers import postgresql

HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from tests.servers.postgresql import own_postgresql
with own_postgresql() as server:
    print(server.url, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder into which the server's own user may look."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_it_ends_with_the_process_that_started_it(open_folder: Path) -> None:
    """Killed with `kill -9`, which leaves nobody to stop anything."""
    command = [sys.executable, "-c", HOLDER, str(Path(__file__).parents[2])]
    environment = os.environ | {"TMPDIR": str(open_folder)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        psycopg.connect(url).close()
        holder.send_signal(signal.SIGKILL)

    until = time.monotonic() + 30
    while next(open_folder.glob("*/data/postmaster.pid"), None):
        assert time.monotonic() < until
        time.sleep(0.1)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_where_it_cannot_be_installed_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not skipped: a run without PostgreSQL has not shown what it should."""
    monkeypatch.setattr(postgresql, "PACKAGES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(RuntimeError, match="set DATABASE_URL"):
        postgresql.PostgreSQL(tmp_path)
