"""From a question to the lore: the query's language, the embedder that made the index, and what fails."""

import logging
from collections.abc import Sequence

import pytest

from llmops_api.core.documents import Document
from llmops_api.core.retrieval import LoreHit, Mode
from llmops_api.core.worlds import World
from llmops_api.errors import NotFound, ProviderError, ProviderUnavailable
from llmops_api.ports.embedding import InputType, Vectors
from llmops_api.ports.lore_index import Filter, LoreIndex, Query, SearchResult
from llmops_api.ports.state import StateStore
from tests.support import CountingEmbedder, Library, library_of

WORLD = World("w", "W", locale="en")
BELL = Document("item/bell", "The Drowned Bell", "The Drowned Bell rings under the river.", "item", ("river",))
MILL = Document("place/mill", "The Old Mill", "The Old Mill grinds barley for the guild.", "place", ("guild",))


class Mute(CountingEmbedder):
    """Embeds documents, and is out of reach for every query."""

    async def embed(self, inputs: Sequence[str], *, input_type: InputType) -> Vectors:
        if input_type is InputType.QUERY:
            raise ProviderUnavailable("away", provider="far")
        return await super().embed(inputs, input_type=input_type)


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


async def _stocked(state: StateStore, index: LoreIndex, embedder: CountingEmbedder | None) -> Library:
    library = library_of(state, index, embedder)
    await library.worlds.put(WORLD)
    await library.lore.put_many(WORLD, [BELL, MILL])
    return library


@pytest.fixture
async def library(state: StateStore, index: LoreIndex, embedder: CountingEmbedder) -> Library:
    return await _stocked(state, index, embedder)


async def _best(library: Library, query: str, mode: Mode = Mode.HYBRID, locale: str | None = None) -> LoreHit:
    return (await library.retriever.search(WORLD, query, mode=mode, locale=locale)).hits[0]


async def test_a_hit_is_a_verbatim_span_with_its_place_on_both_sides(library: Library) -> None:
    hit = await _best(library, "the drowned bell")

    assert (hit.document_id, hit.title, hit.kind, hit.tags) == ("item/bell", BELL.title, "item", frozenset({"river"}))
    assert hit.text == BELL.text
    assert (hit.keyword_rank, hit.vector_rank) == (1, 1)
    assert hit.cosine is not None


async def test_a_query_is_read_in_its_own_language(library: Library) -> None:
    """What is a stop word in the world's language is a word to search for in another."""
    for locale, found in ((None, []), ("en-GB", []), ("es", ["item/bell", "place/mill"])):
        hits = await library.found(WORLD, "the", mode=Mode.KEYWORD, locale=locale)

        assert sorted(hits) == found


async def test_a_query_in_a_language_that_the_embedder_does_not_know_has_no_vector(
    library: Library, embedder: CountingEmbedder
) -> None:
    """Neither asked for nor used, though the lore has vectors; the world's own language is the default."""
    spanish = await _best(library, "drowned bell", locale="es-MX")
    assert embedder.queries == []
    english = await _best(library, "drowned bell")

    assert (spanish.keyword_rank, spanish.vector_rank, spanish.cosine) == (1, None, None)
    assert english.vector_rank == 1
    assert embedder.queries == ["drowned bell"]


async def test_an_embedder_that_knows_all_languages_is_asked_in_all(state: StateStore, index: LoreIndex) -> None:
    library = await _stocked(state, index, CountingEmbedder(languages=None))

    assert (await _best(library, "drowned bell", locale="es")).vector_rank == 1


async def test_a_mode_searches_on_its_own_side_alone(library: Library, embedder: CountingEmbedder) -> None:
    keyword = await _best(library, "drowned bell", Mode.KEYWORD)
    assert embedder.queries == []
    vector = await _best(library, "drowned bell", Mode.VECTOR)

    assert (keyword.keyword_rank, keyword.vector_rank) == (1, None)
    assert (vector.keyword_rank, vector.vector_rank) == (None, 1)


async def test_vectors_of_another_embedder_are_not_compared(
    library: Library, state: StateStore, index: LoreIndex
) -> None:
    other = CountingEmbedder("other")
    hit = await _best(library_of(state, index, other), "drowned bell")

    assert (hit.keyword_rank, hit.vector_rank) == (1, None)
    assert other.queries == []


async def test_without_an_embedder_keywords_find(state: StateStore, index: LoreIndex) -> None:
    library = await _stocked(state, index, None)

    assert (await _best(library, "drowned bell")).document_id == "item/bell"
    assert await library.found(WORLD, "drowned bell", mode=Mode.VECTOR) == []


async def test_an_embedder_that_fails_leaves_keywords(
    state: StateStore, index: LoreIndex, caplog: pytest.LogCaptureFixture
) -> None:
    """With a line in the log that does not repeat the query; where vectors alone were asked for, the error stands."""
    caplog.set_level(logging.WARNING)
    library = await _stocked(state, index, Mute())
    hit = await _best(library, "drowned bell")

    assert (hit.document_id, hit.vector_rank) == ("item/bell", None)
    assert len(caplog.messages) == 1
    assert "drowned" not in caplog.text
    with pytest.raises(ProviderError):
        await _best(library, "drowned bell", Mode.VECTOR)


async def test_a_filter_and_a_limit_hold(library: Library) -> None:
    for mode in Mode:
        found = await library.found(
            WORLD, "the old drowned bell mill", mode=mode, filter=Filter(kinds=frozenset({"place"}))
        )
        assert found == ["place/mill"]
    assert len(await library.found(WORLD, "the old drowned bell mill", limit=1)) == 1


async def test_the_worlds_own_threshold_decides_what_is_in_the_lore(library: Library) -> None:
    for threshold, in_lore in ((-100.0, True), (100.0, False)):
        world = World("w", "W", gate_threshold=threshold)

        assert (await library.retriever.search(world, "Where does the Drowned Bell ring?")).in_lore is in_lore


async def test_the_lore_version_changes_with_the_lore_alone(library: Library) -> None:
    async def version() -> str:
        return (await library.retriever.search(WORLD, "bell")).lore_version

    first, same = await version(), await version()
    await library.lore.delete(WORLD, "place/mill")

    assert first == same
    assert await version() != first
    assert first.startswith((await library.worlds.pointer("w")).live.name)


class _Swapping:
    """An index whose first search finds that a re-index has just dropped it."""

    def __init__(self, real: LoreIndex) -> None:
        self._real = real
        self.searches = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    async def search(self, index: str, query: Query) -> SearchResult:
        self.searches += 1
        if self.searches == 1:
            raise NotFound("gone")
        return await self._real.search(index, query)


async def test_a_search_outlives_the_swap_of_a_reindex(library: Library, state: StateStore, index: LoreIndex) -> None:
    swapping = _Swapping(index)
    replica = library_of(state, swapping)  # type: ignore[arg-type]  # the rest is the real one's

    assert await replica.found(WORLD, "drowned bell") == ["item/bell"]
    assert swapping.searches == 2


async def test_a_world_that_is_not_there_is_not_found(library: Library) -> None:
    with pytest.raises(NotFound):
        await library.retriever.search(World("nowhere", ""), "bell")
