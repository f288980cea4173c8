"""Citations: whatever an answer stands on, in the lore's own words."""

import pytest

from llmops_api.core.citations import Citation, cite
from llmops_api.core.retrieval import LoreHit

GATE = "The Ember Gate closes at nine in the evening. Walkers pay nothing. Carts pay two clinks a wheel."
BELL = "The Drowned Bell rang last in the year 98. Nobody has rung it since."


def _hit(document_id: str, text: str) -> LoreHit:
    return LoreHit(document_id, document_id.title(), text, "", frozenset(), 0.5, 1, None, None)


HITS = (_hit("gate", GATE), _hit("bell", BELL))


def _cited(answer: str, locale: str = "en") -> dict[str, str]:
    """The quotes by document."""
    return {each.document_id: each.quote for each in cite(answer, HITS, locale)}


def test_a_sentence_that_repeats_the_lore_cites_it() -> None:
    (citation,) = cite("The Ember Gate closes at nine in the evening.", HITS, "en")

    assert citation == Citation("gate", "Gate", "The Ember Gate closes at nine in the evening.", 1.0)


def test_a_paraphrase_cites_the_sentence_that_it_stands_on() -> None:
    """Names and numbers suffice; the quote is the document's, not the answer's."""
    assert _cited("You pay two clinks for each wheel of your carts.") == {"gate": "Carts pay two clinks a wheel."}


def test_one_word_in_common_of_several_proves_nothing() -> None:
    """Though it weighs more than the rest of the lore's short sentence."""
    assert _cited("Dragons and walkers dance.") == {}


def test_an_answer_of_one_word_may_stand_on_that_word() -> None:
    assert _cited("Nine.") == {"gate": "The Ember Gate closes at nine in the evening."}


def test_stop_words_in_common_prove_nothing() -> None:
    assert _cited("It is in the house of the mayor, at the end of the road.") == {}


def test_an_answer_from_elsewhere_cites_nothing() -> None:
    assert _cited("Leonardo painted the Mona Lisa.") == {}


@pytest.mark.parametrize("answer", ["", "The of and."])
def test_an_answer_that_says_nothing_cites_nothing(answer: str) -> None:
    assert cite(answer, HITS, "en") == ()


def test_an_answer_without_lore_cites_nothing() -> None:
    assert cite("The Ember Gate closes at nine.", (), "en") == ()


def test_of_a_document_the_sentence_that_is_repeated_most_is_cited() -> None:
    """One citation a document, the best of all sentences of the answer."""
    answer = "The gate closes some time in the evening. Carts pay two clinks a wheel."

    assert _cited(answer) == {"gate": "Carts pay two clinks a wheel."}


def test_the_best_document_comes_first() -> None:
    answer = "Carts pay two clinks at the gate in the evening. The Drowned Bell rang last in the year 98."
    citations = cite(answer, HITS, "en")

    assert [each.document_id for each in citations] == ["bell", "gate"]
    assert citations[0].score > citations[1].score


def test_words_are_compared_in_the_language_of_the_answer() -> None:
    """The stems of one language are not those of another."""
    hits = (_hit("campana", "Las campanas suenan bajo los ríos."),)

    assert [each.quote for each in cite("La campana suena bajo el río.", hits, "es")] == [hits[0].text]
    assert cite("La campana suena bajo el río.", hits, "de") == ()
