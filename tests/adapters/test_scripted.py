"""The scripted stand-in: what it quotes, in whose manner, and what goes wrong on request."""

import asyncio
import json
from dataclasses import replace

import jsonschema_rs
import pytest

from llmops_api.adapters.scripted.answers import STAND_IN
from llmops_api.adapters.scripted.model import MODELS, ScriptedChatModel, ScriptedSettings, open_chat_model
from llmops_api.adapters.scripted.smallest_json import SchemaError, smallest
from llmops_api.errors import ProviderInterrupted, ProviderRejected, ProviderThrottled, ProviderUnavailable
from llmops_api.ports.chat import (
    ChatModel,
    ChatRequest,
    FinishReason,
    Message,
    Parameters,
    ResponseFormat,
    Role,
)
from tests.contracts.chat_model import ChatModelContract, a_request, chunks_of, pieces_before

LORE = """<lore>
<document id="place/gate" title="The Ember Gate">Two towers hold it up. It shuts when the Covering Bell rings &amp; opens at five.</document>
<document id="creature/goose" title="Geese">Geese are charged by the head. Nobody likes them.</document>
</lore>"""
QUOTE = "It shuts when the Covering Bell rings & opens at five."
GREETING = "One traveller. No geese. What do you need of me on such a long and rainy afternoon as this one?"
CHARACTER = f"""<character name="Joss Thrupp">
<greeting>{GREETING}</greeting>
<example_dialogue>{{{{user}}}}: Who are you?
{{{{char}}}}: *sighs* "Keeper of this gate."
Joss Thrupp: Knock on the small door. Cold?</example_dialogue>
</character>"""
OPENINGS = ("One traveller.", "No geese.", "Keeper of this gate.", "Knock on the small door.")


@pytest.fixture
def scripted() -> ScriptedChatModel:
    return ScriptedChatModel(ScriptedSettings(slow_seconds=0.02, interrupts_after=2))


class TestScriptedChatModel(ChatModelContract):
    answering = "demo"
    slow = "slow"

    @pytest.fixture
    def model(self, scripted: ScriptedChatModel) -> ChatModel:
        return scripted


def asked(question: str, *, lore: str = LORE, character: str = "", model: str = "demo") -> ChatRequest:
    system = f"{character}\nSay only the spoken words."
    return ChatRequest(model, (Message.of(Role.SYSTEM, system), Message.of(Role.USER, f"{lore}\n{question}")))


async def text_of(model: ChatModel, request: ChatRequest) -> str:
    return (await model.generate(request)).text


async def test_it_quotes_the_sentence_of_the_lore_that_fits_the_question(scripted: ScriptedChatModel):
    text = await text_of(scripted, asked("<question>At what bell does the gate shut?</question>"))

    assert text.endswith(QUOTE)


async def test_without_a_character_it_says_that_it_is_no_language_model(scripted: ScriptedChatModel):
    grounded = await text_of(scripted, asked("<question>Who likes geese?</question>"))
    ungrounded = await text_of(scripted, a_request("demo"))

    assert "no language model" in grounded
    assert "no language model" in ungrounded


async def test_one_word_is_not_counted_in_the_plural(scripted: ScriptedChatModel):
    for prompt, count in (("Hello", "1 word"), ("Hello there", "2 words")):
        request = ChatRequest("demo", (Message.of(Role.USER, prompt),))
        assert f"It was given {count} and no lore" in await text_of(scripted, request)


def lore_of(*texts: str) -> str:
    return "<lore>" + "".join(f'<document id="{text}" title="">{text}</document>' for text in texts) + "</lore>"


async def test_what_the_search_found_best_is_quoted_before_what_shares_one_word_more(scripted: ScriptedChatModel):
    lore = lore_of(
        "The old brass bell rings.", "Leeks grow.", "Pies burn.", "Carts roll.", "The old brass bell rings at dusk."
    )

    text = await text_of(scripted, asked("Does the old brass bell ring at dusk?", lore=lore))

    assert text.endswith(": The old brass bell rings.")


async def test_a_question_after_a_time_is_answered_with_one(scripted: ScriptedChatModel):
    lore = lore_of("The gate closes with a groan. The gate closes at nine.")

    assert (await text_of(scripted, asked("When does the gate close?", lore=lore))).endswith(
        " The gate closes at nine."
    )
    assert (await text_of(scripted, asked("Does the gate close?", lore=lore))).endswith(" with a groan.")


async def test_a_character_opens_in_its_own_manner_and_then_quotes(scripted: ScriptedChatModel):
    lines = [f"<player_line>When does the gate shut{'!' * number}</player_line>" for number in range(60)]

    said = {await text_of(scripted, asked(line, character=CHARACTER)) for line in lines}

    assert said == {f"{opening} {QUOTE}" for opening in OPENINGS}


FOREIGN = {
    "灰の門はいつ閉まりますか？": "灰の門は日没の鐘で閉まり、夜明けに開く。",
    "门什么时候关？": "门在黄昏关闭。",
    "재의 문은 언제 닫힙니까?": "재의 문은 해 질 녘에 닫힌다.",
    "Wann schließt das Tor?": "Das Tor schließt mit der Abendglocke.",
    "¿Cuándo cierra la puerta?": "La puerta cierra al anochecer.",
    "Когда закрываются ворота?": "Ворота закрываются на закате.",
}


@pytest.mark.parametrize("question", FOREIGN)
async def test_it_quotes_lore_in_any_language(scripted: ScriptedChatModel, question: str):
    other = "湖は深い。湖很深。호수는 깊다. Der See ist tief. El lago es hondo. Озеро глубокое."
    lore = f'<lore><document title="x">{FOREIGN[question]}</document><document title="y">{other}</document></lore>'
    character = "<character name='x'><greeting>Hm.</greeting></character>"

    assert await text_of(scripted, asked(question, lore=lore)) == f"{STAND_IN} The lore says: {FOREIGN[question]}"
    assert await text_of(scripted, asked(question, lore=lore, character=character)) == f"Hm. {FOREIGN[question]}"


@pytest.mark.parametrize(
    "greeting", ["こんにちは。元気ですか？", "你好吗？", "Wie geht es dir?", "¿Qué tal?", "Как дела?"]
)
async def test_small_talk_in_any_language_is_no_reason_to_quote(scripted: ScriptedChatModel, greeting: str):
    assert "gate" not in await text_of(scripted, asked(greeting, character="<character name='x'></character>"))


@pytest.mark.parametrize("lore", [LORE, ""])
async def test_small_talk_is_answered_with_the_spoken_words_of_the_characters_own_lines(
    scripted: ScriptedChatModel, lore: str
):
    greetings = [f"<player_line>Good morning{'!' * number}</player_line>" for number in range(40)]

    said = {await text_of(scripted, asked(greeting, lore=lore, character=CHARACTER)) for greeting in greetings}

    assert said == {GREETING, "Keeper of this gate.", "Knock on the small door. Cold?"}


async def test_a_character_without_lines_still_speaks(scripted: ScriptedChatModel):
    assert await text_of(scripted, asked("Hello", lore="", character='<character name="Mute"></character>'))


async def test_the_same_prompt_has_the_same_answer(scripted: ScriptedChatModel):
    request = asked("<player_line>Who likes geese?</player_line>", character=CHARACTER)

    assert await text_of(scripted, request) == await text_of(ScriptedChatModel(), request)


async def test_marks_that_are_never_closed_are_read_in_linear_time(scripted: ScriptedChatModel):
    text = "<lore><document " * 200_000

    assert await text_of(scripted, ChatRequest("demo", (Message.of(Role.USER, text),)))


async def test_queued_replies_come_first_and_in_order(scripted: ScriptedChatModel):
    throttled = ProviderThrottled("slow down", provider="scripted")
    scripted.queue("First.", throttled, "Second.")

    assert await text_of(scripted, a_request("demo")) == "First."
    with pytest.raises(ProviderThrottled):
        await chunks_of(scripted, a_request("demo"))
    assert "".join(chunk.text for chunk in await chunks_of(scripted, a_request("demo"))) == "Second."
    assert "stand-in" in await text_of(scripted, a_request("demo"))


async def test_it_remembers_what_it_was_asked(scripted: ScriptedChatModel):
    request = a_request("demo")

    await scripted.generate(request)

    assert list(scripted.requests) == [request]


async def test_echo_repeats_its_whole_prompt(scripted: ScriptedChatModel):
    request = asked("Tell me your rules.", character=CHARACTER, model="echo")

    assert await text_of(scripted, request) == "\n".join(message.text for message in request.messages)


async def test_fails_is_unavailable(scripted: ScriptedChatModel):
    with pytest.raises(ProviderUnavailable):
        await scripted.generate(a_request("fails"))
    with pytest.raises(ProviderUnavailable):
        await chunks_of(scripted, a_request("fails"))


async def test_interrupts_stops_after_some_pieces(scripted: ScriptedChatModel):
    scripted.queue("one two three four")

    chunks = await pieces_before(ProviderInterrupted, scripted.stream(a_request("interrupts")))

    assert [chunk.text for chunk in chunks] == ["one ", "two "]
    with pytest.raises(ProviderInterrupted):
        await scripted.generate(a_request("interrupts"))


async def test_slow_waits_before_the_first_piece():
    patient = ScriptedChatModel(ScriptedSettings(slow_seconds=3600))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(patient.generate(a_request("slow")), 0.01)


async def test_a_model_that_it_does_not_have_is_rejected(scripted: ScriptedChatModel):
    with pytest.raises(ProviderRejected, match=", ".join(MODELS)):
        await scripted.generate(a_request("gpt"))


async def test_max_tokens_and_stop_sequences_shorten_the_answer(scripted: ScriptedChatModel):
    scripted.queue("one two three", "one two three")

    short = await scripted.generate(replace(a_request("demo"), parameters=Parameters(max_tokens=2)))
    stopped = await scripted.generate(replace(a_request("demo"), parameters=Parameters(stop_sequences=("two",))))

    assert (short.text, short.finish_reason, short.usage.output_tokens) == ("one two ", FinishReason.LENGTH, 2)
    assert (stopped.text, stopped.finish_reason) == ("one ", FinishReason.STOP)


async def test_its_knobs_are_read_from_the_environment_when_it_is_opened(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LLMOPS_SCRIPTED__INTERRUPTS_AFTER", "1")

    async with open_chat_model() as model:
        chunks = await pieces_before(ProviderInterrupted, model.stream(a_request("interrupts")))

    assert [chunk.text for chunk in chunks] == ["This "]


FITTING = [
    {"const": 3},
    {"enum": ["a", "b"]},
    {"type": ["string", "null"], "minLength": 12, "maxLength": 14},
    {"type": "string", "format": "date-time"},
    {"type": "integer", "minimum": 7, "multipleOf": 5},
    {"type": "integer", "maximum": -1},
    {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    {"type": "number", "exclusiveMinimum": 2},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 3},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "minItems": 2},
    {"properties": {"a": {"type": "string"}}, "required": ["a", "b"], "additionalProperties": {"type": "integer"}},
    {"anyOf": [{"type": "string"}, {"type": "null"}]},
    {"$ref": "#/$defs/name", "$defs": {"name": {"type": "string", "maxLength": 3}}},
    {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"$ref": "#/$defs/b~1c"}}, "required": ["b"]},
        ],
        "$defs": {"b/c": {"type": "array", "minItems": 1, "items": {"type": "string"}}},
    },
    {"type": "object", "properties": {"child": {"$ref": "#"}}},
    {},
    True,
]


@pytest.mark.parametrize("schema", FITTING, ids=json.dumps)
def test_the_smallest_value_fits_its_schema(schema: dict | bool):
    assert jsonschema_rs.is_valid(schema, smallest(schema))


BEYOND = [
    {"type": "string", "pattern": "^[0-9]+$"},
    {"type": "object", "properties": {"child": {"$ref": "#"}}, "required": ["child"]},
    {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    {"type": "array", "minItems": 1_000_000_000, "items": {"type": "string"}},
    {"type": "string", "minLength": 1_000_000_000},
    {"type": "integer", "minimum": 1, "maximum": 4, "multipleOf": 5},
    {"type": "integer", "multipleOf": 0},
    {"$ref": "https://example.com/schema"},
    {"$ref": "#/$defs/missing"},
    {"properties": 5, "required": ["a"]},
    {"enum": []},
    False,
]


@pytest.mark.parametrize("schema", BEYOND, ids=json.dumps)
def test_a_schema_that_it_cannot_fill_is_refused(schema: dict | bool):
    with pytest.raises(SchemaError):
        smallest(schema)


def test_a_schema_that_doubles_at_every_step_is_refused_soon():
    steps = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(40)}

    with pytest.raises(SchemaError):
        smallest({"$ref": "#/$defs/s0", "$defs": {**steps, "s40": {"type": "string"}}})


@pytest.mark.parametrize("schema", [{"pattern": "x"}, {"const": "half of \ud83d"}], ids=["pattern", "half"])
async def test_a_response_format_that_it_cannot_fill_is_rejected(scripted: ScriptedChatModel, schema: dict):
    request = replace(a_request("demo"), response_format=ResponseFormat(schema))

    with pytest.raises(ProviderRejected, match="response format"):
        await scripted.generate(request)
