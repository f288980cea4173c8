"""Questions of fact in languages other than English: by mark or question word, less greetings and talk about oneself."""

import re
from dataclasses import dataclass

from llmops_api.core.terms import fold


@dataclass(frozen=True, slots=True)
class _Language:
    """Each a pattern on folded text: how a question begins, how a request does, and what is talk between the two."""

    asks: re.Pattern[str]
    requests: re.Pattern[str]
    personal: re.Pattern[str]


def _language(asks: str, requests: str, personal: str, *, spaced: bool = True) -> _Language:
    """Patterns are folded as the text is; in spaced scripts they match whole words."""
    edge = r"\b" if spaced else ""
    begin = r"(?:^|[.!?¡¿,:;]\s*)" if spaced else ""
    return _Language(
        re.compile(f"{begin}(?:{fold(asks)}){edge}"),
        re.compile(f"{edge}(?:{fold(requests)}){edge}"),
        re.compile(f"{edge}(?:{fold(personal)}){edge}"),
    )


_LANGUAGES = {
    "de": _language(
        "wer|was|wo|wann|warum|wieso|weshalb|welche[rsmn]?|wie ?(?:viele?|heisst|hoch|alt|weit|lang|gross)|woher|wohin|wem|wen|wessen",
        "erzahl(?:e|en sie)? (?:mir|uns)|sag(?:e|en sie)? mir|weisst du|wissen sie|kennst du|erklare?|beschreibe?",
        "wie geht|was machst|wer bist|wie heisst du|dein(?:e[rnms]?)?|dir|dich|ihnen|bist du|hast du|magst du|was ist los|von dir",
    ),
    "fr": _language(
        "qui|que|quoi|ou|quand|pourquoi|comment|combien|quel(?:le)?s?|qu'est-ce|est-ce que|a quelle|dans quel(?:le)?",
        "parle[z]?[- ](?:moi|nous)|dis[- ]moi|dites[- ]moi|raconte[z]?[- ]moi|sais-tu|savez-vous|connais-tu|connaissez-vous|explique[z]?",
        "comment (?:ca va|vas-tu|allez-vous|tu vas|tu t'appelles|vous appelez-vous|t'appelles-tu)|ca va|qui es-tu|qui etes-vous"
        "|quoi de neuf|ton|ta|tes|votre|vos|de toi|de vous|as-tu|es-tu|avez-vous|etes-vous|que fais-tu",
    ),
    "es": _language(
        "quien(?:es)?|que|cual(?:es)?|donde|cuando|por que|como|cuant[oa]s?|de quien|en que|a que",
        "hablame|hableme|cuentame|cuenteme|dime|digame|sabes|sabe usted|conoces|explica(?:me)?|describe",
        "como (?:estas?|esta usted|te va|te llamas|se llama usted|andas|va todo)|que tal|que haces|quien eres|tu|tus|tuyo|de ti|eres|estas|que pasa",
    ),
    "it": _language(
        "chi|che|cosa|che cosa|dove|quando|perche|come|quant[oaie]|qual[ei]?|dov'e|cos'e|in che",
        "parlami|dimmi|mi dica|raccontami|sai|sapete|conosci|spiega(?:mi)?|descrivi",
        "come (?:stai|sta|va|ti chiami|si chiama lei)|che fai|chi sei|tu|tuo|tua|tuoi|tue|di te|sei|stai|che succede|tutto bene",
    ),
    "pt": _language(
        "quem|que|qual|quais|onde|quando|por ?que|como|quant[oa]s?|o que|em que",
        "fale?-me|me fal[ae]|conta-me|me conte|diz-me|diga-me|me diga|sabes|sabe|voce sabe|conheces|explica|descreve",
        "como (?:estas?|vai|voce esta|voce se chama|te chamas)|tudo bem|quem es|quem e voce|teus?|tuas?|seu nome|de ti|estas|que fazes",
    ),
    "nl": _language(
        "wie|wat|waar|wanneer|waarom|hoe(?:veel)?|welke?|wiens|waarheen",
        "vertel (?:me|mij|eens|ons)|zeg (?:me|mij)|weet (?:je|jij|u)|ken (?:je|jij|u)|leg uit|beschrijf",
        "hoe gaat|hoe is het|wie ben|hoe heet je|jouw|je naam|uw|ben je|heb je|wat doe je|jezelf",
    ),
    "ru": _language(
        "кто|что|где|когда|почему|зачем|как|сколько|какой|какая|какое|какие|куда|откуда|чей|в каком",
        "расскажи(?:те)?|скажи(?:те)?|знаешь|знаете|объясни(?:те)?|опиши(?:те)?",
        "как (?:дела|ты|вы|тебя|вас|поживаешь|жизнь)|кто ты|кто вы|тво[йеяию]\\w*|ваш\\w*|о себе|что нового|что делаешь|у тебя",
    ),
    "pl": _language(
        "kto|co|gdzie|kiedy|dlaczego|jak|ile|ktor[yae]|jaki[em]?|jaka|skad|dokad",
        "opowiedz|powiedz|czy wiesz|wiesz|znasz|wyjasnij|opisz",
        "jak sie masz|co slychac|kim jestes|jak masz na imie|jak sie nazywasz|twoj\\w*|twoja|o sobie|co robisz|jestes",
    ),
    "sv": _language(
        "vem|vad|var|nar|varfor|hur|vilken|vilket|vilka|vems",
        "beratta|sag mig|vet du|kanner du till|forklara|beskriv",
        "hur mar|hur ar laget|laget|vem ar du|vad heter du|din|ditt|dina|dig|mar du|ar du|har du|vad gor du",
    ),
    "ja": _language(
        "誰|何|どこ|いつ|なぜ|どう|どの|どちら|いくつ|いくら",
        "教えて|について|知っています|知ってる",
        "元気|お?名前は|あなた|君|調子|ごきげん|大丈夫",
        spaced=False,
    ),
    "zh": _language(
        "谁|誰|什么|什麼|哪|几|幾|多少|为什么|為什麼|怎么|怎麼|何时|吗|嗎",
        "告诉我|告訴我|知道|介绍|介紹|说说|讲讲",
        "你好|你叫|你是|你怎么样|你怎麼樣|最近|你的|你在|您贵姓|你",
        spaced=False,
    ),
    "ko": _language(
        "누구|누가|무엇|뭐|어디|언제|왜|어떻게|몇|얼마|어느",
        "알려\\s?줘|말해\\s?줘|에 대해|알고 있",
        "안녕|잘 지내|이름이 뭐|당신|너는|네 이름|기분",
        spaced=False,
    ),
    "ar": _language(
        "من|ما|ماذا|اين|متى|لماذا|كيف|كم|اي|هل",
        "اخبرني|حدثني|هل تعرف|اشرح",
        "كيف حالك|كيف الحال|ما اسمك|من انت|انت|اسمك|حالك",
    ),
}
_GREETING = re.compile(
    fold(
        "(?:guten (?:morgen|tag|abend)|gute nacht|gruss (?:gott|dich)|danke|hallo|servus|moin|tschuss|auf wiedersehen|bonjour|bonsoir|salut"
        "|merci|au revoir|hola|buenos dias|buenas (?:tardes|noches)|gracias|adios|ciao|buongiorno|buonasera|grazie|arrivederci|ola|bom dia"
        "|boa (?:tarde|noite)|obrigad[oa]|goedemorgen|goedendag|dank je|привет|здравствуй(?:те)?|добрый (?:день|вечер)|доброе утро|спасибо|пока"
        "|dzien dobry|dobry wieczor|czesc|dziekuje|hej(?: da)?|god (?:morgon|kvall)|tack|こんにちは|こんばんは|おはよう(?:ございます)?|ありがとう(?:ございます)?"
        "|さようなら|你好|您好|早上好|晚上好|早安|谢谢|謝謝|再见|再見|안녕하세요|안녕|감사합니다|مرحبا|السلام عليكم|صباح الخير|مساء الخير|شكرا|merhaba|gunaydin"
        "|selamat (?:pagi|siang|malam)|terima kasih|xin chao|cam on|สวัสดี|ขอบคุณ|namaste|नमस्ते|धन्यवाद|γεια|ευχαριστω|שלום|תודה)"
    )
)


def asks_in(language: str, folded: str, terms: tuple[str, ...]) -> bool:
    """Whether folded text in this language asks about the world; `terms` are its content."""
    rest = _GREETING.sub(" ", folded).strip(" ,.!¡¿")
    known = _LANGUAGES.get(language)
    if not terms or not re.search(r"\w", rest):
        return False
    marked = re.search(r"[?؟;]\s*$|[?؟]", rest) is not None
    if known is None:
        return marked and len(terms) > 1
    if known.personal.search(rest):
        return False
    return marked or bool(known.asks.search(rest)) or bool(known.requests.search(rest))
