"""A world's file on its way into the stream of a job, which begins when the file has proved whole."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from llmops_api.body_lines import lines_of
from llmops_api.errors import BadInput
from llmops_api.features.transfer.lines import Lines
from llmops_api.ports.state import Append, StateStore

BATCH_BYTES = 256 * 1024
BATCH_LINES = 500


class Upload:
    """What has been read of a file so far; no more of it is held than a line and a batch.

    In the stream, an event a batch: `lines`, and how many `records` there are with them; the last event: the `counts`.
    """

    def __init__(self, state: StateStore, stream: str, max_line_bytes: int) -> None:
        self._state = state
        self._stream = stream
        self._max_line_bytes = max_line_bytes
        self._lines = Lines(max_line_bytes)
        self._batch: list[str] = []
        self._batch_bytes = 0

    @property
    def counts(self) -> dict[str, int]:
        """How many lines there are of each kind."""
        return dict(self._lines.seal.counts)

    @property
    def steps(self) -> int:
        """What the job has to do: a step for each record, and one more for each lore document, to make it findable."""
        return self._lines.seal.counts.total() + self._lines.documents

    @property
    def digest(self) -> bytes:
        """Two files share it when they say the same."""
        return bytes.fromhex(self._lines.seal.sha256)

    async def read(self, pieces: AsyncIterator[bytes]) -> None:
        """Read the whole file. Raises `BadInput` naming the first line that is wrong."""
        try:
            async with aclosing(lines_of(pieces, self._max_line_bytes)) as lines:
                async for line in lines:
                    if self._lines.take(line):
                        await self._keep(line)
            self._lines.finish()
        except BadInput:
            # To its end all the same: a client that is still sending would not read the answer.
            async for _ in pieces:
                pass
            raise
        await self._save()
        await self._append({"counts": self.counts})

    async def _keep(self, line: bytes) -> None:
        self._batch.append(line.decode())
        self._batch_bytes += len(line)
        if self._batch_bytes >= BATCH_BYTES or len(self._batch) >= BATCH_LINES:
            await self._save()

    async def _save(self) -> None:
        if self._batch:
            await self._append({"lines": self._batch, "records": self._lines.seal.counts.total()})
            self._batch, self._batch_bytes = [], 0

    async def _append(self, value: Mapping[str, Any]) -> None:
        await self._state.write(Append(self._stream, (value,)))
