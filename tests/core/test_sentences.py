"""Sentences in many scripts, whole and as they stream."""

import random

import pytest

from llmops_api.core.sentences import MAX_CHARS, SentenceSplitter, join, spans

WHOLE = {
    "plain": ["The gate closes at dusk.", "Be here before that!", "Will you?"],
    "titles": ["Mr. Hale and Dr. Voss met St. Orla.", "Mrs. Hale did not."],
    "a street at the end": ["She lives on Mill St.", "The door is red."],
    "latin": ["Bring rope, e.g. Hemp or silk, etc.", "Then we go."],
    "numbered": ["See No. 5 on p. 12 of Vol. 3.", "It is short."],
    "no, the answer": ["No.", "I will not."],
    "initials": ["J. R. R. Tolkien came from the U.S. Army base.", "Nobody knew."],
    "a country at the end": ["He was born in the U.S.", "He left young."],
    "decimals": ["It costs 3.5 crowns, or 1,000.50 in silver.", "Version 2.0 is worse."],
    "times": ["We open at 9 a.m. and close at 5 p.m.", "The cellar stays shut."],
    "a list in one line": ["1. Take the key.", "2. Open the gate."],
    "ellipsis inside": ["Well... I am not sure.", "He was... strange… very strange."],
    "ellipsis at the end": ["I thought so...", "Never mind.", "So it ends…", "Farewell."],
    "runs": ["What?!", "No!!", "You did WHAT?..", "Oh!"],
    "quotations": ['"Stop!" he said.', '"Why?"', "“Go home.”", "She left.", "(Not now.)", "Later."],
    "an address": ["Write to ash.tower@keep.example or see keep.example/maps.", "Soon."],
    "unknown abbreviation": ["He owns approx. five acres resp. six fields."],
    "single word": ["Hello"],
    "spanish": ["¿Qué quieres?", "¡Vete!", "El Sr. Ramos no está.", "Vuelve mañana..."],
    "french": ["Vraiment ?", "Oui !", "M. Lenoir est « absent ».", "Tant pis."],
    "german": ["Das kostet z.B. Zeit.", "Herr Dr. Weiß weiß es."],
    "russian": ["Я не знаю.", "А. С. Пушкин писал, т.е. сочинял.", "«Стой!»", "Кто идёт?"],
    "arabic": ["هل أنت هنا؟", "نعم.", "أنا الحارس!"],
    "urdu": ["تم یہاں ہو۔", "دروازہ بند ہے۔"],
    "hindi": ["वह गया।", "फिर आया॥", "ठीक है।"],
    "korean": ["안녕하세요.", "저는 경비병입니다.", "누구세요?"],
    "smileys": ["Welcome!", "😀 Sit down.", "Eat."],
}
FULL_WIDTH = {
    "japanese": ["門は夕暮れに閉まる。", "急げ！", "聞こえたか？"],
    "japanese quotation that goes on": ["「ついて来い。」と彼は言った。", "誰も動かない。"],
    "japanese dialogue": ["「本当に！？」", "「ああ。」", "『影の書』を読め。"],
    "japanese pause": ["そうか……わかった。", "まさか……！", "「嘘だ……」", "「本当だ。」"],
    "chinese": ["你好！", "我是守卫。", "你要去哪里？", "“走吧。”", "他笑了。"],
}


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


def streamed(deltas: list[str]) -> list[str]:
    splitter = SentenceSplitter()
    return [sentence for delta in deltas for sentence in splitter.feed(delta)] + splitter.flush()


@pytest.mark.parametrize("sentences", WHOLE.values(), ids=WHOLE)
def test_sentences_with_spaces_between(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == sentences


@pytest.mark.parametrize("sentences", FULL_WIDTH.values(), ids=FULL_WIDTH)
def test_full_width_sentences_stand_side_by_side(sentences: list[str]) -> None:
    assert split("".join(sentences)) == sentences


@pytest.mark.parametrize("sentences", [*WHOLE.values(), *FULL_WIDTH.values()], ids=[*WHOLE, *FULL_WIDTH])
def test_one_character_at_a_time_gives_the_same(sentences: list[str]) -> None:
    text = join(sentences)

    assert streamed(list(text)) == split(text)


def test_joined_sentences_are_the_text_again() -> None:
    for sentences in WHOLE.values():
        text = " ".join(sentences)
        assert join(split(text)) == text
    for sentences in FULL_WIDTH.values():
        text = "".join(sentences)
        assert join(split(text)) == text


def test_a_new_line_is_always_a_border() -> None:
    assert split("# The Ash Tower\n\nIt burned\nthrice. Mr.\nHale saw it\u2028twice") == [
        "# The Ash Tower",
        "It burned",
        "thrice.",
        "Mr.",
        "Hale saw it",
        "twice",
    ]


@pytest.mark.parametrize(
    ("text", "ready"),
    [
        ("The gate is shut. C", ["The gate is shut."]),
        ("The gate is shut! ", ["The gate is shut!"]),
        ("The gate is shut.", []),
        ("The gate is shut. ", []),
        ("The gate is shut.\n", ["The gate is shut."]),
        ("Mr. H", []),
        ("It costs 3.", []),
        ("It costs 3.5", []),
        ("Born in the U.S. The", []),
        ("Born in the U.S. The ", ["Born in the U.S."]),
        ("Well... I", []),
        ("Well... You ", ["Well..."]),
        ("門は閉まる。急", ["門は閉まる。"]),
        ("門は閉まる。", []),
        ('"Stop!" h', []),
        ('"Stop!" H', ['"Stop!"']),
    ],
)
def test_a_sentence_goes_out_as_soon_as_it_is_certain(text: str, ready: list[str]) -> None:
    assert SentenceSplitter().feed(text) == ready


def test_a_run_on_is_cut_at_a_comma() -> None:
    text = "and then, " + "we walked on " * 11 + "past the mill, " + "over the hill " * 20

    first, second, *_ = split(text)

    assert first.endswith("past the mill,")
    assert second.startswith("over the hill")


def test_a_run_on_without_a_comma_is_cut_at_a_space_and_without_a_space_anywhere() -> None:
    assert split("stone " * 60)[0] == ("stone " * 46).rstrip()
    assert [len(part) for part in split("x" * 700)] == [MAX_CHARS, MAX_CHARS, 140]


def test_nothing_gives_nothing() -> None:
    assert split("") == split(" \n\t ") == streamed([]) == streamed(["", " ", ""]) == []


@pytest.mark.parametrize("seed", range(40))
def test_any_chunking_gives_the_same_and_only_white_space_lies_between(seed: int) -> None:
    """Over texts of pieces that meet in every way, cut into deltas at random."""
    chance = random.Random(seed)  # noqa: S311 - chance for a test, not for a secret
    pieces = [
        *" \n.…?!\"'”)»*—,1aZ。！？」「、と؟۔।",
        "...",
        "Mr.",
        "U.S.",
        "No.",
        " I ",
        "word ",
        "Then ",
        "е.",
        "夜",
        "p.m. ",
    ]
    text = "".join(chance.choices(pieces, k=chance.choice([12, 60, 400])))
    deltas, rest = [], text
    while rest:
        size = chance.choice([1, 1, 2, 5, 40])
        deltas.append(rest[:size])
        rest = rest[size:]

    found = spans(text)

    assert streamed(deltas) == split(text)
    edges = [0, *(edge for span in found for edge in span), len(text)]
    assert edges == sorted(edges)
    assert not "".join(text[end:start] for end, start in zip(edges[::2], edges[1::2], strict=True)).strip()
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in found)
    assert all(len(text[start:end]) <= MAX_CHARS + 60 for start, end in found)
