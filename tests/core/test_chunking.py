"""Long texts in pieces."""

from itertools import product

import pytest

from llmops_api.core.chunking import split

SENTENCE = "The gate is shut at nine, and nobody who comes later is let in without a good reason. "
ALPHABET = "ab c.\n\t é\u0301字。！？ 👩\u200d🚀,;:—\r\u2028"


def texts() -> list[str]:
    """Every three characters beside each other in some text, long runs of blanks and of ink among them."""
    triples = ["".join(each) for each in product(ALPHABET, repeat=3)]
    return ["".join(triples[start :: len(ALPHABET)]) for start in range(len(ALPHABET))] + [
        triples[i] * 40 for i in range(0, len(triples), 29)
    ]


@pytest.mark.parametrize("max_chars", [1, 2, 7, 40, 900])
def test_chunks_hold_everything_but_the_blanks_between_them(max_chars: int) -> None:
    """In order, without overlap, none too long, none blank at an edge, and nothing that can be read is left out."""
    for text in texts():
        chunks = split(text, max_chars)
        place = 0
        for start, end in chunks:
            assert place <= start < end <= start + max_chars
            assert not text[place:start].strip()
            assert text[start:end] == text[start:end].strip()
            place = end
        assert not text[place:].strip()


@pytest.mark.parametrize("text", ["", " ", "\n\n \t\n"])
def test_a_blank_text_has_no_chunks(text: str) -> None:
    """There is nothing to embed in it."""
    assert split(text) == []


def test_a_short_text_is_one_chunk() -> None:
    """What fits is not cut, whatever it holds; the blanks around it stay outside."""
    assert split("\n One.\n\nTwo. \n") == [(2, 12)]


def test_paragraphs_are_cut_before_sentences_and_sentences_before_words() -> None:
    """The best break in the second half of a chunk is taken."""
    paragraphs = f"{SENTENCE * 3}\n\n{SENTENCE * 3}"
    assert [paragraphs[start:end] for start, end in split(paragraphs, 400)] == [(SENTENCE * 3).strip()] * 2
    sentences = SENTENCE * 9
    assert all(sentences[start:end].endswith("reason.") for start, end in split(sentences, 200))
    words = "word " * 100
    assert all(words[start:end].split(" ") == ["word"] * 8 for start, end in split(words, 40)[:-1])


def test_a_heading_is_no_chunk_of_its_own() -> None:
    """A break in the first half of a chunk is passed over: small pieces say little."""
    text = f"The Ember Gate\n\n{SENTENCE * 20}"
    assert all(end - start > 200 for start, end in split(text, 400)[:-1])


def test_sentences_of_chinese_and_japanese_end_without_a_blank() -> None:
    """The full stop of those scripts is a break by itself."""
    text = "門は九時に閉まる。" * 30
    assert all(text[start:end].endswith("。") for start, end in split(text, 50))


def test_a_letter_keeps_its_accents_and_a_joined_emoji_its_parts() -> None:
    """A cut that must fall inside a word falls between characters as a reader counts them."""
    for character in ("e\u0301\u0323", "👩\u200d🚀"):
        text = character * 60
        assert all((end - start) % len(character) == 0 for start, end in split(text, 20))


def test_what_has_no_end_of_a_character_is_cut_all_the_same() -> None:
    """Thousands of marks on one letter do not stop the cutting."""
    assert sum(end - start for start, end in split("a" + "\u0301" * 5000, 100)) == 5001


def test_a_chunk_of_nothing_is_refused() -> None:
    """A limit below one character cannot be kept."""
    with pytest.raises(ValueError, match="at least 1"):
        split("text", 0)
