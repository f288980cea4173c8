"""`llmops-api ingest`."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import aiohttp
import typer

from llmops_api.cli.client import Service, path
from llmops_api.cli.failures import WrongUse
from llmops_api.cli.options import Json, Key, Url, World
from llmops_api.cli.output import counted, emit, note, say
from llmops_api.cli.progress import describe, follow
from llmops_api.cli.reach import reach

TEXTS = {".md", ".txt"}
SUFFIXES = {".jsonl", *TEXTS}
STDIN = Path("-")
TEXTS_AT_ONCE = 500
"""Below the thousand files that a form may hold."""

command = typer.Typer(add_completion=False)


@command.command(epilog="Example: llmops-api ingest lore.jsonl notes/ --world emberfall")
def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files (.jsonl, .md, .txt), folders, or - for JSON lines from standard input."),
    ],
    *,
    world: World,
    locale: Annotated[str, typer.Option(help="The language of the world, when this creates it.")] = "en",
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Load lore from files or folders.

    The world is created when there is none. What is there already, word for word, is passed over, so that an ingest
    that was cut off is simply run again.
    """
    lines, texts = _sorted(paths)
    counts: Counter[str] = Counter()
    errors: list[dict[str, Any]] = []
    with reach(url, key) as service:
        _ensure_world(service, world, locale)
        for name, job_id in _uploaded(service, world, lines, texts):
            job = follow(service, job_id, name)
            counts.update(job["result"])
            counts["errors"] += job.get("error_count", len(job["errors"]))
            errors += [{"file": name, **error} for error in job["errors"]]
    _report(counts, errors, as_json=as_json)
    raise typer.Exit(1 if counts["errors"] else 0)


def _sorted(paths: list[Path]) -> tuple[list[Path], list[tuple[str, Path]]]:
    """The files of JSON lines, and the texts with their names; those in a folder are named from there."""
    lines: list[Path] = []
    texts: list[tuple[str, Path]] = []
    for given in paths:
        for name, file in _files(given):
            if file.suffix in TEXTS:
                texts.append((name, file))
            else:
                lines.append(file)
    if not lines and not texts:
        raise WrongUse(f"there is no file to ingest: none ends in {', '.join(sorted(SUFFIXES))}.")
    return lines, _told_apart(texts)


def _told_apart(texts: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """The texts, a file that was given twice once. Raises `WrongUse` for two that would be the same document."""
    named: dict[str, tuple[str, Path]] = {}
    for name, file in texts:
        document_id = PurePosixPath(name).with_suffix("").as_posix()
        _, first = named.setdefault(document_id, (name, file))
        if not first.samefile(file):
            raise WrongUse(
                f"{first} and {file} would both be the document {document_id}. Rename one; or give the one folder that "
                f"holds both, so that each is named from there."
            )
    return list(named.values())


def _files(given: Path) -> Iterator[tuple[str, Path]]:
    if given.is_dir():
        for file in sorted(given.rglob("*")):
            if file.suffix in SUFFIXES and file.is_file():
                yield file.relative_to(given).as_posix(), file
    elif given != STDIN and not given.exists():
        raise WrongUse(f"there is no {given}.")
    elif given != STDIN and given.suffix not in SUFFIXES:
        raise WrongUse(f"{given} is none of {', '.join(sorted(SUFFIXES))}.")
    else:
        yield given.name, given


def _ensure_world(service: Service, world: str, locale: str) -> None:
    if not service.has(path("worlds", world)):
        service.put(path("worlds", world), {"title": world, "locale": locale})
        note(f"created the world {world}")


def _uploaded(
    service: Service, world: str, lines: list[Path], texts: list[tuple[str, Path]]
) -> Iterator[tuple[str, str]]:
    """Upload one thing after the other; what each is called, and its job."""
    target = path("worlds", world, "ingests")
    for file in lines:
        with sys.stdin.buffer if file == STDIN else file.open("rb") as content:
            job = service.upload(target, content, "application/x-ndjson")
        yield str(file), job["job_id"]
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        batch = texts[start : start + TEXTS_AT_ONCE]
        form = aiohttp.FormData(quote_fields=False)
        for name, file in batch:
            form.add_field("files", file.read_bytes(), filename=name)
        yield counted(len(batch), "text"), service.upload(target, form)["job_id"]


def _report(counts: Counter[str], errors: list[dict[str, Any]], *, as_json: bool) -> None:
    result = {name: counts[name] for name in ("documents", "created", "updated", "unchanged")}
    if as_json:
        emit({**result, "error_count": counts["errors"], "errors": errors})
        return
    for error in errors:
        place = f"{error['file']}:{error['line']}" if error.get("line") else error["file"]
        note(f"{place}: {describe(error)}")
    if counts["errors"] > len(errors):
        note(f"... and {counts['errors'] - len(errors)} more")
    changes = "{created} created, {updated} updated, {unchanged} unchanged".format(**result)
    say(f"{counted(counts['documents'], 'document')}: {changes}.")
