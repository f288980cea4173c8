"""Two lists and what stands in the documents, fused."""

from dataclasses import replace
from math import log

import pytest

from llmops_api.core.ranking import Ranked, rank, term_weights
from llmops_api.core.terms import analyse, content_terms
from llmops_api.ports.lore_index import Chunk, KeywordHit, LoreEntry, SearchResult, VectorHit

FILLER = "Somebody walked along the quay and counted the barrels. " * 12


def an_entry(document_id: str, title: str, text: str, chunks: tuple[Chunk, ...] = ()) -> LoreEntry:
    return LoreEntry(
        document_id=document_id,
        version=1,
        title=title,
        text=text,
        locale="en",
        title_terms=analyse(title, "en"),
        text_terms=analyse(f"{title}\n{text}", "en"),
        chunks=chunks or (Chunk(0, len(text)),),
    )


def a_result(
    question: str,
    entries: list[LoreEntry],
    *,
    keyword: list[str] | None = None,
    cosines: dict[str, float] | None = None,
    rare: int = 3,
) -> SearchResult:
    """Every term of the question stands in `rare` of 500 documents; no `keyword` means no search by words."""
    terms = content_terms(question, "en") if keyword is not None else ()
    best_first = sorted((cosines or {}).items(), key=lambda item: -item[1])
    return SearchResult(
        keyword=tuple(KeywordHit(each, 9.0 - i) for i, each in enumerate(keyword or [])),
        vector=tuple(VectorHit(each, cosine, 0) for each, cosine in best_first),
        entries={each.document_id: each for each in entries},
        document_count=500,
        document_frequency=dict.fromkeys(terms, rare),
    )


def order(ranked: list[Ranked]) -> list[str]:
    return [each.document_id for each in ranked]


def test_a_document_that_the_question_names_stands_first() -> None:
    """A title whose every word is in the question beats one that the vectors like a little better."""
    question = "How old is the red dragon?"
    entries = [an_entry("dragon", "Red Dragon", FILLER), an_entry("mask", "Red Dragon Mask of the Old King", FILLER)]
    result = a_result(question, entries, keyword=["mask", "dragon"], cosines={"mask": 0.62, "dragon": 0.6, "far": 0.2})
    result = replace(result, entries={**result.entries, "far": an_entry("far", "Quay", FILLER)})
    assert order(rank("en", result))[:2] == ["dragon", "mask"]


def test_a_description_is_found_by_its_meaning_although_another_title_shares_a_word() -> None:
    """One word of a long title is weak evidence against a clearly nearer vector."""
    question = "Which monk catches an arrow and throws it back?"
    entries = [
        an_entry("deflect", "Deflect Missiles", f"The monk can catch the missile and throw it back. {FILLER}"),
        an_entry("shield", "Arrow-Catching Shield of the Northern Kings", FILLER),
        an_entry("other", "Quay", FILLER),
    ]
    cosines = {"deflect": 0.55, "shield": 0.35, "other": 0.1}
    result = a_result(question, entries, keyword=["shield", "deflect"], cosines=cosines)
    assert order(rank("en", result))[0] == "deflect"


def test_words_that_stand_together_beat_words_that_are_strewn_about() -> None:
    """The text is longer and the words are the same, but a few sentences that hold them all are an answer."""
    question = "silver key crypt"
    together = an_entry("together", "One", f"{FILLER} The silver key of the crypt. {FILLER * 2}")
    strewn = an_entry("strewn", "Two", f"A silver bell. {FILLER} A key. {FILLER} A crypt.")
    result = a_result(question, [together, strewn], keyword=["strewn", "together"])
    ranked = rank("en", result)
    assert order(ranked) == ["together", "strewn"]
    assert ranked[0].evidence.coverage == pytest.approx(1)
    assert ranked[1].evidence.coverage == pytest.approx(1 / 3)


def test_rare_words_weigh_more_than_common_ones() -> None:
    """Weights follow BM25's idf and add up to one."""
    result = SearchResult(document_count=100, document_frequency={"dragon": 1, "creature": 60})
    weights = term_weights(result)
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["dragon"] / weights["creature"] == pytest.approx(log(1 + 99.5 / 1.5) / log(1 + 40.5 / 60.5))


@pytest.mark.parametrize("typed", ["gelaitnous", "gelatnous", "gelatiinous", "gelatonous", "gelatinous"])
def test_a_slip_of_the_finger_still_names_a_title(typed: str) -> None:
    """One letter too many, too few, another, or two exchanged."""
    entries = [an_entry("cube", "Gelatinous Cube", FILLER), an_entry("ice", "Ice Cube", FILLER)]
    question = f"How fast is the {typed} cube?"
    result = a_result(question, entries, keyword=["ice", "cube"], cosines={"ice": 0.5, "cube": 0.5})
    rare = {term: 2 if term in entries[0].text_terms else 0 for term in content_terms(question, "en")}
    result = replace(result, document_frequency=rare)
    assert order(rank("en", result))[0] == "cube"


@pytest.mark.parametrize("word", ["glatonus", "elatinous", "cuba", "gelatinousness"])
def test_a_word_that_is_merely_similar_names_nothing(word: str) -> None:
    """Two slips, another first letter, or a short word are another word."""
    entry = an_entry("cube", "Gelatinous Cube", FILLER)
    result = replace(a_result(word, [entry], cosines={"cube": 0.5}), document_frequency={word: 0})
    assert rank("en", result)[0].evidence.title == 0


def test_without_vectors_words_alone_decide() -> None:
    """Ranks and cosines of the side that is not there are None, and its share is nothing."""
    question = "silver key"
    entries = [an_entry("key", "Silver Key", FILLER), an_entry("bell", "Bell", f"A silver bell. {FILLER}")]
    ranked = rank("en", a_result(question, entries, keyword=["bell", "key"]))
    assert order(ranked) == ["key", "bell"]
    assert [(each.keyword_rank, each.vector_rank, each.cosine) for each in ranked] == [(2, None, None), (1, None, None)]
    assert all(each.evidence.nearness == 0 for each in ranked)


def test_without_terms_vectors_alone_decide() -> None:
    """A search by vectors keeps the order of its cosines."""
    entries = [an_entry(each, each, FILLER) for each in ("a", "b", "c")]
    ranked = rank("en", a_result("silver key", entries, cosines={"b": 0.7, "c": 0.5, "a": 0.2}))
    assert order(ranked) == ["b", "c", "a"]
    assert [each.vector_rank for each in ranked] == [1, 2, 3]


def test_the_scale_of_an_embedder_does_not_matter() -> None:
    """Cosines between .8 and .9 rank as those between .2 and .7 do."""
    question = "silver key"
    entries = [an_entry("a", "Key", FILLER), an_entry("b", "Bell", FILLER), an_entry("c", "Quay", FILLER)]
    wide = a_result(question, entries, keyword=["a"], cosines={"b": 0.7, "a": 0.6, "c": 0.2})
    narrow = a_result(question, entries, keyword=["a"], cosines={"b": 0.9, "a": 0.88, "c": 0.8})
    one, other = rank("en", wide), rank("en", narrow)
    assert [each.fused for each in one] == pytest.approx([each.fused for each in other])


def test_the_best_chunk_is_that_of_the_vector_or_the_one_with_most_of_the_words() -> None:
    """A vector hit names its chunk; a document found by words alone shows where they stand."""
    text = f"{FILLER}The silver key opens the crypt."
    cut = len(FILLER)
    entry = an_entry("key", "Things", text, (Chunk(0, cut), Chunk(cut, len(text))))
    question = "silver key crypt"
    assert rank("en", a_result(question, [entry], keyword=["key"]))[0].chunk == 1
    assert rank("en", a_result(question, [entry], keyword=["key"], cosines={"key": 0.5}))[0].chunk == 0


def test_nothing_found_is_nothing_ranked() -> None:
    """An empty result, a question of stop words and an empty index are no errors."""
    assert rank("en", SearchResult()) == []
    assert rank("en", SearchResult(document_count=3, document_frequency={"dragon": 0})) == []


def test_every_share_lies_between_nothing_and_all() -> None:
    """Repeats, titles without words and empty texts do not leave the scale."""
    question = "silver silver key of the crypt"
    entries = [
        an_entry("a", "Silver Key Crypt", "silver key crypt " * 50),
        an_entry("b", "…", ""),
        an_entry("c", "The", "crypt"),
    ]
    result = a_result(question, entries, keyword=["a", "c", "b"], cosines={"a": 1.0, "b": -0.3, "c": 0.0}, rare=0)
    for each in rank("en", result):
        found = each.evidence
        assert all(0 <= share <= 1 for share in (found.nearness, found.coverage, found.frequency, found.title))
