"""Questions of fact in languages other than English, told from greetings, small talk and talk about oneself."""

import re

from llmops_api.core.foreign_words import LANGUAGES, Speech
from llmops_api.core.terms import content_terms, fold

_SENTENCE = re.compile(r"[^.!?¿¡؟？！。…;\n]+[.!?؟？！。…;]*")
_MARK = re.compile(r"[?؟？]")
_GREEK_MARK = ";"
_LEAST_UNKNOWN = 4
"""Words; shorter ones are mostly a "how are you"."""

_GREETING = re.compile(
    fold(
        "(?<![a-zа-я])(?:guten (?:morgen|tag|abend)|gute nacht|gruss (?:gott|dich)|danke|hallo|servus|moin|tschuss|auf wiedersehen|bonjour|bonsoir|salut"
        "|merci|au revoir|hola|buenos dias|buenas (?:tardes|noches)|gracias|adios|ciao|buongiorno|buonasera|grazie|arrivederci|ola|bom dia"
        "|boa (?:tarde|noite)|obrigad[oa]|goedemorgen|goedendag|dank je|привет|здравствуй(?:те)?|добрый (?:день|вечер)|доброе утро|спасибо|пока"
        "|dzien dobry|dobry wieczor|czesc|dziekuje|hej(?: da)?|god (?:morgon|kvall)|tack|こんにちは|こんばんは|おはよう(?:ございます)?|ありがとう(?:ございます)?"
        "|さようなら|你好|您好|早上好|晚上好|早安|谢谢|謝謝|再见|再見|안녕하세요|안녕|감사합니다|مرحبا|السلام عليكم|صباح الخير|مساء الخير|شكرا|merhaba|gunaydin"
        "|selamat (?:pagi|siang|malam)|terima kasih|xin chao|cam on|สวัสดี|ขอบคุณ|namaste|नमस्ते|धन्यवाद|γεια|ευχαριστω|שלום|תודה)(?![a-zа-я])"
    )
)


def asks_in(language: str, text: str, name: frozenset[str]) -> bool:
    """Whether text in this language asks about the world; `name` holds the terms by which the character is called.

    A question word or a request needs a subject behind it, a question mark alone needs more: "So Paris is in France?".
    """
    known = LANGUAGES.get(language)
    if known is None:
        return any(_is_marked_and_heavy(sentence, language, name) for sentence in _SENTENCE.findall(text))
    sentences = _SENTENCE.findall(_GREETING.sub(" ", fold(text)))
    return any(_is_fact(sentence.strip(" ,:-–—\"'«»“”"), language, known, name) for sentence in sentences)


def _is_fact(sentence: str, language: str, known: Speech, name: frozenset[str]) -> bool:
    rest = known.requests.sub(" ", sentence)
    if known.personal.search(rest):
        return False
    about = set(content_terms(known.asks.sub(" ", known.small.sub(" ", rest)), language)) - name
    if rest != sentence or (known.asks.search(sentence) and not sentence.endswith("!")):
        return len(about) >= 1
    return len(about) >= 2 and bool(_MARK.search(sentence))


def _is_marked_and_heavy(sentence: str, language: str, name: frozenset[str]) -> bool:
    """In a language of which no word is known: a question with a name in it, or, without capitals, a long one."""
    if not (_MARK.search(sentence) or sentence.endswith(_GREEK_MARK)):
        return False
    words = sentence.split()
    if sentence.upper() == sentence.lower():
        return len(words) >= _LEAST_UNKNOWN
    names = " ".join(word for word in words[1:] if word[0].isupper())
    return not name.issuperset(content_terms(names, language))
