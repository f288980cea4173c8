"""Questions of fact and small talk."""

import pytest

from llmops_api.core import questions
from llmops_api.core.questions import asks_for_fact

PERSONA = (
    "Corporal Joss Thrupp\nGuard of the Ember Gate. Dry, patient, counts everything; fond of the moon and of geese."
)

ASKED = """
Who painted the Mona Lisa?
tell me about the Eiffel Tower
Do you know who won the 1998 World Cup?
Good evening! What's the capital of France?
hey guard, whats the speed of light
Hello there, can you tell me who wrote Hamlet?
Captain, when did the Second World War end?
I want to know how tall Mount Everest is.
I wonder who invented the telephone
Have you heard of Napoleon Bonaparte?
do you know anything about quantum physics
What do you know about the pyramids?
what can you tell me about Gandalf
Is it true that the earth is flat?
Did Napoleon die on Saint Helena?
is paris in france
Was Shakespeare Italian?
Explain photosynthesis.
Explain to me the theory of relativity
Name the largest planet.
how do you make gunpowder?
How many bones are in the human body
Who's the president of the United States?
Where is the Louvre?
So Paris is the capital of France?
capital of france?
Paris is the capital of France, isn't it?
Who do you think won the World Cup?
Where can I buy a healing potion?
how do you tame a griffin
What's the square root of 144, my friend?
Thanks! And which ocean is the deepest?
In which year did the Titanic sink?
Could you please tell me what DNA stands for?
any idea who directed Titanic?
What colour was Napoleon's white horse?
Why is the sky blue?
My lord, who cursed Sleeping Beauty?
I'm fine. Who is the pope?
Can you explain how vaccines work?
When does the Louvre close?
how old was Joan of Arc when she died
Quick question: who shot John Lennon?
Remind me who founded Microsoft
you wouldn't happen to know who composed the Ninth Symphony?
I'd like to know the boiling point of mercury
What is Captain Brack's horse called?
who forged the sword of the drowned queen
Is there a dragon in the northern pass?
Who rules Gondor?
Does Santa Claus exist?
what language do they speak in brazil
I need to know where the king of Gondor lives.
Please, tell us the name of the wife of Henry the Eighth.
To whom did Alexander leave his empire?
I've been wondering about black holes.
Good morning, guard. Who won the battle of Waterloo?
Which war was fought between the north and the south of the United States?
Who was Cleopatra?
WHO PAINTED THE MONA LISA
What happened in Paris in 1789?
What did Einstein discover?
So what is the tallest mountain then?
Hey! You there! Who built the pyramids?
guard do you know the capital of spain
please tell me who discovered america
What is a black hole?
Who on earth was Julius Caesar?
What was the name of Alexander's horse?
Which team won the Super Bowl in 2010?
how far is it to the moon
how far away is the moon
Is Pluto a planet?
Is it true Napoleon was short?
Are there any kangaroos in Austria?
Tell me the story of Romeo and Juliet.
Tell me, who was Mozart?
What do they call the fastest animal on land?
my friend says paris is in italy, is that right?
Got any idea when Columbus sailed?
In what year was the Magna Carta signed?
What's 12 times 14?
can you name three Beatles songs?
Teach me how to build a nuclear reactor
What does the word photosynthesis mean?
give me the recipe for carbonara
Who's Batman?
Where do penguins live?
Good day, sir. I was wondering who the prime minister of England is.
By the way, when was the printing press invented?
does the sun revolve around the earth
Who plays Iron Man in the movies?
What do you call a baby kangaroo?
capital of France
the boiling point of mercury
harry potter who is he
Mount Everest, how tall is it
Someone told me Einstein discovered relativity. True?
My friend says Napoleon died on Elba, is that so?
They say the Titanic sank in 1912. Is that right?
I'd bet you can't tell me who painted the Mona Lisa
bet you don't know the capital of Spain
I bet nobody can name the planets of the solar system
"""

SAID = """
Good morning, guard
Good morning, guard!
Good morning, guard?
hello
Hi there, friend.
How are you?
how are you doing today
How's it going?
what's up
What's your name?
who are you
Where are you from?
what did you just say?
What do you mean?
have you been on duty long?
How long have you been on duty?
How long have you been a guard here?
Are you tired?
Do you like your job?
Thank you so much!
thanks, bye
Farewell, and stay warm.
I feel sad today.
I'm so tired of walking.
Open the gate!
Let me in.
Follow me
Give me your sword.
You look terrible.
Ha, you are funny!
What a lovely day
How nice!
how dare you
Nice weather, isn't it?
Cold night, eh?
Lovely evening, isn't it?
Tell me about yourself
Tell me a joke
tell me more
Sing me a song.
Can I come in?
May I pass?
What should I do now?
Do you remember me?
Do you know who I am?
What's my name?
Why?
Really?
what?
Who, me?
You're new here, aren't you?
What do you think of me?
What's new?
What is happening?
Is everything alright?
Are you sure?
Can you hear me?
Will you marry me?
would you like a drink?
could you help me?
Can you help me, please?
I love you.
Who cares
who knows
When I was young I fought in the war
Where I come from we say hello first.
I killed the dragon yesterday.
It is cold tonight.
Have a nice day!
Do come in.
Don't move!
See you tomorrow.
Never mind.
What time is it?
How's the weather?
How was your day?
How do you do?
How do you feel?
How do you like it here?
What do you do here all day?
Why are you here?
What are you doing?
What's wrong?
What's the matter, guard?
Did you sleep well?
Are you married?
Do you have children?
What is your favourite food?
What makes you happy?
Who do you love?
Hey Joss, busy night?
Long shift?
Another drink?
Who is Joss Thrupp?
That's not what I asked.
Can we talk?
Shall we go?
I said, what did you say?
lol
:)
...
you suck
My name is Arthur. What's yours?
I am looking for trouble.
Do you ever sleep?
Can you repeat that?
Could you say that again, please?
What were we talking about?
Sorry, I did not understand you.
What would you like?
Tell me what you think.
Do you want to hear a secret?
How are things?
how have you been
Good evening sir, quiet night?
Goodnight.
Is that so?
Is it you?
I have a question.
may the gods be with you
What happened to you?
Where did you grow up?
Tell me how you feel.
Tell me about your family.
Seen anything strange tonight?
Any rumors?
Got any work for me?
What have you got for sale?
Where's everyone?
What would you do if a dragon came?
Who is your captain?
Where's your sword?
What's that on your belt?
What's that noise?
Is this your first day?
Do you ever miss home?
Why so serious?
Why the long face?
Mind if I sit?
What brings you here?
What do you want?
Who goes there?
What's the plan?
Are we friends?
Did you miss me?
Do you trust me?
Can you keep a secret?
Can I trust you?
What can I do for you?
how can i help
Is it always this quiet?
Is it going to rain?
Does it hurt?
does your knee still hurt?
where did everybody go?
Who are those people?
what did I miss?
Am I late?
Are you kidding?
is anyone there?
What's for dinner?
Cat got your tongue?
How's the family?
how is your wife?
How's life treating you?
What gives?
who's there?
Guess what?
You know what?
Know what I mean?
Isn't it a beautiful morning?
What's a guy like you doing here?
Would it kill you to smile?
Is that a threat?
What's that supposed to mean?
Who do you think you are?
Was that a joke?
What kind of a guard are you?
Where have you been?
What took you so long?
Any news?
Need a hand?
Want some bread?
Tell me something nice.
Tell me a story.
Tell me what to do.
Tell me your name.
Do you know my name?
Do you know what time it is?
do you know how to dance?
Do you remember what I told you?
Have you heard the news?
Have you seen my horse?
Have you ever been in love?
Can you sing?
Can you fight?
could you lend me a coin
What do you mean by that?
What are you talking about?
What's so funny?
who told you that?
How did you know that?
How do you know my name?
Where are we?
Where am I?
Are we there yet?
what's going on here
What happened?
Hello! How can I get on your good side?
I wonder if you like me.
I would like to know you better.
I want to ask you something.
I have a question for you.
Explain yourself!
Name your price.
Describe yourself.
Show me what you've got.
Good luck!
Happy birthday!
Well met, traveler.
It was nice to meet you, what a pleasure.
Sorry about that, are you hurt?
Is your shift almost over?
Why do you hate me?
What's your favourite colour?
How many times have I told you?
How much do you earn?
how old are you?
Is there anything I can do for you?
Is there a problem, officer?
Is something wrong?
Is that true?
You are new here. Right?
It is cold tonight. True?
I bet you can't tell me a joke.
I bet you don't know my name.
I'd bet you could use a drink.
that man over there, who is he
the captain who is he
your friend who is he?
guard who is it
The speed of your tongue!
The age of you!
Captain of the guard
Fancy a pint, Joss?
Lord of the manor!
Guard of the Ember Gate
"""

OTHER_LANGUAGES = [
    ("de", "Wer hat die Mona Lisa gemalt?", True),
    ("de", "Guten Morgen, Wache!", False),
    ("de", "Wie geht es dir?", False),
    ("de", "Erzähl mir vom Eiffelturm", True),
    ("de", "Wie heißt du?", False),
    ("de", "Was ist die Hauptstadt von Frankreich", True),
    ("fr", "Qui a peint la Joconde ?", True),
    ("fr", "Bonjour, garde !", False),
    ("fr", "Comment ça va ?", False),
    ("fr", "Quelle est la capitale de la France ?", True),
    ("fr", "Comment tu t’appelles ?", False),
    ("es", "¿Quién pintó la Mona Lisa?", True),
    ("es", "¡Buenos días, guardia!", False),
    ("es", "¿Cómo estás?", False),
    ("es", "¿Cómo te llamas?", False),
    ("es", "Háblame de la torre Eiffel", True),
    ("it", "Chi ha dipinto la Gioconda?", True),
    ("it", "Come stai?", False),
    ("it", "Buongiorno, guardia", False),
    ("ru", "Кто написал «Войну и мир»?", True),
    ("ru", "Как дела?", False),
    ("ru", "Доброе утро, стражник!", False),
    ("ja", "モナリザを描いたのは誰ですか？", True),
    ("ja", "おはようございます", False),
    ("ja", "お元気ですか？", False),
    ("zh", "谁画了蒙娜丽莎？", True),
    ("zh", "你好！", False),
    ("zh", "你叫什么名字？", False),
    ("ko", "모나리자를 그린 사람은 누구입니까?", True),
    ("ko", "안녕하세요", False),
    ("ar", "من رسم الموناليزا؟", True),
    ("ar", "صباح الخير", False),
    ("ar", "كيف حالك؟", False),
    ("pt", "Quem pintou a Mona Lisa?", True),
    ("pt", "Bom dia, guarda!", False),
    ("pl", "Kto namalował Mona Lisę?", True),
    ("nl", "Wie schilderde de Mona Lisa?", True),
    ("nl", "Hoe gaat het?", False),
    ("sv", "Vem målade Mona Lisa?", True),
    ("tr", "Mona Lisa tablosunu kim yaptı?", True),
    ("tr", "Merhaba", False),
    ("th", "สวัสดีครับ", False),
    ("en", "¿Quién pintó la Mona Lisa?", True),
    ("de", "Good morning, guard", False),
]


@pytest.mark.parametrize("text", ASKED.strip().splitlines())
def test_a_question_about_the_world_asks_for_a_fact(text: str) -> None:
    """With or without a question mark, a greeting, a request around it, or anything else beside it."""
    assert asks_for_fact(text, "en", PERSONA)


@pytest.mark.parametrize("text", SAID.strip().splitlines())
def test_small_talk_asks_for_no_fact(text: str) -> None:
    """Greetings, thanks, feelings, orders, banter, and questions about the two who talk."""
    assert not asks_for_fact(text, "en", PERSONA)


@pytest.mark.parametrize(("locale", "text", "asked"), OTHER_LANGUAGES)
def test_other_languages_have_questions_and_greetings_too(locale: str, text: str, asked: bool) -> None:
    """Greetings and "how are you" are never taken for questions of fact."""
    assert asks_for_fact(text, locale, PERSONA) is asked


@pytest.mark.parametrize(
    "before", ["", "Good morning, guard. ", "Thank you! ", "I am cold; ", "Hey Joss, ", "*waves* "]
)
@pytest.mark.parametrize("after", ["", " Thank you.", " Tell me, friend."])
def test_a_question_is_found_between_other_things(before: str, after: str) -> None:
    """It may stand anywhere in what a player says."""
    assert asks_for_fact(f"{before}What's the capital of France?{after}", "en", PERSONA)


@pytest.mark.parametrize("persona", ["", "Guard", PERSONA])
def test_nobody_is_refused_a_good_morning(persona: str) -> None:
    """Whoever is greeted."""
    assert not asks_for_fact("Good morning, guard", "en", persona)


def test_a_question_that_names_the_character_is_about_the_character() -> None:
    """Unless it asks for something that its description does not speak of; a shared word alone is not enough."""
    assert not asks_for_fact("Who is Joss Thrupp?", "en", PERSONA)
    assert not asks_for_fact("Is Corporal Thrupp fond of geese?", "en", PERSONA)
    assert asks_for_fact("Who is the wife of Joss Thrupp?", "en", PERSONA)
    assert asks_for_fact("Who is Joss Thrupp?", "en", "Bettony Rusk\nFerrywoman.")
    assert asks_for_fact("How far is the moon?", "en", PERSONA)


@pytest.mark.parametrize(
    "text", ["", " ", "?", "???", "...", ",,,", "\n", "\u200b", "🙂?", "what", "how", "is it", "tell me"]
)
def test_what_asks_nothing_asks_for_no_fact(text: str) -> None:
    """Blanks, marks and half sentences."""
    assert not asks_for_fact(text, "en", PERSONA)


@pytest.mark.parametrize("text", ["do you " * 5000, "how, " * 5000, "," * 20000, "is it " * 9000, "so " * 9000 + "?"])
def test_a_long_babble_is_answered_too(text: str) -> None:
    """Only the beginning and the end are looked at, and there a question is found."""
    assert not asks_for_fact(text, "en", PERSONA)
    assert asks_for_fact(f"{text}. Who painted the Mona Lisa?", "en", PERSONA)


def test_a_persona_is_analysed_once_for_all_that_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a thousand times as long as a question, and stays the same from turn to turn."""
    analysed = []

    def counted(text: str, locale: str) -> tuple[str, ...]:
        analysed.append(text)
        return analyse(text, locale)

    analyse = questions.analyse
    monkeypatch.setattr(questions, "analyse", counted)
    for text in ("How are you?", "How far is the moon?", "Good morning."):
        asks_for_fact(text, "en", "Somebody of this test alone")

    assert len(analysed) == 1
