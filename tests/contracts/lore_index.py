"""What every lore index must do, whatever technology it stands on."""

import asyncio
from collections.abc import Iterable, Sequence

import numpy as np
import pytest

from llmops_api.errors import BadInput, ConflictError, NotFound
from llmops_api.ports.lore_index import Chunk, Filter, LoreEntry, LoreIndex, Query, SearchResult, Tombstone, Vector

DIMENSIONS = 8


def unit(*values: float) -> Vector:
    """A vector of length 1 in the direction of these values, the rest of them zero."""
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[: len(values)] = values
    length: np.float32 = np.linalg.norm(vector)
    return vector / length


def entry(document_id: str, text: str = "", *, version: int = 1, title: str = "", **more: object) -> LoreEntry:
    """A document of which every word is a term."""
    terms = {"title_terms": tuple(title.split()), "text_terms": tuple(text.split())}
    return LoreEntry(document_id, version, title, text, **{**terms, **more})  # type: ignore[arg-type]  # by keyword


def embedded(*vectors: Vector | None, key: str = "key") -> tuple[Chunk, ...]:
    """Chunks with these vectors and the keys `key-0`, `key-1`, ..."""
    return tuple(Chunk(n * 10, n * 10 + 9, f"{key}-{n}", vector) for n, vector in enumerate(vectors))


def keyword_ids(result: SearchResult) -> list[str]:
    return [hit.document_id for hit in result.keyword]


def vector_ids(result: SearchResult) -> list[str]:
    return [hit.document_id for hit in result.vector]


class LoreIndexContract:
    """Inherit it and supply the fixture `lore`, an open index store that holds nothing."""

    @pytest.fixture
    async def index(self, lore: LoreIndex) -> str:
        await lore.create("world", embedder_id="embedder", dimensions=DIMENSIONS)
        return "world"

    async def test_a_written_document_is_found_by_the_next_search(self, lore: LoreIndex, index: str) -> None:
        for number in range(5):
            await lore.write(index, [entry(f"d{number}", f"gate word{number}")])

            result = await lore.search(index, Query(terms=(f"word{number}",)))

            assert keyword_ids(result) == [f"d{number}"]

    async def test_a_new_index_finds_nothing(self, lore: LoreIndex, index: str) -> None:
        result = await lore.search(index, Query(terms=("gate",), vector=unit(1)))

        assert (result.keyword, result.vector, dict(result.entries)) == ((), (), {})
        assert (result.document_count, result.document_frequency) == (0, {"gate": 0})

    async def test_a_hit_comes_with_its_document_without_vectors(self, lore: LoreIndex, index: str) -> None:
        written = entry(
            "places/gate",
            "The Gate closes",
            version=3,
            title="Gate",
            kind="place",
            tags=frozenset({"town", "old"}),
            locale="en",
            chunks=(Chunk(0, 8, "k1", unit(1)), Chunk(9, 15, "k2")),
        )
        await lore.write(index, [written])

        result = await lore.search(index, Query(terms=("Gate",)))

        assert result.entries == {
            "places/gate": entry(
                "places/gate",
                "The Gate closes",
                version=3,
                title="Gate",
                kind="place",
                tags=frozenset({"town", "old"}),
                locale="en",
                chunks=(Chunk(0, 8, "k1"), Chunk(9, 15, "k2")),
            )
        }

    async def test_entries_hold_what_either_list_hit_and_no_more(self, lore: LoreIndex, index: str) -> None:
        await lore.write(
            index,
            [
                entry("keyword", "gate"),
                entry("vector", "tower", chunks=embedded(unit(1))),
                entry("neither", "river"),
            ],
        )

        result = await lore.search(index, Query(terms=("gate",), vector=unit(1)))

        assert (keyword_ids(result), vector_ids(result)) == (["keyword"], ["vector"])
        assert set(result.entries) == {"keyword", "vector"}

    async def test_ids_may_hold_slashes_colons_spaces_and_any_script(self, lore: LoreIndex, index: str) -> None:
        ids = ["a/b/c", "a:b", "a b", "городъ", "古い門", "%41", 'quo"te', "emoji-🏰", "a_b*?"]
        await lore.write(index, [entry(each, "gate", chunks=embedded(unit(1))) for each in ids])

        result = await lore.search(index, Query(terms=("gate",), vector=unit(1)))

        assert sorted(keyword_ids(result)) == sorted(vector_ids(result)) == sorted(ids)
        assert await lore.versions(index, ids) == dict.fromkeys(ids, 1)
        for each in ids:
            only = await lore.search(index, Query(terms=("gate",), filter=Filter(document_ids=frozenset({each}))))
            assert keyword_ids(only) == [each]

    async def test_terms_are_compared_as_they_are(self, lore: LoreIndex, index: str) -> None:
        terms = [
            "Straße",
            "strasse",
            "ворота",
            "古い",
            "い門",
            "été",
            "ete",
            "don't",
            "the",
            "running",
            "run",
            "x" * 200,
        ]
        await lore.write(index, [entry(f"d{n}", text_terms=(term,)) for n, term in enumerate(terms)])

        for number, term in enumerate(terms):
            result = await lore.search(index, Query(terms=(term,)))
            assert keyword_ids(result) == [f"d{number}"]
            assert result.document_frequency == {term: 1}

    async def test_without_terms_there_is_no_keyword_list(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "gate", chunks=embedded(unit(1)))])

        result = await lore.search(index, Query(vector=unit(1)))

        assert (result.keyword, vector_ids(result)) == ((), ["d"])

    async def test_a_rarer_term_counts_for_more(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry(f"common-{n}", "gate tower") for n in range(5)] + [entry("rare", "gate well")])

        result = await lore.search(index, Query(terms=("tower", "well")))

        assert keyword_ids(result)[0] == "rare"

    async def test_a_shorter_text_and_a_repeated_term_count_for_more(self, lore: LoreIndex, index: str) -> None:
        await lore.write(
            index,
            [
                entry("long", "gate " + "filler " * 30),
                entry("short", "gate filler"),
                entry("twice", "gate gate"),
                entry("other", "tower tower"),
            ],
        )

        result = await lore.search(index, Query(terms=("gate",)))

        assert keyword_ids(result) == ["twice", "short", "long"]
        assert result.keyword[0].score > result.keyword[1].score > result.keyword[2].score > 0

    async def test_the_score_is_bm25_of_the_text_plus_the_weighed_one_of_the_title(
        self, lore: LoreIndex, index: str
    ) -> None:
        await lore.write(
            index,
            [
                entry("a", "gate town wall", title="gate"),
                entry("b", "gate gate moor", title="old moor road"),
                entry("c", "town moor fen hill lake", title="fen"),
            ],
        )

        result = await lore.search(index, Query(terms=("gate",), title_weight=2.0))

        # idf = ln(1 + (N - n + 0.5) / (n + 0.5)); N = 3; tf / (tf + 1.2 * (0.25 + 0.75 * length / average length))
        text_idf, title_idf = np.log(1 + 1.5 / 2.5), np.log(1 + 2.5 / 1.5)
        text, title = 11 / 3, 5 / 3
        scores = {hit.document_id: hit.score for hit in result.keyword}
        a = text_idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 3 / text)) + 2 * title_idf * 2.2 / (
            1 + 1.2 * (0.25 + 0.75 * 1 / title)
        )
        b = text_idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / text))
        ratio = scores["a"] / scores["b"]
        assert ratio == pytest.approx(a / b, rel=1e-3)

    async def test_the_title_weighs_as_much_as_the_query_says(self, lore: LoreIndex, index: str) -> None:
        await lore.write(
            index,
            [
                entry("text", "gate gate gate", title="tower"),
                entry("title", "moor fen hill", title="gate"),
                entry("none", "moor fen hill", title="moor"),
            ],
        )

        by_title = await lore.search(index, Query(terms=("gate",), title_weight=6.0))
        by_text = await lore.search(index, Query(terms=("gate",), title_weight=0.1))

        assert keyword_ids(by_title) == ["title", "text"]
        assert keyword_ids(by_text) == ["text", "title"]

    async def test_equal_scores_come_in_the_order_of_the_ids(self, lore: LoreIndex, index: str) -> None:
        ids = [f"d{n:02}" for n in range(40)]
        for each in (*ids[20:], *reversed(ids[:20])):
            await lore.write(index, [entry(each, "gate", chunks=embedded(unit(1)))])

        for limit in (1, 7, 40):
            result = await lore.search(index, Query(terms=("gate",), vector=unit(1), limit=limit))
            assert keyword_ids(result) == vector_ids(result) == ids[:limit]

    async def test_limit_is_the_length_of_each_list(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry(f"d{n}", "gate", chunks=embedded(unit(n + 1, 1))) for n in range(9)])

        result = await lore.search(index, Query(terms=("gate",), vector=unit(1), limit=4))

        assert (len(result.keyword), len(result.vector)) == (4, 4)

    async def test_vectors_rank_by_cosine(self, lore: LoreIndex, index: str) -> None:
        vectors = {"near": unit(1, 0.1), "far": unit(-1), "middle": unit(1, 1)}
        await lore.write(index, [entry(each, chunks=embedded(vector)) for each, vector in vectors.items()])

        result = await lore.search(index, Query(vector=unit(1)))

        assert vector_ids(result) == ["near", "middle", "far"]
        expected = [float(unit(1) @ vectors[each]) for each in ("near", "middle", "far")]
        assert [hit.cosine for hit in result.vector] == pytest.approx(expected, abs=1e-5)

    async def test_a_document_is_as_near_as_its_best_chunk(self, lore: LoreIndex, index: str) -> None:
        await lore.write(
            index,
            [
                entry("two", chunks=embedded(unit(0, 1), None, unit(1), unit(0, 0, 1))),
                entry("one", chunks=embedded(unit(1, 1))),
            ],
        )

        result = await lore.search(index, Query(vector=unit(1)))

        assert [(hit.document_id, hit.chunk) for hit in result.vector] == [("two", 2), ("one", 0)]

    async def test_a_document_without_vectors_is_found_by_keywords_alone(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("plain", "gate", chunks=embedded(None)), entry("bare", "gate")])

        result = await lore.search(index, Query(terms=("gate",), vector=unit(1)))

        assert (sorted(keyword_ids(result)), result.vector) == (["bare", "plain"], ())

    async def test_an_index_may_hold_keywords_alone(self, lore: LoreIndex) -> None:
        await lore.create("plain", embedder_id="", dimensions=0)
        await lore.write("plain", [entry("d", "gate", chunks=embedded(None))])

        result = await lore.search("plain", Query(terms=("gate",)))

        assert (keyword_ids(result), result.vector) == (["d"], ())

    async def test_vectors_are_given_back_by_key(self, lore: LoreIndex, index: str) -> None:
        await lore.write(
            index,
            [
                entry("a", chunks=embedded(unit(1), None, unit(0, 1), key="a")),
                entry("b", chunks=embedded(unit(0, 0, 1), key="ключ")),
            ],
        )

        found = await lore.vectors(index, ["a-2", "a-1", "ключ-0", "unknown"])

        assert set(found) == {"a-2", "ключ-0"}
        np.testing.assert_allclose(found["a-2"], unit(0, 1), atol=1e-6)
        np.testing.assert_allclose(found["ключ-0"], unit(0, 0, 1), atol=1e-6)
        assert found["a-2"].dtype == np.float32

    async def test_a_key_is_known_as_long_as_one_document_holds_it(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("a", chunks=embedded(unit(1))), entry("b", chunks=embedded(unit(1)))])

        await lore.write(index, [Tombstone("a", 2)])
        assert set(await lore.vectors(index, ["key-0"])) == {"key-0"}

        await lore.write(index, [entry("b", version=2)])
        assert await lore.vectors(index, ["key-0"]) == {}

    async def test_a_vector_of_other_dimensions_is_refused_and_nothing_written(
        self, lore: LoreIndex, index: str
    ) -> None:
        wrong = np.ones(DIMENSIONS + 1, np.float32)

        with pytest.raises(BadInput):
            await lore.write(index, [entry("good", "gate"), entry("bad", "gate", chunks=embedded(wrong))])
        with pytest.raises(BadInput):
            await lore.search(index, Query(vector=wrong))

        assert await lore.versions(index) == {}

    async def test_a_newer_version_replaces_the_whole_document(self, lore: LoreIndex, index: str) -> None:
        tags = {"tags": frozenset({"before"}), "kind": "place", "locale": "en"}
        await lore.write(index, [entry("d", "gate", title="old", chunks=embedded(unit(1), unit(0, 1)), **tags)])
        await lore.write(index, [entry("d", "tower", version=2, chunks=embedded(unit(0, 0, 1)))])

        for forgotten in ("gate", "old"):
            assert keyword_ids(await lore.search(index, Query(terms=(forgotten,)))) == []
        for wanted in (Filter(tags_any=tags["tags"]), Filter(kinds=frozenset({"place"})), Filter(locale="en")):
            result = await lore.search(index, Query(terms=("tower",), vector=unit(1), filter=wanted))
            assert (result.keyword, result.vector) == ((), ())
        result = await lore.search(index, Query(terms=("tower",), vector=unit(1)))
        assert keyword_ids(result) == ["d"]
        assert [(hit.document_id, hit.cosine) for hit in result.vector] == [("d", pytest.approx(0, abs=1e-5))]
        assert result.entries["d"].version == 2

    async def test_an_older_version_is_passed_over(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "tower", version=5)])

        await lore.write(index, [entry("d", "gate", version=4), entry("e", "gate")])

        assert keyword_ids(await lore.search(index, Query(terms=("gate",)))) == ["e"]
        assert await lore.versions(index) == {"d": 5, "e": 1}

    async def test_the_same_version_may_be_written_again(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "gate", version=5)])
        await lore.write(index, [entry("d", "gate", version=5, chunks=embedded(unit(1)))])

        result = await lore.search(index, Query(terms=("gate",), vector=unit(1)))

        assert (keyword_ids(result), vector_ids(result), result.document_count) == (["d"], ["d"], 1)

    async def test_of_two_versions_in_one_write_the_newer_counts(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "new", version=3), entry("d", "old", version=2), Tombstone("d", 1)])

        assert await lore.versions(index) == {"d": 3}
        assert keyword_ids(await lore.search(index, Query(terms=("new", "old")))) == ["d"]
        assert keyword_ids(await lore.search(index, Query(terms=("old",)))) == []

    async def test_a_removed_document_is_not_found_and_has_no_version(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "gate", chunks=embedded(unit(1))), entry("e", "gate")])

        await lore.write(index, [Tombstone("d", 2), Tombstone("never was", 1)])

        result = await lore.search(index, Query(terms=("gate",), vector=unit(1)))
        assert (keyword_ids(result), result.vector) == (["e"], ())
        assert await lore.versions(index) == {"e": 1}
        assert await lore.versions(index, ["d", "e", "never was"]) == {"e": 1}

    async def test_an_older_tombstone_is_passed_over(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "gate", version=3)])

        await lore.write(index, [Tombstone("d", 2)])

        assert keyword_ids(await lore.search(index, Query(terms=("gate",)))) == ["d"]

    async def test_what_is_gone_since_a_version_comes_back_only_with_a_newer_one(
        self, lore: LoreIndex, index: str
    ) -> None:
        await lore.write(index, [entry("d", "gate", version=1), Tombstone("d", 3), Tombstone("early", 3)])

        for late in (2, 3):
            await lore.write(index, [entry("d", "gate", version=late), entry("early", "gate", version=late)])
            assert keyword_ids(await lore.search(index, Query(terms=("gate",)))) == []

        await lore.write(index, [entry("d", "gate", version=4)])
        assert keyword_ids(await lore.search(index, Query(terms=("gate",)))) == ["d"]
        assert await lore.versions(index) == {"d": 4}

    async def test_versions_are_those_of_the_documents_asked_for(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry(f"d{n}", version=n + 1) for n in range(4)])

        assert await lore.versions(index, ["d1", "d3", "d9"]) == {"d1": 2, "d3": 4}
        assert await lore.versions(index, []) == {}
        assert await lore.versions(index) == {"d0": 1, "d1": 2, "d2": 3, "d3": 4}

    async def test_frequencies_count_documents_with_the_term_in_title_or_text(
        self, lore: LoreIndex, index: str
    ) -> None:
        await lore.write(
            index,
            [
                entry("both", "gate gate tower", title="gate"),
                entry("title", "moor", title="gate"),
                entry("text", "gate moor", kind="place"),
                entry("neither", "moor"),
            ],
        )

        wanted = Filter(kinds=frozenset({"place"}))
        result = await lore.search(index, Query(terms=("gate", "moor", "dragon"), filter=wanted))

        assert result.document_frequency == {"gate": 3, "moor": 3, "dragon": 0}
        assert result.document_count == 4

    async def test_replaced_and_removed_documents_are_never_counted(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry(f"d{n}", "gate", title="gate") for n in range(20)])
        for version in range(2, 5):
            await lore.write(index, [entry(f"d{n}", "tower", version=version) for n in range(10)])
        await lore.write(index, [Tombstone(f"d{n}", 2) for n in range(15, 20)])

        result = await lore.search(index, Query(terms=("gate", "tower")))

        assert result.document_frequency == {"gate": 5, "tower": 10}
        assert result.document_count == 15
        assert len(result.keyword) == 15

    async def test_the_generation_grows_with_every_change(self, lore: LoreIndex, index: str) -> None:
        changes: Sequence[LoreEntry | Tombstone] = [
            entry("d", "gate"),
            entry("d", "tower", version=2),
            Tombstone("d", 3),
            entry("d", "gate", version=4),
        ]
        generations = [(await lore.search(index, Query())).generation]
        for change in changes:
            await lore.write(index, [change])
            generations.append((await lore.search(index, Query())).generation)

        assert generations == sorted(set(generations))
        assert (await lore.search(index, Query())).generation == generations[-1]

    @pytest.fixture
    async def filtered(self, lore: LoreIndex, index: str) -> str:
        def document(name: str, kind: str, locale: str, tags: Iterable[str]) -> LoreEntry:
            more = {"kind": kind, "locale": locale, "tags": frozenset(tags), "chunks": embedded(unit(1))}
            return entry(name, "gate", **more)

        await lore.write(
            index,
            [
                document("a", "place", "en", ["town", "open"]),
                document("b", "place", "de", ["town", "quest:done"]),
                document("c", "person", "en", ["open", "Ünïcode tag / with: marks"]),
                document("d", "", "", []),
            ],
        )
        return index

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [
            (Filter(), "abcd"),
            (Filter(tags_any=frozenset({"open"})), "ac"),
            (Filter(tags_any=frozenset({"open", "quest:done"})), "abc"),
            (Filter(tags_all=frozenset({"town"})), "ab"),
            (Filter(tags_all=frozenset({"town", "open"})), "a"),
            (Filter(tags_any=frozenset({"Ünïcode tag / with: marks"})), "c"),
            (Filter(tags_any=frozenset({"tow"})), ""),
            (Filter(tags_any=frozenset({"Town"})), ""),
            (Filter(kinds=frozenset({"place"})), "ab"),
            (Filter(kinds=frozenset({"place", "person"})), "abc"),
            (Filter(locale="en"), "ac"),
            (Filter(document_ids=frozenset({"b", "d", "z"})), "bd"),
            (Filter(document_ids=frozenset({"z"})), ""),
            (Filter(kinds=frozenset({"place"}), locale="en"), "a"),
            (Filter(tags_any=frozenset({"town"}), tags_all=frozenset({"open"}), document_ids=frozenset("ab")), "a"),
            (Filter(any_of=(Filter(locale="de"), Filter(kinds=frozenset({"person"})))), "bc"),
            (Filter(locale="en", any_of=(Filter(locale="de"), Filter(kinds=frozenset({"person"})))), "c"),
            (Filter(any_of=(Filter(tags_all=frozenset({"town", "open"})),)), "a"),
            (Filter(any_of=(Filter(), Filter(locale="xx"))), "abcd"),
            (Filter(any_of=(Filter(any_of=(Filter(locale="de"), Filter(locale="xx"))),)), "b"),
            (
                Filter(
                    locale="en", any_of=(Filter(any_of=(Filter(locale="de"),)), Filter(document_ids=frozenset("c")))
                ),
                "c",
            ),
        ],
    )
    async def test_both_lists_hold_what_the_filter_allows(
        self, lore: LoreIndex, filtered: str, wanted: Filter, expected: str
    ) -> None:
        result = await lore.search(filtered, Query(terms=("gate",), vector=unit(1), filter=wanted))

        assert keyword_ids(result) == vector_ids(result) == list(expected)

    async def test_the_filter_comes_before_the_limit(self, lore: LoreIndex, index: str) -> None:
        best = [entry(f"best-{n:03}", "gate", chunks=embedded(unit(1))) for n in range(100)]
        allowed = entry("z", "gate and many other words", kind="allowed", chunks=embedded(unit(0.1, 1)))
        await lore.write(index, [*best, allowed])

        wanted = Filter(kinds=frozenset({"allowed"}))
        result = await lore.search(index, Query(terms=("gate",), vector=unit(1), filter=wanted, limit=1))

        assert keyword_ids(result) == vector_ids(result) == ["z"]

    async def test_the_filter_does_not_change_the_scores(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("a", "gate moor", kind="place"), entry("b", "gate"), entry("c", "moor")])

        free = await lore.search(index, Query(terms=("gate",)))
        bound = await lore.search(index, Query(terms=("gate",), filter=Filter(kinds=frozenset({"place"}))))

        scores = {hit.document_id: hit.score for hit in free.keyword}
        assert bound.keyword[0].score == pytest.approx(scores["a"], rel=1e-4)

    async def test_indexes_do_not_see_each_other(self, lore: LoreIndex, index: str) -> None:
        await lore.create("other", embedder_id="another", dimensions=2)
        await lore.write(index, [entry("d", "gate", version=7, chunks=embedded(unit(1)))])
        await lore.write("other", [entry("d", "tower", chunks=(Chunk(0, 1, "k", np.array([0, 1], np.float32)),))])

        here = await lore.search(index, Query(terms=("gate", "tower"), vector=unit(1)))
        there = await lore.search("other", Query(terms=("gate", "tower"), vector=np.array([0, 1], np.float32)))

        assert (here.entries["d"].text, there.entries["d"].text) == ("gate", "tower")
        assert (here.document_frequency, here.document_count) == ({"gate": 1, "tower": 0}, 1)
        assert (await lore.versions("other"), await lore.vectors("other", ["key-0"])) == ({"d": 1}, {})

    async def test_creating_an_index_again_leaves_it_as_it_is(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "gate")])

        await lore.create(index, embedder_id="embedder", dimensions=DIMENSIONS)

        assert await lore.versions(index) == {"d": 1}

    async def test_an_index_is_of_one_embedder(self, lore: LoreIndex, index: str) -> None:
        with pytest.raises(ConflictError):
            await lore.create(index, embedder_id="another", dimensions=DIMENSIONS)

    async def test_a_dropped_index_is_not_there(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "gate")])
        await lore.search(index, Query(terms=("gate",)))

        await lore.drop(index)
        await lore.drop(index)

        with pytest.raises(NotFound):
            await lore.search(index, Query(terms=("gate",)))

    async def test_a_dropped_index_may_be_made_anew_with_another_embedder(self, lore: LoreIndex, index: str) -> None:
        await lore.write(index, [entry("d", "gate", version=9, chunks=embedded(unit(1)))])
        await lore.search(index, Query(terms=("gate",)))
        await lore.drop(index)

        await lore.create(index, embedder_id="another", dimensions=2)

        assert (await lore.search(index, Query(terms=("gate",)))).keyword == ()
        await lore.write(index, [entry("d", "tower", chunks=(Chunk(0, 1, "k", np.array([0, 1], np.float32)),))])
        assert vector_ids(await lore.search(index, Query(vector=np.array([0, 1], np.float32)))) == ["d"]
        assert await lore.versions(index) == {"d": 1}

    async def test_an_unknown_index_is_not_found(self, lore: LoreIndex) -> None:
        for call in (
            lore.write("nowhere", [entry("d")]),
            lore.versions("nowhere"),
            lore.versions("nowhere", ["d"]),
            lore.vectors("nowhere", ["k"]),
            lore.search("nowhere", Query(terms=("gate",))),
        ):
            with pytest.raises(NotFound):
                await call

    async def test_ping_returns_while_the_technology_answers(self, lore: LoreIndex) -> None:
        await lore.ping()

    async def test_writers_and_readers_at_once_lose_nothing(self, lore: LoreIndex, index: str) -> None:
        async def write(writer: int) -> None:
            for n in range(10):
                name = f"w{writer}-{n}"
                await lore.write(index, [entry(name, f"gate {name}", chunks=embedded(unit(1)))])
                result = await lore.search(index, Query(terms=(name,), vector=unit(1), limit=100))
                assert keyword_ids(result) == [name]
                assert name in vector_ids(result)
                assert result.document_count == len(result.vector)

        await asyncio.gather(*(write(writer) for writer in range(5)))

        result = await lore.search(index, Query(terms=("gate",), limit=100))
        assert (len(result.keyword), result.document_frequency) == (50, {"gate": 50})

    async def test_of_versions_written_at_once_the_newest_remains(self, lore: LoreIndex, index: str) -> None:
        versions = range(1, 21)
        await asyncio.gather(*(lore.write(index, [entry("d", f"word{v}", version=v)]) for v in versions))

        result = await lore.search(index, Query(terms=tuple(f"word{v}" for v in versions)))

        assert (result.entries["d"].version, result.entries["d"].text) == (20, "word20")
        assert sum(result.document_frequency.values()) == 1
