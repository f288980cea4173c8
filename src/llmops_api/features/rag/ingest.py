"""Bulk ingest: an upload becomes batches in a stream of the state store, and a durable job that works through them."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Protocol

import orjson
from pydantic import ValidationError

from llmops_api.core.documents import Document
from llmops_api.core.jobs import JobRun
from llmops_api.core.lore import PAGE, LoreLibrary
from llmops_api.core.worlds import Worlds
from llmops_api.errors import BadInput, FieldError
from llmops_api.features.rag.schemas import IngestLine
from llmops_api.ports.state import Append, Erase, StateStore

INGEST = "ingest"
REINDEX = "reindex"
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_FAULTS = 10_000
KNOWN = frozenset(IngestLine.model_fields)

LineError = dict[str, Any]


class Digest(Protocol):
    """A hash of `hashlib`, as far as it is needed here."""

    def update(self, data: bytes, /) -> None: ...


@dataclass
class Upload:
    """What has been read of an upload so far: whole batches are in the stream already."""

    stream: str
    max_chars: int
    count: int = 0
    errors: list[LineError] = field(default_factory=list)
    batch: list[dict[str, Any]] = field(default_factory=list)

    def line(self, number: int, raw: bytes) -> None:
        """Take one line of JSONL; a bad one is noted with its number, a blank one passed over."""
        if not raw.strip():
            return
        try:
            self.take(_document(raw, self.max_chars))
        except BadInput as error:
            self.errors += [{"line": number, "field": each.field, "message": each.message} for each in error.errors]
        if len(self.errors) > MAX_FAULTS:
            raise BadInput(f"The body has more than {MAX_FAULTS} faults; is it one JSON object a line?")

    def take(self, document: Document) -> None:
        """Take one document."""
        self.batch.append({"id": document.id, **document.fields})
        self.count += 1

    async def save(self, state: StateStore, *, everything: bool) -> None:
        """Write the batch to the stream when it is full, or when there will be no more."""
        if self.batch and (everything or len(self.batch) >= PAGE):
            await state.write(Append(self.stream, ({"documents": self.batch},)))
            self.batch = []


async def read_jsonl(body: AsyncIterator[bytes], upload: Upload, state: StateStore, digest: Digest) -> None:
    """Read a body of JSON lines into the upload's stream, never holding more than a line and a batch."""
    number, rest = 0, b""
    async for piece in body:
        digest.update(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for raw in lines:
            number += 1
            upload.line(number, raw)
            await upload.save(state, everything=False)
        # One byte more than allowed keeps a line that is too long recognisable.
        rest = rest[: MAX_LINE_BYTES + 1]
    upload.line(number + 1, rest)
    await upload.save(state, everything=True)


def _document(raw: bytes, max_chars: int) -> Document:
    """One line as a document. Raises `BadInput` naming each wrong field."""
    if len(raw) > MAX_LINE_BYTES:
        raise BadInput("", [FieldError("", f"is longer than {MAX_LINE_BYTES} bytes; split the document")])
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInput("", [FieldError("", f"is not JSON in UTF-8: {error.msg}")]) from error
    if not isinstance(value, dict):
        raise BadInput("", [FieldError("", "is not a JSON object")])
    return _checked(value, max_chars)


def _checked(value: Mapping[str, Any], max_chars: int) -> Document:
    known = {name: item for name, item in value.items() if name in KNOWN}
    unknown = {name: item for name, item in value.items() if name not in KNOWN}
    if unknown and isinstance(known.get("metadata", {}), dict):
        known["metadata"] = {**unknown, **known.get("metadata", {})}
    try:
        line = IngestLine.model_validate(known)
    except ValidationError as error:
        faults = [FieldError("/" + "/".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        raise BadInput("", faults) from error
    if len(line.text) > max_chars:
        raise BadInput("", [FieldError("/text", f"is longer than {max_chars} characters; split the document")])
    return line.document(line.id)


def read_file(name: str, content: bytes, upload: Upload) -> None:
    """Take an uploaded file: `.jsonl` by lines; `.md` and `.txt` as one document, its id the path without its ending, its
    title the first heading."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.suffix == ".jsonl":
        for number, raw in enumerate(content.split(b"\n"), start=1):
            upload.line(number, raw)
        return
    if path.suffix not in {".md", ".txt"}:
        upload.errors.append({"field": name, "message": "is none of .jsonl, .md, .txt"})
        return
    try:
        text = content.decode("utf-8-sig")
        heading, _, rest = text.strip().partition("\n")
        titled = path.suffix == ".md" and heading.startswith("#")
        title = heading.lstrip("#").strip() if titled else path.stem
        upload.take(
            _checked(
                {"id": str(path.with_suffix("")), "title": title, "text": rest if titled else text}, upload.max_chars
            )
        )
    except UnicodeDecodeError:
        upload.errors.append({"field": name, "message": "is not UTF-8"})
    except BadInput as error:
        upload.errors += [{"field": name + each.field, "message": each.message} for each in error.errors]


@dataclass(frozen=True, slots=True)
class Ingest:
    """The job: batch after batch into the lore; after a crash it begins again and passes over what is there."""

    state: StateStore
    worlds: Worlds
    lore: LoreLibrary

    async def __call__(self, run: JobRun) -> Mapping[str, Any]:
        world = await self.worlds.get(run.world)
        counts = {"documents": 0, "created": 0, "updated": 0, "unchanged": 0}
        position = 0
        while events := await self.state.read(run.payload["stream"], after=position, limit=1):
            position = events[0].position
            documents = [_stored(value) for value in events[0].value["documents"]]
            for stored in await self.lore.put_many(world, documents):
                counts["created" if stored.created else "updated" if stored.changed else "unchanged"] += 1
            counts["documents"] += len(documents)
            await run.progress(counts["documents"], run.payload["total"])
        await self.state.write(Erase(run.payload["stream"]))
        return counts


def _stored(value: Mapping[str, Any]) -> Document:
    return Document(**{**value, "tags": tuple(value["tags"]), "keys": tuple(value["keys"])})


@dataclass(frozen=True, slots=True)
class Reindex:
    """The job: an index beside the live one, then the swap."""

    worlds: Worlds
    lore: LoreLibrary

    async def __call__(self, run: JobRun) -> Mapping[str, Any]:
        world = await self.worlds.get(run.world)
        index = await self.lore.rebuild(world, run.progress)
        return {"embedder": index.embedder_id, "documents": await self.lore.count(world)}
