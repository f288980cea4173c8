"""A real PostgreSQL for the tests: the one of `DATABASE_URL`, else Debian's, in a folder and on a port of its own."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.servers.ports import free_port

PACKAGES = Path("/usr/lib/postgresql")
"""Where Debian keeps the programs of each major version, outside PATH."""
CLUSTER_CONF = Path("/etc/postgresql-common/createcluster.conf")
STARTING_SECONDS = 60.0
OWNER = "postgres"
"""The user of Debian's packages; PostgreSQL refuses to run as root."""
SERVER_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # what a power cut would take is not tested, and the processes' memory is the same
    "max_connections": "200",  # several services at once; one needs far fewer
    "log_min_messages": "fatal",
}


class PostgreSQL:
    """A server of our own, in `folder`. It ends with the test run, however that ends."""

    def __init__(self, folder: Path) -> None:
        self._programs = _programs()
        self._data = folder / "data"
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://{OWNER}@127.0.0.1:{free_port()}/postgres"

    def create(self) -> None:
        """Make its files. The collation is English on purpose: nothing of ours may lean on the order of bytes."""
        if os.geteuid() == 0:
            shutil.chown(self._data.parent, OWNER)
        locale = ["--locale-provider=icu", "--icu-locale=en", "--locale=C.UTF-8", "--encoding=UTF8"]
        command = self._command("initdb", "-D", str(self._data), "-U", OWNER, "-A", "trust", "--no-sync", *locale)
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr

    def start(self) -> None:
        """Start, and return when it takes connections."""
        port = sa.make_url(self.url).port
        options = [word for name, value in SERVER_OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = self._command("postgres", "-D", str(self._data), "-p", str(port), *options)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + STARTING_SECONDS
        while not _answers(self.url):
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, breaking every connection off, as a failover does."""
        self._signal(signal.SIGINT)
        self._wait()

    def kill(self) -> None:
        """`kill -9`: it has to recover from its log when it starts again."""
        self._signal(signal.SIGKILL)
        self._wait()

    def freeze(self) -> None:
        """Let it, and what serves its open connections, answer nobody any more, as behind a cut cable."""
        for process in self._family():
            os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for process in self._family():
            os.kill(process, signal.SIGCONT)

    def _command(self, program: str, *arguments: str) -> list[str]:
        as_owner = ["--reuid", OWNER, "--regid", OWNER, "--init-groups"] if os.geteuid() == 0 else []
        return ["setpriv", "--pdeathsig", "INT", *as_owner, str(self._programs / program), *arguments]

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(STARTING_SECONDS)
            self._process = None
        # After SIGKILL its children notice by themselves; the next start waits for the last of them.

    def _family(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return [self._process.pid, *map(int, children)]


@contextmanager
def own_postgresql() -> Iterator[PostgreSQL]:
    """A fresh server that a test may stop, kill and start."""
    folder = Path(tempfile.mkdtemp(prefix="llmops-postgresql-"))
    folder.chmod(0o755)
    server = PostgreSQL(folder)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def a_database(server_url: str) -> Iterator[str]:
    """The URL of an empty database on this server, gone at the end with whoever still uses it."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(server_url, f"CREATE DATABASE {name}")
    try:
        yield _plain(sa.make_url(server_url).set(database=name))
    finally:
        _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path:
    """The folder with `initdb` and `postgres`, installed now if this machine lets us."""
    if not (found := _installed()):
        _install()
        found = _installed()
    if not found:
        raise RuntimeError(
            "The tests need PostgreSQL: set DATABASE_URL to a server on which they may create databases, or install "
            "one ('apt-get install postgresql'; as root the tests do that themselves)."
        )
    return found


def _installed() -> Path | None:
    folders = sorted(PACKAGES.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    folders += [Path(on_path).resolve().parent] if on_path else []
    return next((each for each in folders if (each / "initdb").exists() and (each / "postgres").exists()), None)


def _install() -> None:
    """From Debian's packages, without the cluster that they would make and start."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    if not CLUSTER_CONF.exists():
        CLUSTER_CONF.parent.mkdir(parents=True, exist_ok=True)
        CLUSTER_CONF.write_text("create_main_cluster = false\n")
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
        # What went wrong stands in the run's output; whether it did, the caller sees.
        subprocess.run([*apt, *command], env=environment, stdout=subprocess.DEVNULL, check=False)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=2).close()
        return True
    return False


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(_plain(sa.make_url(url)), autocommit=True) as connection:
        connection.execute(statement.encode())


def _plain(url: sa.URL) -> str:
    """As libpq writes it, without the name of a driver."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A server on which tests may create databases."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
        return
    with own_postgresql() as server:
        yield server.url


@pytest.fixture
def postgresql_database(postgresql_url: str) -> Iterator[str]:
    """An empty database: `postgresql://...`."""
    with a_database(postgresql_url) as url:
        yield url


@pytest.fixture
def stoppable_postgresql() -> Iterator[PostgreSQL]:
    """A server of the test's own, to stop, kill and start."""
    with own_postgresql() as server:
        yield server
