"""Text as the terms that keyword search compares: one analysis for every store, for documents and questions alike."""

import re
import threading
import unicodedata

import Stemmer

from llmops_api.core.stop_words import STOP_WORDS

_STEMMERS = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"""ISO 639-1 to the names of the Snowball stemmers."""

# Marks are an accent after Latin and Greek letters and an optional vowel after Hebrew and Arabic ones; in other scripts
# (Devanagari, Thai, the dots of kana) they are letters. NFKD, so the letter and its marks stand apart.
_ACCENTED = re.compile(
    r"([\u0000-\u02ff\u0370-\u03ff\u0590-\u06ff])"
    r"[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]+"
)
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ё": "е", "ـ": None}
    | dict.fromkeys("‘’ʼ`´＇", "'")
)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]"
)

# Scripts written without spaces; Hangul too, whose particles cling to the word.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
# What Python's \w leaves out of words: combining marks, and the vowel signs of India's scripts.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
_LETTER = rf"(?:[^\W_{_UNSPACED}]|[{_MARKS}])"
_WORD = re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|{_LETTER}+(?:'{_LETTER}+)*")
_ELISION = re.compile(r"(?:[cdjlmnst]|(?:lors|puis|jus|quoi)?qu|(?:d|n|s)?[ae]ll|quest|un)'", re.ASCII)
_ELIDING = frozenset({"fr", "it", "ca"})

# What a question is wrapped in, where stop words do not suffice: these words mean something elsewhere.
_FRAMES = {
    "en": re.compile(
        r"\b(?:(?:ha(?:ve|s)|did) (?:you|anyone|anybody) (?:ever )?(?:heard?|learn(?:ed|t)?)(?: anything)?(?: (?:of|about))?"
        r"|(?:talk|speak|teach|remind|enlighten|educate|inform|explain)(?: to)? (?:me|us)(?: (?:of|about|on))?"
        r"|i(?:'m| am|'ve been| was)? (?:wonder(?:ing)?|curious)(?: about)?"
        r"|(?:what|which) (?:kind|sort|type)s? of|what(?:'s| is) the (?:deal|story) with|do you happen to"
        r"|(?:the|what|whose|its|his|her|their) names? (?:of|is|was)|(?:is|was|are) (?:it |he |she |they )?(?:called|named)"
        r"|describe|good (?:morning|day|afternoon|evening)|how (?:long|big|old|often))\b"
    ),
    "zh": re.compile(
        "请问|告诉我|你?知道|什么|为什么|怎么样?|哪里|哪儿|哪个|多少|是谁|谁|吗|呢|的|了|是|請問|告訴我|甚麼|什麼|為什麼|哪裡"
    ),
    "ja": re.compile(
        "について|教えて|ください|ですか|ますか|でしょうか|とは|どこ|だれ|誰|何ですか|何|なぜ|いつ|どう|どの"
    ),
    "ko": re.compile("무엇|뭐야|뭐|누구|어디|언제|어떻게|왜|입니까|인가요|에 대해|알려\\s?줘|말해\\s?줘"),
    "th": re.compile("อะไร|ใคร|ที่ไหน|เมื่อไร|ทำไม|อย่างไร|คือ|ครับ|ค่ะ|ไหม"),
}


class _Stemmers(threading.local):
    """A stemmer may not be shared by threads."""

    def __init__(self) -> None:
        self._open: dict[str, Stemmer.Stemmer] = {}

    def stem(self, words: list[str], language: str) -> list[str]:
        name = _STEMMERS.get(language)
        if name is None:
            return words
        stemmer = self._open.get(name) or self._open.setdefault(name, Stemmer.Stemmer(name))
        stems: list[str] = stemmer.stemWords(words)
        return stems


_stemmers = _Stemmers()


def language_of(locale: str) -> str:
    """The language code of a locale: `en` of `en-GB`, of `en_GB` and of `EN`; empty for none."""
    return re.split(r"[-_]", locale, maxsplit=1)[0].lower()


def analyse(text: str, locale: str) -> tuple[str, ...]:
    """The terms of a text in order, repeated as they stand: folded, without accents, stemmed in the locale's language.

    Scripts written without spaces give overlapping pairs of characters.
    """
    language = language_of(locale)
    return tuple(_stemmers.stem(_words(fold(text), language), language))


def content_terms(text: str, locale: str) -> tuple[str, ...]:
    """What a question is about: its terms, each once, without stop words and without its frame ("tell me about")."""
    language = language_of(locale)
    folded = fold(text)
    frame = _FRAMES.get(language)
    stop = STOP_WORDS.get(language, frozenset())
    words = [word for word in _words(frame.sub(" ", folded) if frame else folded, language) if word not in stop]
    return tuple(dict.fromkeys(_stemmers.stem(words, language)))


def fold(text: str) -> str:
    """One spelling for what reads alike: width, case, accents, apostrophes, characters that nobody sees."""
    if text.isascii():
        return text.lower().replace("`", "'")
    folded = unicodedata.normalize("NFKD", _INVISIBLE.sub("", text).casefold())
    return unicodedata.normalize("NFKC", _ACCENTED.sub(r"\1", folded)).translate(_LETTERS)


def _words(folded: str, language: str) -> list[str]:
    words: list[str] = []
    for match in _WORD.finditer(folded):
        run = match[0]
        if match["unspaced"]:
            words += [run[i : i + 2] for i in range(max(1, len(run) - 1))]
            continue
        if "'" in run:
            run = _without_apostrophe(run, language)
        words.append(run)
    return words


def _without_apostrophe(word: str, language: str) -> str:
    """`dragon's` is the dragon, `l'eau` is water, `kael'thas` is one name however it is typed."""
    if language in _ELIDING:
        word = _ELISION.sub("", word, count=1)
    return word.removesuffix("'s").replace("'", "")
