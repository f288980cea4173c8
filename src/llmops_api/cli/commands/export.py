"""`llmops-api export`."""

import gzip
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, Any

import orjson
import typer

from llmops_api.cli.client import path
from llmops_api.cli.failures import OutOfReach
from llmops_api.cli.options import Json, Key, Url
from llmops_api.cli.output import counted, emit, err, note, say
from llmops_api.cli.reach import reach
from llmops_api.core.world_files import Seal

STDOUT = Path("-")

command = typer.Typer(add_completion=False)


@command.command(epilog="Example: llmops-api export emberfall --output emberfall.jsonl.gz")
def export(
    world: str,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The file, compressed if its name ends in .gz; - for standard output."),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Write a world to a file.

    Lore, characters with all their versions, conversations with all their turns: all that `llmops-api import` needs to
    make the same world elsewhere. The file is WORLD.jsonl unless --output says otherwise; only its owner can read it.
    """
    to = output or Path(f"{world}.jsonl")
    with (
        reach(url, key) as service,
        closing(service.download(path("worlds", world, "export"))) as pieces,
        _whole(to) as file,
        err().status(f"Exporting {world} ..."),
    ):
        end = _copied(pieces, file)
    result = {"world": world, "file": str(to), "counts": end["counts"], "sha256": end["sha256"]}
    told = f"Exported {world}: {named(end['counts'])}."
    if to == STDOUT:
        note(told)
    elif as_json:
        emit(result)
    else:
        say(f"{told[:-1]}, to {to}.")


def named(counts: dict[str, int]) -> str:
    """How much of what there is in a world, in words."""
    return ", ".join(counted(number, kind.replace("-", " ")) for kind, number in counts.items() if kind != "world")


@contextmanager
def _whole(to: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The file to write, which is there under its name only when all is written."""
    if to == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = to.with_name(f"{to.name}.{os.getpid()}.part")
    try:
        # For its owner alone: it holds what players have said.
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            if to.suffix == ".gz":
                # Without name and time, so that the same world is the same file.
                with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as compressed:
                    yield compressed
            else:
                yield file
        draft.replace(to)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()


def _copied(pieces: Iterable[bytes], file: IO[bytes] | gzip.GzipFile) -> Any:
    """Write the pieces; what the last line says of the others, once that has proved true. Raises `OutOfReach`."""
    seal, last, rest = Seal(), b"", b""
    for piece in pieces:
        file.write(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if last:
                seal.add(last)
            last = line
    try:
        end = orjson.loads(last)
        if end["sha256"] == seal.sha256 and not rest:
            return end
    except (ValueError, LookupError, TypeError):
        pass
    raise OutOfReach("The export broke off before its end; export again.")
