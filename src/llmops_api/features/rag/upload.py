"""An upload on its way into a stream of the state store: documents in batches, and what is wrong with the others."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from pathlib import PurePosixPath
from typing import Any

from llmops_api.body_lines import line_limit, lines_of
from llmops_api.core.documents import Document
from llmops_api.core.jobs import MAX_ERRORS
from llmops_api.core.lore import PAGE
from llmops_api.errors import BadInput
from llmops_api.features.rag.lore_formats import TEXTS, document_of_file, document_of_line
from llmops_api.ports.state import Append, StateStore

MAX_BAD = 10_000

Pieces = AsyncIterator[bytes]
Place = Mapping[str, str | int]
"""Where in the upload something stands: `{file?, line?}`."""


class Upload:
    """What has been read of an upload so far. Of a body no more is held than a line, a batch and all ids."""

    def __init__(self, state: StateStore, stream: str, max_chars: int) -> None:
        self.errors: list[Mapping[str, Any]] = []
        """The first `MAX_ERRORS` of `error_count`, each `{file?, line?, field?, document_id?, message}`."""
        self.error_count = 0
        self.ids: set[str] = set()
        self._state = state
        self._stream = stream
        self._max_chars = max_chars
        self._batch: list[dict[str, Any]] = []
        self._bad = 0
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> bytes:
        """Two uploads share it when they say the same."""
        return self._digest.digest()

    async def read_file(self, name: str, pieces: Pieces) -> None:
        """Read a file: `.jsonl` by lines, `.md` and `.txt` as one document."""
        self._digest.update(name.encode())
        suffix = PurePosixPath(name).suffix
        if suffix == ".jsonl":
            await self.read_lines(pieces, file=name)
            return
        content = b"".join([piece async for piece in pieces])
        self._digest.update(content)
        if suffix in TEXTS:
            self._take(lambda: document_of_file(name, content, self._max_chars), {"file": name})
            await self._save_if_full()
        else:
            self._note({"file": name}, message="is none of .jsonl, .md, .txt")

    async def read_lines(self, pieces: Pieces, **place: str) -> None:
        """Read JSON lines; a bad one is noted with its number, a blank one passed over."""
        number = 0
        async with aclosing(lines_of(self._digested(pieces), line_limit(self._max_chars))) as lines:
            async for raw in lines:
                number += 1
                self._take_line(raw, {**place, "line": number})
                await self._save_if_full()

    async def _digested(self, pieces: Pieces) -> Pieces:
        async for piece in pieces:
            self._digest.update(piece)
            yield piece

    async def save(self) -> None:
        """Write what is left to the stream."""
        if self._batch:
            await self._state.write(Append(self._stream, ({"documents": self._batch},)))
            self._batch = []

    async def _save_if_full(self) -> None:
        if len(self._batch) >= PAGE:
            await self.save()

    def _take_line(self, raw: bytes, place: Place) -> None:
        if raw.strip():
            self._take(lambda: document_of_line(raw, self._max_chars), place)

    def _take(self, read: Callable[[], Document], place: Place) -> None:
        try:
            document = read()
        except BadInput as error:
            for each in error.errors:
                self._note(place, field=each.field, message=each.message)
            self._bad += 1
            if self._bad > MAX_BAD:
                raise BadInput(f"The upload has more than {MAX_BAD} bad documents; nothing of it was taken.") from error
            return
        if document.id in self.ids:
            self._note(place, document_id=document.id, message="came before in this upload; this one counts")
        self.ids.add(document.id)
        self._batch.append({"id": document.id, **document.fields})

    def _note(self, place: Place, **fault: str) -> None:
        self.error_count += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append({**place, **fault})
