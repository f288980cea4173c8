"""Lore that the index cannot hold is named, and nothing of it is kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from llmops_api.core.documents import Document
from llmops_api.core.worlds import World
from llmops_api.errors import DocumentsRefused, NotFound
from llmops_api.ports.lore_index import LoreEntry, LoreIndex, Tombstone
from llmops_api.ports.state import StateStore
from tests.support import Library, library_of

WORLD = World("w", "W")
GOOD = Document("good", "Good", "A bell of bronze.")
BAD = Document("bad", "Bad", "A cursed bell.")


class Particular:
    """An index that takes no document in which a word stands, and all others."""

    def __init__(self, index: LoreIndex, word: str) -> None:
        self._index = index
        self._word = word

    def __getattr__(self, name: str) -> Any:
        return getattr(self._index, name)

    async def write(self, index: str, changes: Sequence[LoreEntry | Tombstone]) -> None:
        refused = {each.document_id for each in changes if isinstance(each, LoreEntry) and self._word in each.text}
        await self._index.write(index, [each for each in changes if each.document_id not in refused])
        if refused:
            raise DocumentsRefused(dict.fromkeys(refused, "cursed"))


@pytest.fixture
async def library(state: StateStore, index: LoreIndex) -> Library:
    library = library_of(state, Particular(index, "cursed"))
    await library.worlds.put(WORLD)
    return library


async def test_of_many_documents_the_others_are_in(library: Library) -> None:
    stored = await library.lore.put_many(WORLD, [GOOD, BAD])

    assert {each.document.id: each.refused for each in stored} == {"good": "", "bad": "cursed"}
    assert await library.found(WORLD, "bell") == ["good"]
    assert [each.id for each in await library.lore.list(WORLD)] == ["good"]


async def test_a_single_document_is_an_error_and_not_kept(library: Library) -> None:
    with pytest.raises(DocumentsRefused) as caught:
        await library.lore.put(WORLD, BAD)

    assert caught.value.reasons == {"bad": "cursed"}
    with pytest.raises(NotFound):
        await library.lore.get(WORLD, "bad")


async def test_what_was_there_before_still_is_and_is_found(library: Library) -> None:
    await library.lore.put(WORLD, GOOD)

    with pytest.raises(DocumentsRefused):
        await library.lore.put(WORLD, replace(GOOD, text="A cursed bell of bronze."))

    kept = await library.lore.get(WORLD, "good")
    assert replace(kept, version=0) == GOOD
    assert await library.found(WORLD, "bronze") == ["good"]
    assert await library.found(WORLD, "cursed") == []
    live = (await library.worlds.pointer(WORLD.id)).live
    assert await library.lore._index.versions(live.name) == {"good": kept.version}


async def test_a_document_that_was_refused_may_come_again_mended(library: Library) -> None:
    await library.lore.put_many(WORLD, [BAD])

    await library.lore.put(WORLD, replace(BAD, text="A blessed bell."))

    assert await library.found(WORLD, "blessed") == ["bad"]


async def test_one_that_another_writer_has_changed_since_is_left_to_them(
    library: Library, state: StateStore, index: LoreIndex
) -> None:
    class Overtaken(Particular):
        async def write(self, index: str, changes: Sequence[LoreEntry | Tombstone]) -> None:
            try:
                await super().write(index, changes)
            except DocumentsRefused:
                await library_of(state, self._index).lore.put(WORLD, replace(BAD, text="A blessed bell."))
                raise

    overtaken = library_of(state, Overtaken(index, "cursed"))
    with pytest.raises(DocumentsRefused):
        await overtaken.lore.put(WORLD, BAD)

    assert (await library.lore.get(WORLD, "bad")).text == "A blessed bell."
    assert await library.found(WORLD, "blessed") == ["bad"]
