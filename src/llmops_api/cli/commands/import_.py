"""`llmops-api import`."""

import gzip
import sys
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import orjson
import typer

from llmops_api.cli.client import path
from llmops_api.cli.commands.export import named
from llmops_api.cli.failures import WrongUse
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import emit, err, say
from llmops_api.cli.progress import follow
from llmops_api.cli.reach import reach
from llmops_api.core.world_files import FORMAT, MEDIA_TYPE

STDIN = Path("-")
PIECE_BYTES = 256 * 1024
HEADER_BYTES = 64 * 1024

command = typer.Typer(add_completion=False)


@command.command("import", epilog="Example: llmops-api import emberfall.jsonl.gz --world emberfall-copy")
def import_world(
    file: Annotated[Path, typer.Argument(help="What export has written, .gz too; or - for standard input.")],
    *,
    world: Annotated[
        str | None, typer.Option("--world", "-w", help="The name to import it under; its own when left out.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Bring a world in from its file.

    The file is checked as a whole before anything of it is written, and the world appears when it is whole. A world of
    the same name must not be there.
    """
    with _opened(file) as content:
        header = _header(content, file)
        name = world or _world_of(header, file)
        with reach(url, key) as service:
            if service.has(path("worlds", name)):
                raise WrongUse(f"there is a world {name} already: delete it, or give another name with --world.")
            with err().status(f"Sending {file} ..."):
                pieces = _pieces(header, content)
                job_id = service.upload(path("worlds", name, "import"), pieces, MEDIA_TYPE)["job_id"]
            job = follow(service, job_id, name)
    if as_json:
        emit({"world": name, "counts": job["result"]})
    else:
        say(f"Imported {name}: {named(job['result'])}.")


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    if file == STDIN:
        yield sys.stdin.buffer
        return
    if not file.is_file():
        raise WrongUse(f"there is no file {file}.")
    with file.open("rb") as raw:
        if file.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as content:
                yield content
        else:
            yield raw


def _header(content: IO[bytes] | gzip.GzipFile, file: Path) -> bytes:
    try:
        return content.readline(HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise WrongUse(f"{file} cannot be read: {error}") from error


def _world_of(header: bytes, file: Path) -> str:
    try:
        fields = orjson.loads(header)
        if fields["format"] == FORMAT:
            return str(fields["world"])
    except (ValueError, LookupError, TypeError):
        pass
    raise WrongUse(f"{file} is not the file of a world: llmops-api export writes such files.")


async def _pieces(header: bytes, content: IO[bytes] | gzip.GzipFile) -> AsyncIterator[bytes]:
    """The file. Where it cannot be read on it ends, and the service says that it was cut off."""
    yield header
    try:
        while piece := content.read(PIECE_BYTES):
            yield piece
    except (OSError, EOFError, zlib.error):
        return
