"""How the commands of a machine find the service that runs on a data folder: a file that it keeps locked while it runs."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

FILE = "service.json"
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.02


@contextmanager
def announced(data_dir: Path, url: str) -> Iterator[None]:
    """Say that a service runs here, at this URL, for as long as the context is open or the process lives.

    A second service on the same folder runs unannounced.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / FILE).open("a+") as file:
        if not _locked(file):
            yield
            return
        _write(file, json.dumps({"url": url, "pid": os.getpid()}))
        try:
            yield
        finally:
            _write(file, "")


def find(data_dir: Path) -> str | None:
    """The URL of the service that runs on this folder; None when there is none."""
    try:
        with (data_dir / FILE).open() as file:
            if _unheld(file):
                return None
            url: str = json.load(file)["url"]
            return url
    except (FileNotFoundError, ValueError):  # never served from, or announced this very moment
        return None


def _locked(file: IO[str]) -> bool:
    """Take the lock; a command that is just looking holds it for less than an instant."""
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return True
    return False


def _unheld(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(file: IO[str], content: str) -> None:
    file.truncate(0)
    file.write(content)
    file.flush()
