"""The lore library: the index follows the records, whatever a crash has left between them."""

from dataclasses import replace

import pytest

from llmops_api.core.documents import Document
from llmops_api.core.lore import DOCUMENT
from llmops_api.core.retrieval import Mode
from llmops_api.core.worlds import LorePointer, World, inside
from llmops_api.errors import NotFound, VersionMismatch
from llmops_api.ports.lore_index import LoreIndex
from llmops_api.ports.state import Delete, Put, StateStore
from tests.support import CountingEmbedder, Library, library_of

WORLD = World("w", "W")
BELL = Document("item/bell", "The Drowned Bell", "It rings under the river on the first night of frost.")
MILL = Document("place/mill", "The Old Mill", "It grinds barley for the guild of brewers.")


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


@pytest.fixture
async def library(state: StateStore, index: LoreIndex, embedder: CountingEmbedder) -> Library:
    """A world with the bell and the mill."""
    library = library_of(state, index, embedder)
    await library.worlds.put(WORLD)
    await library.lore.put_many(WORLD, [BELL, MILL])
    return library


async def _nothing(_done: int, _total: int) -> None:
    pass


async def _keyword(library: Library, query: str) -> list[str]:
    return await library.found(WORLD, query, mode=Mode.KEYWORD)


async def test_sync_removes_from_the_index_what_has_no_record(library: Library, state: StateStore) -> None:
    """A crash came between the two halves of a deletion."""
    await state.write(Delete(DOCUMENT, "w/item/bell"))
    assert await _keyword(library, "frost") == ["item/bell"]

    await library.lore.sync(WORLD)

    assert await _keyword(library, "frost") == []
    assert await _keyword(library, "barley") == ["place/mill"]


async def test_what_sync_removed_may_come_back(library: Library, state: StateStore) -> None:
    await state.write(Delete(DOCUMENT, "w/item/bell"))
    await library.lore.sync(WORLD)
    await library.lore.put(WORLD, BELL)

    assert await _keyword(library, "frost") == ["item/bell"]


async def test_sync_adds_to_the_index_what_it_has_not(library: Library, state: StateStore) -> None:
    """A crash came between the record and the index: of a new document, and of a changed one."""
    flood = Document("event/flood", "The Flood", "Water stood in the crypt.")
    changed = replace(BELL, text="It hangs in the tower now.")
    await state.write(*(Put(DOCUMENT, f"w/{each.id}", each.fields) for each in (flood, changed)))

    await library.lore.sync(WORLD)

    assert await _keyword(library, "crypt") == ["event/flood"]
    assert await _keyword(library, "tower") == ["item/bell"]
    assert await _keyword(library, "frost") == []


async def test_sync_of_an_index_in_step_embeds_nothing(library: Library, embedder: CountingEmbedder) -> None:
    embedder.documents.clear()
    await library.lore.sync(WORLD)

    assert embedder.documents == []


async def test_sync_touches_no_other_world(library: Library) -> None:
    """Though the name of one begins like that of the other."""
    other = World("w2", "W2")
    await library.worlds.put(other)
    await library.lore.put(other, BELL)
    await library.lore.sync(WORLD)

    assert [each.id for each in await library.lore.list(WORLD)] == ["item/bell", "place/mill"]
    assert await library.found(other, "frost", mode=Mode.KEYWORD) == ["item/bell"]


async def test_a_rebuild_leaves_out_what_has_no_record(library: Library, state: StateStore) -> None:
    """Also what an interrupted rebuild has already taken over."""
    pointer = await library.worlds.pointer("w")
    building = await library.worlds.new_index("en")
    await library.worlds.move("w", replace(pointer, building=building))
    await library.lore.put(WORLD, replace(BELL, text="It hangs in the tower now."))
    await state.write(Delete(DOCUMENT, "w/item/bell"))

    assert await library.lore.rebuild(WORLD, _nothing) == building
    assert await _keyword(library, "tower") == []
    assert await _keyword(library, "barley") == ["place/mill"]


async def test_a_rebuild_swaps_and_drops_the_old_index(library: Library, index: LoreIndex) -> None:
    before = await library.worlds.pointer("w")
    built = await library.lore.rebuild(WORLD, _nothing)
    after = await library.worlds.pointer("w")

    assert (after.live, after.building) == (built, None)
    assert built != before.live
    with pytest.raises(NotFound):
        await index.versions(before.live.name)


async def test_a_rebuild_tells_how_far_it_is(library: Library) -> None:
    told: list[tuple[int, int]] = []

    async def progress(done: int, total: int) -> None:
        told.append((done, total))

    await library.lore.rebuild(WORLD, progress)

    assert told == [(2, 2)]


async def test_what_is_written_during_a_rebuild_is_in_both_indexes(library: Library, index: LoreIndex) -> None:
    pointer = await library.worlds.pointer("w")
    pointer = await library.worlds.move("w", replace(pointer, building=await library.worlds.new_index("en")))
    await library.lore.put(WORLD, replace(BELL, text="It hangs in the tower now."))
    await library.lore.delete(WORLD, "place/mill")

    for each in pointer.written:
        versions = await index.versions(each.name)
        assert versions.get("item/bell") == 2
        assert "place/mill" not in versions


async def test_an_interrupted_rebuild_with_another_embedder_is_begun_anew(
    library: Library, state: StateStore, index: LoreIndex
) -> None:
    pointer = await library.worlds.pointer("w")
    interrupted = await library.worlds.new_index("en")
    await library.worlds.move("w", replace(pointer, building=interrupted))
    other = library_of(state, index, CountingEmbedder("other"))
    built = await other.lore.rebuild(WORLD, _nothing)

    assert built != interrupted
    assert built.embedder_id == "other"


async def test_a_write_that_expects_another_version_is_refused(library: Library) -> None:
    """Of a document that is not there, of one that was changed, and with the very words that are there."""
    await library.lore.put(WORLD, replace(BELL, title="The Bell"), expected_version=1)
    for late in (replace(BELL, id="none"), BELL, replace(BELL, title="The Bell")):
        with pytest.raises(VersionMismatch):
            await library.lore.put(WORLD, late, expected_version=1)
    with pytest.raises(VersionMismatch):
        await library.lore.delete(WORLD, "item/bell", expected_version=1)

    assert (await library.lore.get(WORLD, "item/bell")).title == "The Bell"


async def test_of_two_documents_with_one_id_the_later_counts(library: Library) -> None:
    stored = await library.lore.put_many(WORLD, [replace(BELL, text="Of copper."), replace(BELL, text="Of bronze.")])

    assert [(each.created, each.changed, each.document.version) for each in stored] == [(False, True, 2)]
    assert await _keyword(library, "copper") == []
    assert await _keyword(library, "bronze") == ["item/bell"]


async def test_a_document_in_a_language_that_the_embedder_does_not_know_is_not_embedded(
    library: Library, embedder: CountingEmbedder
) -> None:
    """Whether the language is its own or its world's."""
    embedder.documents.clear()
    spanish = World("es", "Mundo", locale="es-MX")
    await library.worlds.put(spanish)
    await library.lore.put(spanish, BELL)
    await library.lore.put(spanish, replace(MILL, locale="en-GB"))
    await library.lore.put(WORLD, replace(BELL, text="La campana suena.", locale="es"))

    assert embedder.documents == [f"{MILL.title}\n{MILL.text}"]


async def test_the_lore_of_a_world_that_is_gone_is_removed_and_no_other(library: Library) -> None:
    other = World("w2", "W2")
    await library.worlds.put(other)
    await library.lore.put(other, BELL)
    await library.lore.delete_all("w", inside("w"))

    assert await library.lore.list(WORLD) == []
    assert len(await library.lore.list(other)) == 1


async def test_what_can_be_found_is_counted(library: Library, state: StateStore) -> None:
    """By the index, which reads no text for it: a record that it has not yet is counted after the next sync."""
    await state.write(Put(DOCUMENT, "w/event/flood", Document("", "The Flood", "Water stood in the crypt.").fields))
    before = await library.lore.count(WORLD)
    await library.lore.sync(WORLD)

    assert (before, await library.lore.count(WORLD)) == (2, 3)


async def test_nothing_is_stored_in_a_world_that_is_gone(library: Library) -> None:
    await library.worlds.hide("w")

    with pytest.raises(NotFound):
        await library.lore.put(WORLD, replace(BELL, text="Of bronze."))

    assert [each.text for each in await library.lore.list(WORLD)] == [BELL.text, MILL.text]


async def test_a_document_that_is_put_while_an_index_is_swapped_is_stored_and_found(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swap comes between reading the pointer and writing to the index that it named."""
    seen, pointer = [], library.worlds.pointer

    async def overtaken(world_id: str) -> LorePointer:
        seen.append(await pointer(world_id))
        if len(seen) == 2:
            await library.lore.rebuild(replace(WORLD, locale="de"), _nothing)
        return seen[-1]

    monkeypatch.setattr(library.worlds, "pointer", overtaken)
    await library.lore.put(WORLD, replace(BELL, text="It sank in the great flood."))

    assert seen[1].live != (await pointer("w")).live
    assert await _keyword(library, "flood") == ["item/bell"]


async def test_a_document_in_another_language_is_found_by_whoever_asks_in_the_worlds(library: Library) -> None:
    """And by who says in which language; Snowball stems the word differently in the two."""
    await library.lore.put(WORLD, Document("item/zorb", "Zorbling", "Ein kleines Wesen.", locale="de-AT"))

    for locale in (None, "de"):
        assert await library.found(WORLD, "zorbling", mode=Mode.KEYWORD, locale=locale) == ["item/zorb"]


async def test_an_index_is_built_anew_when_the_language_of_its_world_has_changed(library: Library) -> None:
    german = replace(WORLD, locale="de-DE")
    await library.worlds.put(german)
    outdated = await library.lore.is_outdated(german)
    await library.lore.sync(german)

    assert outdated
    assert not await library.lore.is_outdated(german)
    assert await library.found(german, "grinds", mode=Mode.KEYWORD) == ["place/mill"]


async def test_a_language_that_changes_while_an_index_is_built_is_the_one_that_counts(library: Library) -> None:
    german = replace(WORLD, locale="de")
    await library.worlds.put(german)

    async def change_back(_done: int, _total: int) -> None:
        await library.worlds.put(WORLD)

    await library.lore.rebuild(german, change_back)
    pointer = await library.worlds.pointer("w")

    assert (pointer.live.language, pointer.building) == ("en", None)
    assert await _keyword(library, "frost") == ["item/bell"]
