"""Uploads: whatever form they come in, they lie in the stream in batches."""

from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from llmops_api.core.lore import PAGE
from llmops_api.features.rag.upload import Upload
from llmops_api.ports.state import StateStore

LINES = b"\n".join(orjson.dumps({"id": f"doc-{number}", "title": "T", "text": "Ää."}) for number in range(2 * PAGE + 5))
Read = Callable[[Upload], AsyncIterator[None]]


async def _in_pieces(content: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def _body(upload: Upload) -> None:
    await upload.read_lines(_in_pieces(LINES))


async def _file_of_lines(upload: Upload) -> None:
    await upload.read_file("lore.jsonl", _in_pieces(LINES))


async def _many_texts(upload: Upload) -> None:
    for number in range(2 * PAGE + 5):
        await upload.read_file(f"doc-{number}.txt", _in_pieces("Ää.".encode(), 1))


@pytest.mark.parametrize("read", [_body, _file_of_lines, _many_texts])
async def test_documents_are_written_in_batches(state: StateStore, read: Read) -> None:
    """Lines of a body, lines of a file, files: never one event a document, never one for all."""
    upload = Upload(state, "upload", max_chars=1000)

    await read(upload)
    await upload.save()

    batches = [event.value["documents"] for event in await state.read("upload")]
    assert [len(batch) for batch in batches] == [PAGE, PAGE, 5]
    assert [each["id"] for batch in batches for each in batch] == [f"doc-{number}" for number in range(2 * PAGE + 5)]
    assert {each["text"] for batch in batches for each in batch} == {"Ää."}
