"""Whether the lore holds an answer."""

from dataclasses import replace

import pytest

from llmops_api.core.gate import DEFAULT_THRESHOLD, Calibration, Sample, Verdict, calibrate, judge
from llmops_api.core.ranking import rank
from llmops_api.core.terms import analyse, content_terms
from llmops_api.ports.lore_index import Chunk, KeywordHit, LoreEntry, SearchResult, VectorHit

TEXT = "The Ember Gate shuts at nine in the evening. Carts pay two clinks a wheel, and walkers nothing at all."
ENTRY = LoreEntry(
    document_id="gate",
    version=1,
    title="The Ember Gate",
    text=TEXT,
    locale="en",
    title_terms=analyse("The Ember Gate", "en"),
    text_terms=analyse(f"The Ember Gate\n{TEXT}", "en"),
    chunks=(Chunk(0, len(TEXT)),),
)


def verdict(
    question: str, *, cosine: float | None = None, locale: str = "en", count: int = 200, threshold: float | None = None
) -> Verdict:
    """The verdict in a world of `count` documents, of which this one is found."""
    terms = content_terms(question, locale)
    result = SearchResult(
        keyword=(KeywordHit("gate", 3.0),) if set(terms) & set(ENTRY.text_terms) else (),
        vector=() if cosine is None else (VectorHit("gate", cosine, 0),),
        entries={"gate": ENTRY},
        document_count=count,
        document_frequency={term: 2 if term in ENTRY.text_terms else 0 for term in terms},
    )
    return judge(question, locale, result, rank(locale, result), threshold=threshold)


@pytest.mark.parametrize("cosine", [0.6, None])
def test_a_question_whose_words_stand_together_in_the_lore_is_let_through(cosine: float | None) -> None:
    """With vectors and without."""
    assert verdict("When does the Ember Gate shut in the evening?", cosine=cosine).in_lore


@pytest.mark.parametrize("cosine", [0.2, None])
def test_a_famous_question_is_refused(cosine: float | None) -> None:
    """Its words stand nowhere, and nothing is near."""
    answer = verdict("Who painted the Mona Lisa?", cosine=cosine)
    assert not answer.in_lore
    assert answer.unknown == pytest.approx(1)
    assert answer.unknown_name


def test_a_description_in_other_words_is_let_through_by_its_meaning() -> None:
    """A high cosine makes up for words that the lore does not use."""
    assert verdict("What does it cost to bring carts into town?", cosine=0.62).in_lore
    assert not verdict("What does it cost to bring carts into town?", cosine=0.2).in_lore


def test_an_unknown_name_weighs_more_than_an_unknown_word() -> None:
    """A capital inside a sentence makes a name, where the language keeps capitals for names."""
    name, word = (
        verdict("Does the gate of Gondor shut?", cosine=0.5),
        verdict("Does the gate of gondor shut?", cosine=0.5),
    )
    assert name.unknown == pytest.approx(word.unknown)
    assert name.score < word.score
    assert not verdict("Gondor shut the gate?", cosine=0.5).unknown_name
    assert not verdict("Hello. Gondor?", cosine=0.5).unknown_name
    assert not verdict("DOES THE GATE OF GONDOR SHUT?", cosine=0.5).unknown_name
    assert not verdict("Wann schließt das Tor von Gondor?", cosine=0.5, locale="de").unknown_name


def test_a_slip_of_the_finger_is_no_unknown_word() -> None:
    """A misspelt name is taken for the one that it resembles; one that resembles none stays unknown."""
    assert verdict("When does the Emmber Gate shut?", cosine=0.5).unknown == 0
    assert verdict("When does the Timber Gate shut?", cosine=0.5).unknown > 0


def test_the_larger_the_world_the_nearer_the_best_must_be() -> None:
    """The best of many unrelated documents is nearer by chance; beyond what was measured nothing is assumed."""
    scores = [verdict("When is the gate shut?", cosine=0.4, count=count).score for count in (64, 500, 2000)]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3
    assert verdict("When is the gate shut?", cosine=0.4, count=2).score == scores[0]
    assert verdict("When is the gate shut?", cosine=0.4, count=10**6).score == scores[-1]


def test_a_world_may_have_a_threshold_of_its_own() -> None:
    """The score is the same, the verdict another; a threshold of nothing refuses nothing."""
    usual = verdict("When is the gate shut?", cosine=0.45)
    assert verdict("When is the gate shut?", cosine=0.45, threshold=usual.score) == replace(usual, in_lore=True)
    assert not verdict("When is the gate shut?", cosine=0.45, threshold=1.0).in_lore
    assert verdict("Who painted the Mona Lisa?", cosine=0.0, threshold=0.0).in_lore
    assert usual.in_lore is (usual.score >= DEFAULT_THRESHOLD)


def test_an_empty_world_holds_no_answer() -> None:
    """Nothing found is scored nothing."""
    answer = judge("When is the gate shut?", "en", SearchResult(), [])
    assert (answer.in_lore, answer.score, answer.cosine) == (False, 0.0, None)


def samples(answered: list[float], others: list[float]) -> list[Sample]:
    return [Sample(score, answered=True) for score in answered] + [Sample(score, answered=False) for score in others]


def test_calibration_stands_in_the_middle_of_a_gap() -> None:
    """Where every answerable question scores higher than every other, both sides get the same room."""
    chosen = calibrate(samples([0.6, 0.8, 0.9], [0.1, 0.3, 0.4])).chosen
    assert (chosen.threshold, chosen.false_refusals, chosen.refusals) == (pytest.approx(0.5), 0.0, 1.0)


def test_calibration_keeps_to_the_rate_that_is_wanted() -> None:
    """It refuses as many as it can without refusing more of the answerable ones than it may."""
    mixed = samples([i / 100 for i in range(1, 101)], [0.055, 0.105, 0.305, 0.5])
    strict, lenient = calibrate(mixed, false_refusals=0.0).chosen, calibrate(mixed, false_refusals=0.1).chosen
    assert (strict.false_refusals, strict.refusals) == (0.0, 0.0)
    assert (lenient.false_refusals, lenient.refusals) == (pytest.approx(0.1), 0.5)


def test_calibration_reports_what_other_thresholds_would_do() -> None:
    """The table goes from the most lenient to the strictest; more of both kinds are refused on the way."""
    report: Calibration = calibrate(samples([0.2, 0.5, 0.6, 0.7, 0.8], [0.1, 0.3, 0.55]), false_refusals=0.25)
    assert report.chosen in report.table
    assert [row.refusals for row in report.table] == sorted(row.refusals for row in report.table)
    assert [row.false_refusals for row in report.table] == sorted(row.false_refusals for row in report.table)


@pytest.mark.parametrize("lacking", [samples([0.5], []), samples([], [0.5]), []])
def test_calibration_needs_both_kinds_of_questions(lacking: list[Sample]) -> None:
    """With one kind only, any threshold would look perfect."""
    with pytest.raises(ValueError, match="needs questions"):
        calibrate(lacking)
