"""Questions of fact and small talk in languages other than English."""

import pytest

from llmops_api.core.questions import asks_for_fact

PERSONA = "Brunn\nKeeps the northern gate, and a cat."

SMALL_TALK = {
    "de": """
        Alles gut?
        Guten Morgen! Alles klar bei dir?
        Was gibt's Neues?
        Schönes Wetter heute, nicht wahr?
        Was ist los?
        Kalte Nacht, oder?
        Wie läuft der Dienst?
        Darf ich hier durch?
        Hast du Hunger?
        Na, viel los heute?
        Was für ein schöner Tag!
        Wie spät ist es?
        Was machst du hier?
        Erzähl mir von dir.
        Danke; bis morgen
    """,
    "fr": """
        Ça va bien ?
        Tout va bien ?
        Quoi de neuf aujourd'hui ?
        Quelle belle journée !
        Il fait froid ce soir, non ?
        Vous êtes fatigué ?
        Est-ce que je peux entrer ?
        Tu as bien dormi ?
        Quelle heure est-il ?
        Qu'est-ce que tu fais ici ?
        Parle-moi de toi.
        Merci, bonne soirée !
    """,
    "es": """
        ¿Cómo va?
        ¿Cómo va todo?
        ¿Qué pasa?
        ¡Qué día tan bonito!
        Hace mucho frío hoy, ¿verdad?
        ¿Tienes hambre?
        ¿Puedo entrar?
        ¿Qué hay de nuevo?
        ¿Qué hora es?
        ¿Has dormido bien?
        Háblame de ti.
        Gracias, amigo, ¡hasta mañana!
    """,
    "it": """
        Come va?
        Tutto a posto?
        Che bella serata!
        Fa caldo oggi, vero?
        Che c'è di nuovo?
        Sei stanco?
        Posso entrare?
        Hai dormito bene?
        Che ore sono?
        Cosa fai qui?
        Parlami di te.
        Come in, friend!
    """,
    "pt": """
        Tudo bem?
        Como vai a vida?
        Que dia bonito!
        Está frio hoje, não está?
        Quais são as novidades?
        Você está cansado?
        Posso entrar?
        Dormiu bem?
        Que horas são?
        O que você faz aqui?
        Fale-me de ti.
        O que aconteceu?
    """,
    "nl": """
        Alles goed?
        Hoe gaat het met je?
        Mooi weer vandaag, hè?
        Wat een mooie dag!
        Heb je honger?
        Mag ik erdoor?
        Goed geslapen?
        Is er nieuws?
        Hoe laat is het?
        Wat doe je hier?
        Vertel me over jezelf.
        Koude nacht, toch?
    """,
    "pl": """
        Jak leci?
        Co nowego?
        Wszystko dobrze?
        Ładna pogoda dzisiaj, prawda?
        Zimna noc, nie?
        Jesteś zmęczony?
        Czy mogę przejść?
        Dobrze spałeś?
        Co tu robisz?
        Jaki piękny dzień!
        Opowiedz mi o sobie.
        Co się stało?
    """,
    "ru": """
        Как жизнь?
        Что нового?
        Всё в порядке?
        Хорошая погода сегодня, правда?
        Холодная ночь, да?
        Ты устал?
        Можно войти?
        Как спалось, хорошо спал?
        Который час?
        Что ты здесь делаешь?
        Расскажи мне о себе.
        Какой прекрасный день!
    """,
    "ja": """
        最近どう？
        調子はどうですか？
        今日は寒いですね？
        元気？
        疲れていませんか？
        入ってもいいですか？
        よく眠れましたか？
        何か変わったことは？
        お名前は何ですか？
        ここで何をしているの？
        いい天気ですね。
        ありがとう、また明日！
    """,
    "zh": """
        你好吗？
        最近怎么样？
        今天天气不错吧？
        今晚真冷，是吧？
        你累了吗？
        我可以进去吗？
        睡得好吗？
        有什么新消息吗？
        现在几点了？
        你在这里做什么？
        吃饭了吗？
        发生什么事了？
    """,
    "ko": """
        안녕하세요?
        요즘 어떻게 지내세요?
        오늘 날씨가 좋네요, 그렇죠?
        밤이 춥네요?
        피곤하세요?
        들어가도 될까요?
        잘 잤어요?
        무슨 일 있어요?
        지금 몇 시예요?
        당신의 이름은 무엇입니까?
        밥 먹었어요?
        별일 없어요?
    """,
    "tr": """
        Nasılsın?
        Hava güzel, değil mi?
        Her şey yolunda mı?
        Günaydın!
    """,
    "xx": """
        Good morning, guard?
        Good morning! All well?
        How are you?
        Zel mano, frim?
    """,
    "el": """
        Καλημέρα, τι κάνεις;
        Όλα καλά;
    """,
    "hi": """
        आप कैसे हैं?
    """,
}

ASKED = {
    "de": """
        Wer hat die Mona Lisa gemalt?
        Was ist die Hauptstadt von Frankreich
        Wie hoch ist der Mount Everest?
        Weißt du, wer Hamlet geschrieben hat?
        In welchem Jahr sank die Titanic?
        Ist Paris die Hauptstadt von Frankreich?
        Guten Morgen! Wie viele Planeten hat das Sonnensystem?
        Kannst du mir sagen, wann Mozart geboren wurde?
        Erzähl mir von Napoleon!
        Hast du von Albert Einstein gehört?
    """,
    "fr": """
        Quelle est la capitale de l'Italie ?
        Qui a écrit Les Misérables ?
        Combien de planètes y a-t-il dans le système solaire ?
        Où se trouve la tour Eiffel ?
        Sais-tu qui a inventé le téléphone ?
        En quelle année Napoléon est-il mort ?
        Bonjour ! Qu'est-ce que la photosynthèse ?
        Parle-moi de Jeanne d'Arc.
        Paris est la capitale de la France, non ?
    """,
    "es": """
        ¿Cuál es la capital de Francia?
        ¿Quién escribió Don Quijote?
        ¿Cuántos planetas tiene el sistema solar?
        Hola, ¿dónde está la torre Eiffel?
        ¿Sabes quién inventó el teléfono?
        ¿En qué año murió Napoleón?
        Háblame de la Revolución francesa.
        ¿París es la capital de Francia?
        cuándo llegó Colón a América
    """,
    "it": """
        Qual è la capitale della Francia?
        Chi ha scritto la Divina Commedia?
        Quanti pianeti ha il sistema solare?
        Dove si trova la torre Eiffel?
        Sai chi ha inventato il telefono?
        In che anno morì Napoleone?
        Buongiorno! Quanto è alto l'Everest?
        Parlami della Rivoluzione francese.
        Parigi è la capitale della Francia?
    """,
    "pt": """
        Qual é a capital da França?
        Quem escreveu Os Lusíadas?
        Quantos planetas tem o sistema solar?
        Onde fica a torre Eiffel?
        Sabes quem inventou o telefone?
        Em que ano morreu Napoleão?
        Olá! Quem descobriu o Brasil?
        Fale-me da Revolução Francesa.
        Paris é a capital da França?
    """,
    "nl": """
        Wat is de hoofdstad van Frankrijk?
        Wie schreef Hamlet?
        Hoeveel planeten heeft het zonnestelsel?
        Waar staat de Eiffeltoren?
        Weet je wie de telefoon heeft uitgevonden?
        In welk jaar zonk de Titanic?
        Hallo! Hoe hoog is de Mount Everest?
        Vertel me over Napoleon.
        Is Parijs de hoofdstad van Frankrijk?
    """,
    "pl": """
        Jaka jest stolica Francji?
        Kto napisał Pana Tadeusza?
        Ile planet ma Układ Słoneczny?
        Gdzie stoi wieża Eiffla?
        Czy wiesz, kto wynalazł telefon?
        W którym roku zatonął Titanic?
        Cześć! Kiedy urodził się Chopin?
        Opowiedz mi o Napoleonie.
        Czy Paryż jest stolicą Francji?
    """,
    "ru": """
        Какая столица Франции?
        Кто написал «Анну Каренину»?
        Сколько планет в Солнечной системе?
        Где находится Эйфелева башня?
        Ты знаешь, кто изобрёл телефон?
        В каком году утонул Титаник?
        Привет! Когда родился Пушкин?
        Расскажи мне о Наполеоне.
        Париж — столица Франции?
    """,
    "ja": """
        日本の首都はどこですか？
        ハムレットを書いたのは誰？
        太陽系の惑星はいくつありますか？
        エッフェル塔はどこにありますか？
        電話を発明したのは誰か知っていますか？
        タイタニックが沈んだのはいつですか？
        こんにちは。富士山の高さは？
        ナポレオンについて教えてください。
        パリはフランスの首都ですか？
    """,
    "zh": """
        法国的首都是哪里？
        谁写了《红楼梦》？
        太阳系有几颗行星？
        埃菲尔铁塔在哪里？
        你知道谁发明了电话吗？
        泰坦尼克号是哪一年沉没的？
        你好！长城有多长？
        请告诉我拿破仑的故事。
        巴黎是法国的首都吗？
    """,
    "ko": """
        프랑스의 수도는 어디입니까?
        햄릿을 쓴 사람은 누구예요?
        태양계에는 행성이 몇 개 있습니까?
        에펠탑은 어디에 있나요?
        전화기를 누가 발명했는지 아세요?
        타이타닉은 언제 침몰했습니까?
        안녕하세요. 에베레스트 산의 높이는 얼마입니까?
        나폴레옹에 대해 알려 주세요.
        파리는 프랑스의 수도입니까?
    """,
    "tr": """
        Fransa'nın başkenti neresidir?
        Mona Lisa tablosunu kim yaptı?
    """,
    "xx": """
        Who painted the Mona Lisa?
        Siapa yang melukis Mona Lisa?
    """,
    "el": """
        Ποιος ζωγράφισε τη Μόνα Λίζα;
    """,
    "hi": """
        ताजमहल किस राजा ने बनवाया था?
    """,
}


def _lines(talk: dict[str, str]) -> list[tuple[str, str]]:
    return [(locale, line.strip()) for locale, lines in talk.items() for line in lines.strip().splitlines()]


@pytest.mark.parametrize(("locale", "text"), _lines(SMALL_TALK))
def test_small_talk_asks_for_no_fact_in_any_language(locale: str, text: str) -> None:
    """Also with a question mark, and in a world whose language is not known."""
    assert not asks_for_fact(text, locale, PERSONA)


@pytest.mark.parametrize(("locale", "text"), _lines(ASKED))
def test_a_question_about_the_world_asks_for_a_fact_in_any_language(locale: str, text: str) -> None:
    """With a question word, a request, or a mark behind enough to ask about."""
    assert asks_for_fact(text, locale, PERSONA)


@pytest.mark.parametrize("locale", ["de", "fr", "es", "it", "pt", "nl", "pl", "ru", "zh", "ja", "ko"])
@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Good morning, guard. How are you?", False),
        ("Nice weather, isn't it?", False),
        ("Come with me, friend.", False),
        ("Was that a joke?", False),
        ("Who painted the Mona Lisa?", True),
        ("Do you know the capital of France?", True),
    ],
)
def test_english_is_understood_in_every_world(locale: str, text: str, asked: bool) -> None:
    assert asks_for_fact(text, locale, PERSONA) is asked


@pytest.mark.parametrize(
    ("locale", "text", "asked"),
    [
        ("de", "Was gibt's Neues, Brunn?", False),
        ("de", "Wer ist Brunn?", False),
        ("de", "Wer ist die Mutter von Brunn?", True),
        ("fi", "Hyvää huomenta, Brunn, mitä kuuluu?", False),
        ("fi", "Hyvää huomenta, Brunn, kuka maalasi Mona Lisan?", True),
        ("pt", "Nikola Tesla inventou o rádio?", True),
    ],
)
def test_the_name_of_the_character_is_nothing_to_ask_about(locale: str, text: str, asked: bool) -> None:
    assert asks_for_fact(text, locale, PERSONA) is asked


@pytest.mark.parametrize("locale", ["de", "ja", "xx"])
def test_what_asks_nothing_asks_for_no_fact(locale: str) -> None:
    assert not any(
        asks_for_fact(text, locale, PERSONA) for text in ("", "?", "???", "？", "...", "，", "\u200b?", "🙂?")
    )
