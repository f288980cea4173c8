"""Which service a command talks to."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from llmops_api.cli.announcement import find
from llmops_api.cli.client import Service, connect
from llmops_api.cli.local_settings import local_settings
from llmops_api.cli.output import err
from llmops_api.cli.server import log_to_stderr, running
from llmops_api.settings import Settings


@contextmanager
def reach(url: str | None, key: str | None) -> Iterator[Service]:
    """The service at `url`; else the one that runs on the local data folder; else one that lives as long as the command."""
    if url:
        with connect(url, key) as service:
            yield service
        return
    settings = local_settings()
    found = find(settings.data_dir)
    address = _own(settings) if found is None else nullcontext((found, key or admin_key(settings)))
    with address as (where, secret), connect(where, secret) as service:
        yield service


@contextmanager
def _own(settings: Settings) -> Iterator[tuple[str, str]]:
    log_to_stderr("WARNING")
    status = err().status(f"Opening {settings.data_dir} ...")
    status.start()
    try:
        with running(settings) as address:
            status.stop()
            yield address
    finally:
        status.stop()


def admin_key(settings: Settings) -> str | None:
    """The key of the service on the local data folder; None when it cannot be read."""
    if settings.admin_key is not None:
        return settings.admin_key.get_secret_value()
    try:
        return settings.key_file.read_text().strip()
    except OSError:
        return None
