"""How questions, requests and small talk sound in languages other than English, as patterns on folded text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from llmops_api.core.terms import fold


@dataclass(frozen=True, slots=True)
class Speech:
    """`asks` is how a question of fact begins, `requests` what stands around one, `personal` talk about the two who
    speak, and `small` what small talk is made of. Where no spaces are written, `asks` may stand anywhere."""

    asks: re.Pattern[str]
    requests: re.Pattern[str]
    personal: re.Pattern[str]
    small: re.Pattern[str]


def _spaced(asks: str, requests: str, personal: str, small: str) -> Speech:
    """Whole words; a question may follow a short address: "tell me, who ..."."""
    return Speech(
        re.compile(rf"^(?:.{{0,24}}[,:–—] *)?(?:{fold(asks)})\b"),
        re.compile(rf"\b(?:{fold(requests)})\b"),
        re.compile(rf"\b(?:{fold(personal)})\b"),
        re.compile(rf"\b(?:{fold(small)})\b"),
    )


def _unspaced(asks: str, requests: str, personal: str, small: str) -> Speech:
    return Speech(*(re.compile(fold(words)) for words in (asks, requests, personal, small)))


LANGUAGES: Mapping[str, Speech] = {
    "de": _spaced(
        "(?:(?:in|an|auf|aus|seit|mit|von|zu|für|bei|durch|um|gegen|nach) )?(?:wer|was|wo|wann|warum|wieso|weshalb|welche[rsmn]?|woher"
        "|wohin|wem|wen|wessen|womit|woraus|wie (?:viele?|heißt|heißen|hoch|alt|weit|lange?|groß|tief|schnell|schwer|funktioniert|entsteht"
        "|nennt|starb|wurde|macht man|kann man))",
        "(?:ich (?:frage mich|wüsste gerne?|möchte wissen|will wissen)|(?:kannst|könntest|können|könnten) (?:du|sie) (?:mir|uns) (?:sagen|erklären"
        "|verraten)|erzähl(?:e|en sie)? (?:mir|uns)|sag(?:e|en sie)? (?:mir|uns|mal)|weißt du|wissen sie|kennst du|kennen sie|weiß (?:hier )?jemand"
        "|erklär(?:e|en sie)?(?: mir)?|beschreibe?|nenn(?:e|en sie)?(?: mir)?|hast du (?:schon |je |mal )*von)",
        "du|dich|dir|dein\\w*|euch|euer|eure\\w*|(?:haben|sind|mögen|wollen|können|geht es) (?:sie|ihnen)|ihnen|seid ihr|ich|mich|mir|mein\\w*"
        "|wir|uns|unser\\w*|wie geht(?:'s| es|s)?|machst|gehts|geht's|läuft'?s",
        "all\\w+|gut\\w*|klar|ordnung|neu\\w*|gibt'?s|schon\\w*|schön\\w*|wetter|heute|morgen|gestern|abend|nacht|tag|lang\\w*|kurz\\w*|kalt\\w*|warm\\w*"
        "|heiß\\w*|regen|regnet|schnee|schneit|sonn\\w+|wind\\w*|müde|hunger\\w*|durst\\w*|los|geht|ging|läuft|lief|laufen|gehabt|geschlafen|wahr|wirklich|frisch|kühl|nass|gibt"
        "|echt|sicher|ernst|spaß|viel|wenig|los|ruhig\\w*|still|schicht|dienst|wache|wachter|wächter|freund\\w*|herr|kumpel|spät|uhr|zeit|arbeit|leben"
        "|verheiratet|familie|findest|oder|na|hey|vorbei|durch|durchgehen|passieren|bier|essen|trinken|witz|lied|ein bisschen|leute|stimmung|laune|probleme?"
        "|passiert|her|fertig|bereit|einen|danke\\w*|bitte\\w*|frage",
    ),
    "fr": _spaced(
        "(?:(?:à|de|dans|en|par|pour|sur|avec|depuis) )?(?:qui|que|quoi|où|quand|pourquoi|combien|quel(?:le)?s?|lequel|laquelle|comment"
        "|qu'est-ce|est-ce que|d'où)",
        "(?:(?:peux|pourrais|pouvez|pourriez)[- ](?:tu|vous) (?:me|nous) (?:dire|expliquer)|je (?:me demande|voudrais savoir|veux savoir|aimerais savoir)"
        "|parle[z]?[- ](?:moi|nous)|dis[- ]moi|dites[- ]moi|raconte[z]?[- ]moi|(?:tu )?sais[- ]tu|tu sais|savez-vous|vous savez|connais-tu|connaissez-vous"
        "|tu connais|explique[z]?(?:[- ]moi)?|as-tu entendu parler)",
        "tu|te|t'\\w+|toi|ton|ta|tes|vous|votre|vos|je|j'\\w+|me|m'\\w+|moi|mon|ma|mes|nous|notre|nos|ca va|ça va",
        "bien|bon\\w*|tout|va|vas|quoi|neuf|nouvelles?|belle?|beau|jolie?|journée|jour|nuit|soir|soirée|matin\\w*|temps|aujourd'hui|hui|demain|hier|froid|chaud"
        "|pluie|pleut|pleuvoir|neige|soleil|vent|fait|fatigué\\w*|faim|soif|malade|dormi|passé|passe\\w*|hein|non|oui|si|vrai|vraiment|sûr|sérieux|n'est-ce pas"
        "|est-ce|pas|calme|tranquille|garde|ami|monsieur|madame|capitaine|heure|travail|vie|famille|marié\\w*|bière|boire|manger|chanson|blague|problème|alors"
        "|arrive|bizarre|entrer|merci|plaît|plait|long\\w*|dur\\w*|question|monde|autre|qu'il|comment ca",
    ),
    "es": _spaced(
        "(?:(?:a|de|en|por|para|con|desde|hasta|sobre) )?(?:quien(?:es)?|qué|cual(?:es)?|donde|cuando|como|cuant[oa]s?)",
        "(?:(?:puedes?|podrías?|podria) (?:decirme|explicarme|decirnos)|me (?:puedes?|podrías?|podria) (?:decir|explicar)|me pregunto|quiero saber|quisiera saber"
        "|háblame|hableme|cuéntame|cuenteme|dime|dígame|sabes|sabe usted|sabe|conoces|conoce|explica(?:me)?|describe|has oído hablar)",
        "tu|tú|tus|tuy[oa]s?|ti|te|contigo|usted|vosotros|vuestr\\w+|yo|me|mí|mi|mis|conmigo|nos|nosotros|nuestr\\w+|eres|estás|tienes|quieres|puedes|puedo|vas"
        "|vienes|haces|crees|piensas|vives|trabajas|duermes|has|llamas|andas|soy|estoy|tengo|necesitas|te \\w+",
        "tal|va|van|todo|toda|bien|bonit\\w+|buen\\w*|mal\\w*|día|días|noche\\w*|tarde\\w*|mañana|hoy|ayer|tiempo|clima|frí[oa]|calor|lluvia|llueve|llover"
        "|nieve|nieva|sol|viento|hace|cansad\\w+|hambre|sed|enferm\\w+|dormid\\w+|dormido|verdad|cierto|no|si|sí|eh|seguro|serio|en serio|nuev\\w+|novedades"
        "|noticias|pasa|pasar|pasó|tranquil\\w+|guardia|amig\\w+|señor\\w*|capitán|hora|trabajo|vida|familia|casad\\w+|cerveza|beber|comer|canción|chiste|problema\\w*"
        "|ocurre|entrar|gracias|favor|larg\\w+|dur\\w+|pregunta|lindo|linda|hermos\\w+|aquí|ahí|onda|gente|cuentas|cuenta|hay|listo|lista|otra|estuvo|fue",
    ),
    "it": _spaced(
        "(?:(?:a|di|da|in|per|con|su) )?(?:chi|che|cosa|che cosa|dove|quando|perché|come|quant[oaie]|qual[ei]?|dov'è|cos'è|com'è|chi è)",
        "(?:(?:puoi|potresti|può|potrebbe) (?:dirmi|spiegarmi|dirci)|mi (?:chiedo|sai dire|puoi dire|dica)|vorrei sapere|voglio sapere|parlami|dimmi|raccontami"
        "|sai|sapete|conosci|conosce|spiega(?:mi)?|descrivi|hai (?:mai )?sentito parlare)",
        "tu|tuo|tua|tuoi|tue|te|ti|voi|vostr\\w+|io|mi|me|mio|mia|miei|mie|noi|ci|nostr\\w+|sei|stai|hai|vuoi|puoi|posso|vai|vieni|fai|credi|pensi|vivi"
        "|lavori|dormi|chiami|racconti|sono|ho|sto|devo|possiamo",
        "va|vanno|tutto|tutti|bene|bell\\w+|buon\\w*|mal\\w+|giorn\\w+|notte|sera|serata|mattin\\w+|oggi|ieri|domani|tempo|fa|fredd\\w+|cald\\w+|piove|pioggia"
        "|piovere|neve|nevica|sole|vento|stanc\\w+|fame|sete|malat\\w+|dormito|vero|eh|no|sì|si|sicuro|serio|davvero|nuov\\w+|novità|notizie|succede|successo"
        "|passare|entrare|tranquill\\w+|guardia|amic\\w+|signor\\w*|capitano|ora|ore|lavoro|vita|famiglia|sposat\\w+|birra|bere|mangiare|canzone|barzelletta"
        "|problem\\w+|grazie|favore|lung\\w+|dur\\w+|domanda|qui|là|butta|andiamo|andate|gente|posto|a posto|pronto|giornata|nevicare|altra|altro|fatto|andata|stata",
    ),
    "pt": _spaced(
        "(?:(?:a|de|em|por|para|com|desde) )?(?:quem|que|o que|qual|quais|onde|quando|por ?que|como|quant[oa]s?)",
        "(?:(?:pode|podes|poderia) (?:me )?(?:dizer|explicar)(?:-me)?|queria saber|quero saber|gostaria de saber|pergunto-me|fale?-me|me fal[ae]|conta-me|me conte"
        "|diz-me|diga-me|me diga|sabes|você sabe|sabe|conheces|você conhece|conhece|explica|explique|descreve|já ouviu falar)",
        "tu|teus?|tuas?|te|ti|contigo|você|vocês|seus?|suas?|eu|me|mim|meus?|minhas?|comigo|nós|nos|nosso\\w*|nossa\\w*|estás|tens|queres|podes|posso|vais|vens"
        "|fazes|achas|vives|dormes|dormiste|estou|tenho|sou|podemos",
        "tudo|bem|bo[am]\\w*|bonit\\w+|lind\\w+|mau|má|dias?|noites?|tardes?|manhã|hoje|ontem|amanhã|tempo|clima|frio|calor|chuva|chove\\w*|neve|neva|sol|vento"
        "|está|faz|vai|vão|certo|verdade|né|não|nao|é|sim|cansad\\w+|fome|sede|doente|dormiu|seguro|sério|a sério|nov\\w+|novidades?|notícias|passa|passar|passou|aconteceu"
        "|acontece|acontecendo|entrar|tranquil\\w+|calm\\w+|guarda|amig\\w+|senhor\\w*|capitão|horas?|trabalho|vida|família|casad\\w+|cerveja|beber|comer|canção"
        "|piada|problema\\w*|obrigad\\w+|favor|long\\w+|dur\\w+|pergunta|aqui|aí|hein|gente|pronto|beleza|legal|fixe|outra|foi|correu|que tal",
    ),
    "nl": _spaced(
        "(?:(?:in|op|aan|van|met|voor|uit|bij|naar|sinds|door) )?(?:wie|wat|waar|wanneer|waarom|welke?|wiens|waarheen|hoe(?:veel| (?:hoog|oud|ver|lang|groot|diep"
        "|snel|zwaar|heet|heten|werkt|maak|kan men|kun je)))",
        "(?:(?:kun|kan|zou) (?:je|jij|u) (?:me|mij|ons) (?:kunnen )?(?:vertellen|zeggen|uitleggen)|ik (?:vraag me af|wil weten|zou graag weten)|vertel (?:me|mij|ons|eens)"
        "|zeg (?:me|mij|eens)|weet (?:je|jij|u|iemand)|ken (?:je|jij|u)|leg (?:me )?uit|beschrijf|noem|heb je (?:wel eens |ooit )*gehoord van)",
        "je|jij|jou|jouw|jullie|jezelf|u|uw|ik|mij|me|mijn|wij|we|ons|onze|hoe gaat|hoe is het|gaat het",
        "alles|goed\\w*|oké|gaat|is het|mooi\\w*|slecht\\w*|dag|nacht|avond|ochtend|morgen|vandaag|gisteren|weer\\w*|weertje|koud\\w*|warm\\w*|heet|regen\\w*|regent"
        "|sneeuw\\w*|zon\\w*|wind|moe|honger|dorst|ziek|geslapen|waar|hè|he|toch|niet|ja|nee|zeker|echt|serieus|nieuws|nieuwe?|gebeurt|gebeurd|aan de hand|hand|erdoor|door"
        "|doorgaan|binnen|binnenkomen|passeren|rustig\\w*|stil|druk\\w*|wacht\\w*|vriend\\w*|heer|meneer|mevrouw|kapitein|laat|tijd|werk|leven|familie|getrouwd|bier"
        "|drinken|eten|lied|liedje|grap|probleem|problemen|dank\\w*|bedankt|lang\\w*|zwaar|vraag|hier|mensen|klaar|lekker\\w*|mag|hoor|dienst",
    ),
    "ru": _spaced(
        "(?:(?:а|и|но|ну) )?(?:(?:в|на|с|о|об|из|к|по|от|до|для|у|за) )?(?:кто|кого|кому|кем|что|чего|чем|где|когда|почему|зачем|как|сколько|какой|какая|какое|какие|какого"
        "|каком|какую|каким|куда|откуда|чей|чья|чьё|который)",
        "(?:расскажи(?:те)?(?: мне| нам)?|скажи(?:те)?(?: мне| нам)?|(?:ты |вы )?(?:не )?(?:знаешь|знаете)(?: ли)?|объясни(?:те)?(?: мне)?|опиши(?:те)?|назови(?:те)?"
        "|(?:можешь|можете) (?:мне )?(?:сказать|рассказать|объяснить)|интересно|хочу (?:знать|узнать)|(?:ты |вы )?слышал[аи]? (?:ли )?о)",
        "ты|тебя|тебе|тобой|тво[йеяюи]\\w*|вы|вас|вам|вами|ваш\\w*|себе|себя|я|меня|мне|мной|мо[йеяюи]|мою|мы|нас|нам|нами|наш\\w*|делаешь|поживаешь|хочешь|можешь"
        "|идешь|живешь|любишь|думаешь|спишь|работаешь|зовут",
        "дела|дело|жизнь|все|всё|хорошо|хорош\\w+|плох\\w+|порядке|порядок|нового|новости|нов\\w+|слышно|холодно|холод\\w*|тепло|жарко|погод\\w+|дождь|снег|солнце|ветер"
        "|сегодня|вчера|завтра|день|дня|денек|ночь|ночи|вечер\\w*|утро|утра|правда|верно|так|да|нет|не|ли|же|ну|а|можно|пройти|войти|проходить|устал\\w*|голод\\w+|болен"
        "|спал\\w*|случилось|происходит|спокойно|тихо|стражник\\w*|страж\\w*|друг\\w*|господин|капитан|час|времени|время|работа|работы|семья|женат|замужем|пиво|пить|выпить"
        "|есть|песн\\w+|шутк\\w+|проблем\\w*|спасибо|пожалуйста|долг\\w+|трудн\\w+|тяжел\\w+|вопрос|люди|готов\\w*|прекрасн\\w+|чудесн\\w+|серьезно|здоровье|будет|там|тут|шутишь|красив\\w+|прошла|прошел",
    ),
    "pl": _spaced(
        "(?:(?:a|i|no) )?(?:(?:w|we|na|z|ze|o|od|do|dla|po|przez) )?(?:kto|kogo|komu|kim|co|czego|czym|gdzie|kiedy|dlaczego|czemu|jak|ile|ilu|który|która|które|którym|której"
        "|jaki|jaka|jakie|jakim|jakiej|skąd|dokąd|czyj\\w*)",
        "(?:opowiedz(?: mi| nam)?(?: o)?|powiedz(?: mi| nam)?|(?:czy )?(?:nie )?wiesz|(?:czy )?znasz|wyjaśnij(?: mi)?|opisz|wymień|(?:czy )?(?:możesz|mógłbyś) (?:mi )?(?:powiedzieć"
        "|wyjaśnić)|ciekawe|chcę wiedzieć|chciałbym wiedzieć|słyszałeś o)",
        "ty|ciebie|cię|ci|tobie|tobą|twój|twoj\\w*|twoich|wy|was|wam|wasz\\w*|pan|pani|państwo|sobie|siebie|ja|mnie|mi|mną|mój|moj\\w*|my|nas|nam|nasz\\w*|masz|jesteś|robisz"
        "|chcesz|możesz|mogę|mam|idziesz|żyjesz|lubisz|myślisz|śpisz|pracujesz|nazywasz|jestem|spałeś|spałaś|możemy",
        "słychać|wszystko|dobrz?e?\\w*|źle|porządku|nowego|now\\w+|wieści|zimn\\w+|ciepł\\w+|gorąco|pogod\\w+|deszcz|pada|śnieg|słońce|wiatr|dziś|dzisiaj|wczoraj|jutro|dzień"
        "|dzionek|noc|nocy|wieczór|rano|ranek|poranek|prawda|tak|nie|no|czy|można|wolno|przejść|wejść|zmęczon\\w+|głodn\\w+|chor\\w+|stało|dzieje|spokojnie|spokojn\\w+|cicho"
        "|strażnik\\w*|straż\\w*|przyjaciel\\w*|panie|kapitan\\w*|godzina|czas|praca|życie|rodzina|żonaty|piwo|pić|napić|jeść|piosenk\\w+|żart\\w*|problem\\w*|dzięk\\w+|proszę"
        "|dług\\w+|trudn\\w+|ciężk\\w+|pytanie|ludzie|gotow\\w+|piękn\\w+|ładn\\w+|serio|poważnie|będzie|padać|minął|minęła|zdrowie|zdrowia|tam|idzie|leci|się masz|jak",
    ),
    "sv": _spaced(
        "(?:(?:i|på|av|med|för|från|till|om) )?(?:vem|vad|var|när|varför|hur|vilken|vilket|vilka|vems)",
        "(?:kan du (?:berätta|säga|förklara)(?: för mig)?|jag undrar|berätta(?: för mig)?(?: om)?|säg mig|vet du|känner du till|förklara|beskriv)",
        "du|dig|din|ditt|dina|ni|er|era|jag|mig|min|mitt|mina|vi|oss|vår\\w*",
        "allt|bra|mår|läget|är läget|fin\\w*|vack\\w+|väder|vädret|dag|idag|natt|kväll|morgon|kallt?|varmt?|regn\\w*|snö\\w*|sol\\w*|trött|hungrig|törstig|eller hur|hur|nytt"
        "|nyheter|händer|hänt|vakt\\w*|vän\\w*|herr\\w*|tid|klockan|jobb|liv|öl|tack|visst|inte|sant|säker|lugnt?|står|går",
    ),
    "tr": _spaced(
        "(?:kim|kimin|kime|ne|neden|niçin|nasıl|nerede|nereye|ne zaman|kaç|hangi|hangisi)",
        "(?:bana (?:söyle|anlat)|söyle|anlat|biliyor musun|biliyor musunuz|açıkla|merak ediyorum)",
        "sen|seni|sana|senin|siz|sizi|size|sizin|ben|beni|bana|benim|biz|bizi|bize|bizim|nasılsın\\w*|naber|ne haber|musun|misin|mısın|müsün|adın",
        "hava|güzel|soğuk|sıcak|bugün|dün|yarın|gün|gece|akşam|sabah|günaydın|iyi\\w*|kötü|değil|mi|mı|mu|mü|var|yok|haber\\w*|yeni|yorgun\\w*|aç|evet|hayır|gerçekten|her|şey"
        "|yolunda|tamam|geçebilir\\w*|bekçi|muhafız|dost\\w*|efendim|saat|iş|hayat|teşekkür\\w*|lütfen|yağmur|kar|nasıl|gidiyor|oldu|oluyor|ne",
    ),
    "ar": _spaced(
        "(?:و|ف)?(?:(?:في|من|على|الى|عن) )?(?:من|ما|ماذا|اين|متى|لماذا|كيف|كم|اي|هل)",
        "(?:هل )?(?:اخبرني|حدثني|قل لي|تعرف|تعلم|اشرح|اريد ان اعرف)",
        "انت|انتم|انا|نحن|اسمك|حالك|عندك|لديك|تريد|بك|لك|\\w+ك الحال|كيف الحال|يمكنني|اخبارك",
        "الحال|الجو|الطقس|جميل\\w*|بارد|حار|اليوم|امس|غدا|صباح|مساء|الليل\\w*|ليلة|الخير|بخير|جيد|حسنا|اليس|كذلك|نعم|لا|حقا|كل|شيء|على|ما|يرام|جديد|الاخبار|الاخبار|متعب"
        "|جائع|حارس|الحارس|صديقي|سيدي|شكرا|الوقت|الساعة|العمل|هناك|يحدث|حدث|المرور|الدخول",
    ),
    "ja": _unspaced(
        "誰|だれ|何|なに|どこ|いつ|なぜ|どうして|どうやって|どのくらい|どれくらい|どんな|どの|どちら|いくつ|いくら|どう",
        "教えて(?:ください|くれ)?|について|(?:を|って)?(?:知っていますか|知ってますか|知っている|知ってる)|聞きたい|説明して",
        "あなた|君|きみ|お前|おまえ|貴方|私|わたし|俺|僕|ぼく|我々|名前は(?:何|なん)?|自分|お元気|ご家族|ご飯|元気",
        "最近|調子|天気|今日|昨日|明日|今夜|今晩|今朝|夜|朝|昼|日|寒|暑|暖|涼|雨|雪|風|晴|静|忙|暇|疲|眠|腹|空|喉|渇|大丈夫|本当|ほんと|通|入|行|来|待|座|飲|食|寝|休|話|聞"
        "|言|見|思|好|嫌|楽|嬉|悲|痛|怒|良|悪|元気|機嫌|気分|様子|具合|変|変わ|問題|事|物|人|時間|時|仕事|番|門番|衛兵|兵士|隊長|旦那|友|友達|家族|結婚|酒|ビール|歌|冗談|助|手伝"
        "|いい|噂|知らせ|体|新|何|誰|皆|何時|久|一杯|長|大変|勤務|名前|[ぁ-ゖ]",
    ),
    "zh": _unspaced(
        "谁|誰|什么|什麼|哪|几|幾|多少|多高|多大|多长|多長|多远|多遠|多深|为什么|為什麼|为何|為何|怎么|怎麼|怎样|怎樣|如何|何时|何時|何处",
        "(?:请|請)?(?:告诉|告訴)(?:我|我们)?|(?:你|您)(?:知不知道|知道|了解|认识|听说过|能告诉我|可以告诉我)|我(?:想|要|很想)知道|介绍一下|介紹一下|说说|講講|讲讲|解释",
        "你|您|我|咱|俺|贵姓|本人|自己",
        "为什么|為什麼|为何|最近|怎么样|怎麼樣|怎样|怎么|天气|天氣|今天|昨天|明天|今晚|晚上|早上|夜里|晚|早|夜|天|日|真|很|太|好|冷|热|熱|暖|凉|下雨|雨|雪|风|風|累|困|饿|餓|渴|病|忙|闲|睡|吃|饭|飯"
        "|喝|酒|还|還|都|也|可以|能|过去|過去|过|過|进|進|去|来|來|走|坐|等|让|让开|什么|什麼|新|消息|新闻|新鲜事|事|事情|发生|發生|怎么回事|没|沒|有|没事|不|对|對|吧|吗|嗎|呢|啊|呀"
        "|是|的|了|这|這|那|里|儿|兒|些|个|個|现在|現在|在|得|身体|身體|真的|当真|认真|开玩笑|守卫|守衛|卫兵|门卫|門衛|队长|隊長|大人|先生|兄弟|朋友|时间|時間|时候|點|点|几|工作|生活|家|家人|家里|结婚|歌"
        "|笑话|问题|問題|帮|幫|忙|谢|谢谢|請|请|安静|安靜|平安|无聊|一切|顺利|還好|还好|舒服|高兴|开心|难过|疼|久|长|辛苦|班|巡逻|人|谁|誰|哪|说|說|话|話|看|听|听说|想|干|做|呢",
    ),
    "ko": _unspaced(
        "무엇|무슨|뭐|뭔|뭘|누구|누가|어디|언제|왜|어떻게|얼마|어느|어떤|몇",
        "알려\\s?(?:줘|주세요|주십시오)|말해\\s?(?:줘|주세요)|설명해\\s?(?:줘|주세요)|에 (?:대해|관해)\\w*|알고\\s?(?:있|계)\\w*|아세요|아니|궁금\\w*",
        "(?<!\\w)(?:당신|너|네|니|넌|널|자네|저|제|전|나|난|내|날|우리|저희)(?:는|은|가|이|를|을|의|에게|도|랑|한테|야)?요?(?!\\w)|이름이 뭐|성함",
        "(?<!\\w)\\w*(?:안녕|잘 ?지내|지내|별일|오늘|어제|내일|오늘밤|아침|저녁|점심|밤|날씨|날이|춥|추우|추워|덥|더워|더우|비가|비 |올까|눈이|거기|여기|한 ?잔|할래|않|바람|피곤|힘들|배고|목마|졸리|졸려|잤|주무|식사|밥|먹|드셨|마시|술|맥주"
        "|괜찮|좋|나쁘|나빠|없|있|기분|요즘|새로|소식|소문|무슨 일|일이|일은|진짜|정말|그렇|맞|죠|들어가|지나가|가도|되나|될까|돼|경비|수문장|문지기|병사|대장|나리|친구|시간|몇 시|지금|가족|결혼|노래|농담"
        "|문제|도와|고마|감사|바쁘|바빠|조용|심심|근무|하루|어때|어떠|어떻|뭐해|뭐하|하세|해요|왔|오셨|오세|어디|누구|뭐|무슨|언제|왜)\\w*",
    ),
}
