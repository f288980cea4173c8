"""What the scripted stand-in says: a quote from the lore of its prompt, in the manner of the prompt's character.

It reads the marks of our own prompts: `<lore>` with `<document title="...">`, `<character name="...">` with
`<greeting>` and `<example_dialogue>`, `<question>`, `<player_line>`. What stands inside them is escaped, so that data
cannot pass for a mark.
"""

import html
import math
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmops_api.core.questions import asks_for_fact
from llmops_api.core.sentences import join, spans
from llmops_api.core.stop_words import STOP_WORDS
from llmops_api.core.terms import analyse, content_terms, fold
from llmops_api.ports.chat import Message, Role

STAND_IN = "This is the scripted stand-in, no language model."
_SCRIPTS = {
    "ja": re.compile("[\u3041-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7af]"),
    "zh": re.compile("[\u4e00-\u9fff]"),
    "ar": re.compile("[\u0620-\u064a]"),
}
"""The first whose letters stand in a question is its language."""

_HAN = re.compile("[\u4e00-\u9fff]")
"""A word may be one character; the terms of keyword search are pairs."""

_LONGEST_OPENING = 60
_LATER = 0.1
_FITTING = 1.5
_ASKS_QUANTITY = re.compile(r"(when|how (many|much|old|long|far|often|high|deep))\b", re.IGNORECASE)
_QUANTITY = re.compile(
    r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred|thousand|noon|midnight|"
    r"dawn|dusk|morning|evening|spring|summer|autumn|winter)\b",
    re.IGNORECASE,
)
_STAGE_DIRECTION = re.compile(r"\*[^*\n]*\*")


def answer(messages: Sequence[Message]) -> str:
    """The same for the same messages, always."""
    said = next((message.text for message in reversed(messages) if message.role is Role.USER), "")
    prompt = "\n".join([*(message.text for message in messages if message.role is Role.SYSTEM), said])
    documents = [document for lore in _elements(prompt, "lore") for document in _elements(lore.inner, "document")]
    question = _question(said)
    locale = _locale(question)
    quote = _quote(question, documents, locale) if asks_for_fact(question, locale, "") else ""
    characters = _elements(prompt, "character")
    if characters:
        return _in_character(characters[0], quote, seed=zlib.crc32(question.encode()) + len(messages))
    if documents:
        return f"{STAND_IN} The lore says: {quote or ''.join(_sentences(documents[0].text)[:1])}"
    words = len(prompt.split())
    return f"{STAND_IN} It was given {words} {'word' if words == 1 else 'words'} and no lore to quote."


@dataclass(frozen=True, slots=True)
class _Element:
    attributes: str
    inner: str

    @property
    def text(self) -> str:
        return html.unescape(self.inner).strip()

    def attribute(self, name: str) -> str:
        return html.unescape(self.attributes.partition(f'{name}="')[2].partition('"')[0])


def _elements(text: str, name: str) -> list[_Element]:
    """Each `<name ...>inner</name>`, none inside another; a scan that stays linear on text that never closes them."""
    *closed, _ = text.split(f"</{name}>")
    heads = (piece.partition(f"<{name}")[2].partition(">") for piece in closed)
    return [_Element(attributes, inner) for attributes, closes, inner in heads if closes]


def _question(said: str) -> str:
    """The last user message without the lore and the facts that came with it."""
    marked = [*_elements(said, "question"), *_elements(said, "player_line")]
    return marked[-1].text if marked else said.rpartition("</lore>")[2].strip()


def _locale(question: str) -> str:
    """By its script, else by its little words; English in doubt."""
    for language, letter in _SCRIPTS.items():
        if letter.search(question):
            return language
    words = re.findall(r"[^\W\d_]+", fold(question))
    return max(["en", *STOP_WORDS], key=lambda language: sum(word in STOP_WORDS[language] for word in words))


def _sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in spans(text)]


def _quote(question: str, documents: Sequence[_Element], locale: str) -> str:
    """The sentence that, with its document's title, shares most with the question, rare words counting for more.

    The first documents are the likelier ones; a question after a number or a time wants a sentence with one.
    """
    wanted = {*content_terms(question, locale), *_HAN.findall(question)}
    sentences = [
        (rank, document, each) for rank, document in enumerate(documents) for each in _sentences(document.text)
    ]
    shared = [
        wanted & {*analyse(each, locale), *analyse(document.attribute("title"), locale), *_HAN.findall(each)}
        for _, document, each in sentences
    ]
    frequency = Counter(term for terms in shared for term in terms)
    quantity = _ASKS_QUANTITY.match(question) is not None
    best, most = "", 0.0
    for (rank, _, sentence), terms in zip(sentences, shared, strict=True):
        score = sum(math.log(1 + len(sentences) / frequency[term]) for term in terms)
        score *= _FITTING if quantity and _QUANTITY.search(sentence) else 1.0
        if (score := score / (1 + _LATER * rank)) > most:
            best, most = sentence, score
    return best


def _in_character(character: _Element, quote: str, seed: int) -> str:
    """A short opening of the character's own and the quote; without one, a whole line of the character's own."""
    lines = _own_lines(character) or ["Well met."]
    if not quote:
        return lines[seed % len(lines)]
    openings = [
        part for line in lines for part in _sentences(line) if len(part) <= _LONGEST_OPENING and part[-1] not in "?？"
    ]
    return join([openings[seed % len(openings)], quote]) if openings else quote


def _own_lines(character: _Element) -> list[str]:
    """The greeting, then what the character says in its example dialogue, as a Character Card writes it."""
    labels = ("{{char}}:", f"{character.attribute('name')}:")
    examples = [
        line.strip() for part in _elements(character.inner, "example_dialogue") for line in part.text.splitlines()
    ]
    said = [line.removeprefix(label) for line in examples for label in labels if line.startswith(label)]
    greeting = [part.text for part in _elements(character.inner, "greeting")]
    spoken = (_STAGE_DIRECTION.sub("", line).strip().strip('"“”').strip() for line in [*greeting, *said])
    return [" ".join(line.split()) for line in spoken if line]
