"""Text as terms."""

import pytest

from llmops_api.core.terms import analyse, content_terms, language_of


@pytest.mark.parametrize(
    ("one", "other", "locale"),
    [
        ("The DRAGON's hoard", "the dragons’ hoards", "en"),
        ("naïve Ｗizard", "naive wizard", "en"),
        ("Kael'thas", "Kaelthas", "en"),
        ("half-elf", "half elf", "en"),
        ("will-o’-the-wisp", "will o' the wisp", "en"),
        ("drag\u200bon", "dragon", "en"),
        ("e\u0301lan", "élan", "fr"),
        ("l'épée", "epee", "fr"),
        ("Bäume", "Baum", "de"),
        ("canción", "cancion", "es"),
        ("Ёлка", "елка", "ru"),
        ("Straße", "STRASSE", "de"),
        ("ﬁre", "fire", "en"),
        ("Ångström Øre Łódź", "angstrom ore lodz", "en"),
        ("كِتَاب", "كتاب", "ar"),
    ],
)
def test_what_reads_alike_is_the_same_terms(one: str, other: str, locale: str) -> None:
    """Case, accents, width, apostrophes, hyphens and invisible characters make no other term."""
    assert analyse(one, locale) == analyse(other, locale)


def test_terms_keep_their_order_and_their_repeats() -> None:
    """An index counts how often a term stands in a text."""
    assert analyse("Fire, fire! The 2d6 fires.", "en") == ("fire", "fire", "the", "2d6", "fire")


def test_words_are_stemmed_only_in_the_language_of_the_locale() -> None:
    """A locale without a language, or with one that nobody can stem, leaves words as they are."""
    assert analyse("dragons", "en-GB") == ("dragon",)
    assert analyse("dragons", "") == analyse("dragons", "tlh") == ("dragons",)


@pytest.mark.parametrize(
    ("text", "locale", "terms"),
    [
        ("竜の王", "ja", ("竜の", "の王")),
        ("火", "zh", ("火",)),
        ("용의 왕", "ko", ("용의", "왕")),
        ("ไฟ", "th", ("ไฟ",)),
        ("火の Sword 2本", "ja", ("火の", "sword", "2", "本")),
    ],
)
def test_scripts_without_spaces_give_pairs_of_characters(text: str, locale: str, terms: tuple[str, ...]) -> None:
    """A lone character stands for itself, and other scripts in the same text are words as ever."""
    assert analyse(text, locale) == terms


def test_vowel_signs_of_indian_scripts_stay_in_their_words() -> None:
    """Marks that are letters in their script neither vanish nor cut a word in two."""
    assert len(analyse("हिन्दी भाषा", "hi")) == 2


@pytest.mark.parametrize("text", ["", " \n\t", "?!… —", "\u200b\u200b", "🙂"])
def test_nothing_to_find_is_no_terms(text: str) -> None:
    """Blanks, punctuation and pictures are found by nobody."""
    assert analyse(text, "en") == content_terms(text, "en") == ()


@pytest.mark.parametrize(
    "question",
    [
        "Red dragon",
        "What is the red dragon?",
        "Tell me about the red dragons!",
        "Have you ever heard anything about a Red Dragon?",
        "good evening, what do you know about the red dragon's red dragon",
        "Could you please explain to me what a red dragon is",
        "I'm curious about the red dragon",
        "Is it called the Red Dragon?",
    ],
)
def test_content_terms_are_what_a_question_is_about(question: str) -> None:
    """Stop words and the frame of a question fall away, and each term stays once."""
    assert content_terms(question, "en") == analyse("red dragon", "en")


@pytest.mark.parametrize(
    ("question", "about", "locale"),
    [
        ("Erzähl mir etwas über den roten Drachen", "roten Drachen", "de"),
        ("Qu'est-ce que c'est que l'épée du roi ?", "épée roi", "fr"),
        ("¿Quién es el rey de la montaña?", "rey montaña", "es"),
        ("Кто такой король горы?", "король горы", "ru"),
        ("火竜について教えてください", "火竜", "ja"),
    ],
)
def test_other_languages_have_stop_words_of_their_own(question: str, about: str, locale: str) -> None:
    """What is left of a question is what it is about in that language."""
    assert set(analyse(about, locale)) >= set(content_terms(question, locale)) > set()


def test_a_word_that_frames_one_question_may_be_what_another_is_about() -> None:
    """Only whole frames are taken away, not their words wherever they stand."""
    assert content_terms("Can the golem speak or hear?", "en") == analyse("golem speak hear", "en")
    assert content_terms("How does the Wish spell work?", "en")[:2] == analyse("wish spell", "en")


@pytest.mark.parametrize("locale", ["pt-BR", "pt_BR", "PT", "pt"])
def test_a_locale_names_its_language(locale: str) -> None:
    """Region, script and case do not change the language."""
    assert language_of(locale) == "pt"
