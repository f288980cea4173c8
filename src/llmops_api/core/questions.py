"""Telling a question of fact, which wants lore, from the small talk that a character simply answers.

A question of fact asks or requests something whose subject is neither of the two who talk: "who built the bridge", not
"how are you". Rules, not a model: they cost microseconds, can be read, and refuse nobody's good morning.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from llmops_api.core.foreign_questions import asks_in
from llmops_api.core.foreign_words import LANGUAGES
from llmops_api.core.stop_words import STOP_WORDS
from llmops_api.core.terms import analyse, content_terms, fold, language_of

_LOOKED_AT = 1000
"""Code points at either end of a line: a question stands at the beginning or the end of what a player types."""

_SENTENCE = re.compile(r"[^.!?…。！？؟;\n]+[.!?…。！？؟;]*")
_ABBREVIATION = re.compile(r"\b(mr|mrs|ms|dr|st|prof|capt|sgt|lt|vs|[a-z])\.(?=\s)", re.IGNORECASE)

_AUXILIARY = (
    r"(?:is|are|was|were|am|do|does|did|has|have|had|can|could|will|would|should|shall|must|might)(?:n'?t)?(?:\s+not)?"
)
_MEASURE = (
    r"(?:many|much|long|far|old|big|tall|high|deep|fast|heavy|hot|cold|strong|large|wide|often|hard|small|rare|expensive"
    r"|dangerous|rich|powerful|loud|thick|come|to)"
)
# Said before or around the question itself, to be taken away before it is looked at.
_LEAD = re.compile(
    r"^(?:(?:and|so|but|well|oh|ah|um+|uh+|er+m?|hm+|now|then|also|ok(?:ay)?|alright|right|yes|yeah|no|please|sorry|pardon me"
    r"|excuse me|listen|look|say|hey(?: there)?|hi(?: there)?|hello(?: there)?|greetings|hail|good (?:morning|day|evening|"
    r"afternoon)|by the way|(?:my )?(?:friend|lord|lady|good (?:man|sir)|dear)"
    r"|guard|sir|captain|madam|mate|buddy|just curious|out of curiosity|(?:one|quick|another|a) (?:more )?question|i have a question|"
    r"tell me this|seriously|actually|maybe|perhaps|btw|question)\b[\s,:;\-–—]*)+"
)
_REQUEST = re.compile(
    r"^(?:"
    r"(?:(?:do|did|would|might|don'?t) (?:you|ye|thou|u|any ?(?:one|body)(?: here)?)(?: (?:happen to|perhaps|maybe|by (?:any )?chance|even|"
    r"also|still|actually|really|ever))* (?:know|remember|recall)|you (?:wouldn'?t|don'?t|might|would) (?:happen to )?know)"
    r"(?: (?:anything|something|much|a lot))?(?: (?:about|of))?"
    r"|(?:have|had) (?:you|any ?(?:one|body)) (?:ever )?(?:heard?|learn(?:ed|t)|read)(?: (?:anything|something))?(?: (?:about|of))?"
    r"|(?:(?:can|could|would|will|won'?t) (?:you|u|any ?(?:one|body))|i (?:want|need|would like|'?d like) you to)"
    r"(?: (?:please|maybe|perhaps|kindly|at least|just))*"
    r" (?:tell|explain|describe|teach|remind|name|list|define|inform|enlighten|say|give|recite|translate|calculate|summari[sz]e)"
    r"(?: to)?(?: (?:me|us))?(?: (?:again|please|more|something|anything|everything|all|a bit|a little|the name))*(?: (?:about|of|on))?"
    r"|what (?:do|can|could|would|did|have) (?:you|ye)(?: guys)? (?:know|tell(?: me| us)?|say|heard?)(?: (?:about|of))"
    r"|(?:i (?:really |just )?(?:want|need|wish|would like|would love|like|love|have) to|i'?d (?:really )?(?:like|love) to|let me)"
    r" (?:know|learn|ask(?: you)?|hear|find out)(?: (?:more|something|anything|everything|all))?(?: (?:about|of))?"
    r"|i (?:was |am |have been )?(?:wonder(?:ing|ed)?|curious)(?: (?:about|if|whether))?"
    r"|i'?(?:m|ve been) (?:wondering|curious)(?: (?:about|if|whether))?"
    r"|(?:any|got any|have you any|you have any) (?:idea|clue|knowledge)s?(?: (?:about|of))?"
    r"|(?:tell|teach|remind|enlighten|inform|educate) (?:me|us)(?: (?:more|again|please|something|anything|everything|all|a bit|"
    r"a little|the (?:story|history|legend|name)))*(?: (?:about|of|on))?"
    r"|(?:explain|describe|define|name|list|recite|translate|calculate|compute|solve|convert|summari[sz]e)(?: to (?:me|us))?"
    r"(?: (?:me|us))?"
    r"|(?:give|show) (?:me|us) (?:a (?:list|summary)|the (?:name|list|definition|date|recipe|meaning|year)s?)(?: (?:of|for))?"
    r"|(?:is|isn'?t) it (?:true|right|correct|a fact) that"
    r"|(?:i(?:'?d|'?ll| would| will)? )?bet (?:that )?(?:you|no ?body|no one|none of you) (?:(?:can|could|do|does|would|will)(?:n?'?t| ?not)?"
    r"|won'?t) (?:even |really )?(?:tell|know|name|say|guess|explain|answer|remember|recall)(?: (?:me|us))?(?: (?:about|of))?"
    r")\b\s*,?\s*"
)
_NAME = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][^\W_]+")
_OPINION = re.compile(r"\b(?:do|did|would) you (?:think|reckon|believe|suppose|guess|say)\b(?! (?:of|about))")
_ASKS = re.compile(
    rf"^(?:(?:in |at |on |to |from |for |of |by |with |about )?"
    rf"(?:(?:who|what|where|when|why|which|whose|whom)(?:'?s|'?re|'?d)?(?! (?:a|an|if|about|the (?:hell|heck))\b)"
    rf"(?=\s+\S)(?!\s+(?:i|we|he|she|they|you|it)\b(?!.*\?$))|how\s+(?:{_MEASURE}\b|{_AUXILIARY}\b)|how'?s\b)"
    rf"|(?!ha(?:ve|d) an?\b){_AUXILIARY}\s+(?!it\b|this\b|that\b|not\b|come\b|nothing\b|no\b|mercy\b|fun\b|faith\b)\S+\s+\S+)"
)
_EXCLAIMS = re.compile(
    r"^(?:who (?:cares|knows|asked|dares|says so)|what (?:an?|the hell|the heck|if|about|nonsense|luck)|how dare|have an?|do (?:come|not|be))\b"
)
_GENERIC = re.compile(
    r"^(?:how|where|when|why|what)\b.{0,40}?\b(?:do|does|can|could|would|should|might|must)\s+(?:you|i|we|one)\b"
)
_SUBJECT = re.compile(r"\b(?:do|does|can|could|would|should|might|must) (?:you|i|we|one)\b")
_SCENE = re.compile(r"^(?:what|who)(?:'?s|'?re| is| are| was| were) (?:this|that|these|those|it|they|he|she)\b")
_OBJECT = re.compile(r"\b(?:let|make|give|help|turn|keep|protect|take|bring|allow|cost|kill|hurt|show)s? (?:you|one)\b")
_PERSONAL_HOW = re.compile(
    r"\byou (?:do|feel|like|know|mean|say|fare|sleep|think|see|find|spend|pass|stand|manage|cope|keep|get here|come|live|"
    r"want|need|enjoy|love|hate|prefer|remember|work|end up|become|call yourself|go)\b"
)
_US = re.compile(
    r"\b(?:you|u|ya|ye|thou|thee|thy|your|yours|yourself|you'(?:re|ve|d|ll)|my|mine|myself|our|ours|am i|i am|i'm)\b"
)
_TAG = re.compile(
    rf"[\s,]+(?:(?:{_AUXILIARY}) (?:it|he|she|they|there|that|this|you|i|we)|(?:is|does|do|was|did|are|can|will|has|have)n'?t (?:it|he|she|they|there|you)|"
    r"right|correct|no|yes|eh|huh|true|innit)\s*\?+$"
)
_TOPIC = re.compile(
    r"^(?!this|that|these|those|the|your?|my|our)\S.* (?:who|what|where|when|which|how (?:old|tall|big|high|far)) (?:is|was|are|were) (?:he|she|it|they)\b"
)
"""As in a search box: "harry potter who is he", "capital of France"."""

_RELATION = re.compile(
    r"^(?:the )?(?:capital|currency|population|president|prime minister|author|inventor|painter|composer|discoverer|founder|height|depth"
    r"|length|age|distance|speed|meaning|definition|formula|boiling point|(?:official |national )?language)s? of \S"
)
_ASSURED = re.compile(
    r"(?<![.!,;…\s])[.!,;…\s]+(?:is (?:that|it|this) )?((?:true|right|correct|so)\s*\?)", re.IGNORECASE
)
"""A statement and "True?" behind it are one question."""

_SMALL_TALK = frozenset(
    analyse(
        "weather rain raining snow snowing sun sunny cold warm hot nice lovely beautiful pretty fine good bad great quiet busy boring "
        "bored tired hungry thirsty sleepy happy sad afraid angry upset hurt hurting sick feel feeling feelings well better worse ready "
        "sure serious joking kidding joke fun funny crazy mad hard rough easy matter wrong trouble problem business news new happening "
        "happened happen plan plans hurry rush time hour day days night tonight today tomorrow yesterday morning evening afternoon watch "
        "week shift duty life love things stuff point idea deal reason hell earth friend mate buddy pal sir lord lady madam miss boss "
        "guard captain man boy girl old young long hello hi greetings welcome cheers bye goodbye farewell mood smile face look looking "
        "story song drink ale beer going doing talk talking chat word question answer start next up back ever help everyone else listen "
        "okay alright deal place name live work job far family home hear meet "
        "noise bring brought everybody dinner supper breakfast suppose supposed mean earn officer dance dancing sing fight sit mind",
        "en",
    )
)


def asks_for_fact(text: str, locale: str, persona: str) -> bool:
    """Whether the player asks about the world; `persona` is the character's name and, on further lines, who it is.

    English is known thoroughly, and may be typed in any world; other languages are judged by rougher rules of their
    own, and one that is not known only where English makes nothing of it.
    """
    if len(text) > 2 * _LOOKED_AT:
        text = f"{text[:_LOOKED_AT]}\n{text[-_LOOKED_AT:]}"
    own, language = _persona(persona, locale), language_of(locale)
    in_english = language == "en" or (language not in LANGUAGES and text.isascii()) or _is_english(text, language)
    if in_english:
        return any(_is_fact(clause, original, own) for clause, original in _clauses(text))
    return not own.is_asked(content_terms(text, locale)) and asks_in(language, text, own.name)


def _is_english(text: str, language: str) -> bool:
    """Told by its little words, which two languages seldom share."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", fold(text))
    english = sum(word.replace("'", "") in STOP_WORDS["en"] for word in words)
    own = sum(part in STOP_WORDS.get(language, ()) for word in words for part in word.split("'"))
    return english > own


@dataclass(frozen=True, slots=True)
class _Persona:
    """The words of a character's name and those of its whole description."""

    name: frozenset[str]
    words: frozenset[str]

    def is_asked(self, terms: tuple[str, ...]) -> bool:
        """A question that names the character, and nothing that its description does not speak of."""
        return self.words.issuperset(terms) and not self.name.isdisjoint(terms)


@lru_cache(maxsize=64)
def _persona(persona: str, locale: str) -> _Persona:
    name = persona.partition("\n")[0]
    return _Persona(frozenset(content_terms(name, locale)), frozenset(analyse(persona, locale)))


def _clauses(text: str) -> list[tuple[str, str]]:
    """Each sentence, and each stretch of it between commas, folded and as it stood."""
    clauses: list[str] = []
    text = _ASSURED.sub(r", \1", _ABBREVIATION.sub(r"\1", text))
    for sentence in _SENTENCE.findall(text):
        parts = [part.strip(" \t\"'“”«»()*-–—") for part in re.split(r"[,:–—]|\s-\s", sentence)]
        clauses.append(sentence.strip())
        if len(parts) > 1:
            clauses += parts
            clauses.append(",".join(sentence.split(",")[1:]).strip())
    return [(_bare(clause), clause.lstrip(" ¿¡\"'“«(")) for clause in clauses if clause]


def _bare(clause: str) -> str:
    folded = re.sub(r"\s+", " ", fold(clause)).strip(" ¿¡\"'*")
    return _LEAD.sub("", folded)


def _is_fact(clause: str, original: str, own: _Persona) -> bool:
    rest = _REQUEST.sub("", clause, count=1)
    if rest != clause:
        rest = _OPINION.sub("", rest)
        return _about_the_world(rest, own)
    clause = _OPINION.sub("", clause).replace("  ", " ")
    if _EXCLAIMS.match(clause):
        return False
    if _ASKS.match(clause):
        return _about_the_world(_TAG.sub("?", clause), own)
    if _TOPIC.match(clause) or (_RELATION.match(clause) and not clause.endswith("!")):
        return _about_the_world(clause, own, least=2)
    if not clause.endswith("?"):
        return False
    # "So Paris is the capital of France?", "capital of France?": no question word, but a name or a relation.
    names = set(content_terms(" ".join(_NAME.findall(original)), "en")) - own.name
    return bool(names or re.search(r"\b(?:of|in|from)\b", clause)) and _about_the_world(
        _TAG.sub("?", clause), own, least=2
    )


def _about_the_world(clause: str, own: _Persona, *, least: int = 1) -> bool:
    """Neither about the two of us nor without a subject of its own."""
    generic = _GENERIC.match(clause) and not _PERSONAL_HOW.search(clause)
    rest = _SUBJECT.sub("", clause, count=1) if generic else clause
    if _US.search(_OBJECT.sub("", rest)) or _SCENE.match(clause):
        return False
    terms = content_terms(clause, "en")
    said = [term for term in terms if term not in _SMALL_TALK]
    return len(said) >= least and not own.is_asked(terms)
