"""`llmops-api serve`."""

import logging
import signal
from typing import Annotated

import typer

from llmops_api.cli.announcement import announced
from llmops_api.cli.failures import Failure
from llmops_api.cli.local_settings import local_settings, misspelt
from llmops_api.cli.options import Json
from llmops_api.cli.output import emit
from llmops_api.cli.server import Server, bind, could_not_start, log_to_stderr, url_of
from llmops_api.settings import Settings

log = logging.getLogger(__name__)
command = typer.Typer(add_completion=False)


@command.command(epilog="Example: llmops-api serve --port 8080")
def serve(
    host: Annotated[str | None, typer.Option(help="Where to listen; LLMOPS_HOST when left out.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 takes a free one; LLMOPS_PORT when left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the service."""
    given = {"host": host, "port": port}
    settings = local_settings(**{name: value for name, value in given.items() if value is not None})
    log_to_stderr("INFO")
    for sentence in misspelt():
        log.warning("%s", sentence)
    with bind(settings.host, settings.port) as bound, announced(settings.data_dir, url_of(bound)):
        try:
            server = Server(settings, lambda: _welcome(url_of(bound), settings, as_json=as_json))
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, server.handle_exit)
            server.run([bound])
        except Failure:
            raise
        except Exception as error:
            raise could_not_start(error) from error


def _welcome(url: str, settings: Settings, *, as_json: bool) -> None:
    file = settings.key_file
    place = "LLMOPS_ADMIN_KEY" if settings.admin_key else str(file) if file.exists() else None
    if as_json:
        emit({"url": url, "docs": f"{url}/docs", "key_in": place})
    else:
        print(f"Ready: {url}/docs" + (f" (the admin key is in {place})" if place else ""), flush=True)
