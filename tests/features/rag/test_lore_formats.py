"""Files of text as lore documents: what the writer put at the head of them counts."""

import pytest

from llmops_api.core.documents import Document
from llmops_api.errors import BadInput
from llmops_api.features.rag.lore_formats import MAX_FRONT_MATTER_CHARS, document_of_file

FULL = """---
title: The Well
kind: place
tags: [common, water]
keys:
  - the old hole
importance: 5
locale: en-GB
author: Ede
written: 2026-01-02
nothing:
---

# About the well

It is deep.
"""


def _read(content: str, name: str = "places/well.md") -> Document:
    return document_of_file(name, content.encode(), max_chars=1000)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_front_matter_gives_the_fields_and_the_rest_is_metadata(ends: str) -> None:
    """A date stays as it was written, a field without a value is left out, the text begins after it."""
    document = _read(FULL.replace("\n", ends))

    assert document == Document(
        id="places/well",
        title="The Well",
        text=f"# About the well{ends}{ends}It is deep.",
        kind="place",
        tags=("common", "water"),
        keys=("the old hole",),
        importance=5,
        locale="en-GB",
        metadata={"author": "Ede", "written": "2026-01-02"},
    )


def test_an_id_in_front_matter_goes_before_the_name_of_the_file() -> None:
    assert _read("---\nid: item/well\n---\nDeep.").id == "item/well"


def test_a_heading_gives_the_title_when_front_matter_does_not() -> None:
    """The text after a heading begins with its first word."""
    document = _read("---\nkind: place\n---\n\n# The Well\n\nIt is deep.\n")

    assert (document.title, document.kind, document.text) == ("The Well", "place", "It is deep.")


@pytest.mark.parametrize("text", ["A text.\n---\nkind: place\n---", "---\nA text under a line.", "----\na: b\n----"])
def test_what_is_no_front_matter_is_text(text: str) -> None:
    """Not at the head, not closed, or another line."""
    assert (_read(text).text, _read(text).kind) == (text, "")


def test_a_txt_file_has_no_front_matter() -> None:
    assert _read("---\nkind: place\n---\nDeep.", "well.txt").text == "---\nkind: place\n---\nDeep."


@pytest.mark.parametrize(
    ("front", "fault"),
    [
        pytest.param("title: [", "not YAML", id="broken"),
        pytest.param("- a\n- b", "not a mapping", id="a list"),
        pytest.param("a: !!python/object/apply:os.getcwd []", "not YAML", id="code"),
        pytest.param("a: !!int x", "not YAML", id="no number"),
        pytest.param("a: !!bool x", "not YAML", id="neither true nor false"),
        pytest.param("a: " + "[" * 8000, "not YAML", id="too deep"),
        pytest.param("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "aliases", id="repetition"),
        pytest.param("a: " + "x" * MAX_FRONT_MATTER_CHARS, "more than", id="too long"),
    ],
)
def test_front_matter_that_cannot_be_read_is_a_fault(front: str, fault: str) -> None:
    """Nothing of it is run, repeated or taken as text."""
    with pytest.raises(BadInput) as caught:
        _read(f"---\n{front}\n---\nDeep.")

    assert [error.field for error in caught.value.errors] == [""]
    assert fault in caught.value.errors[0].message


def test_a_wrong_field_of_front_matter_is_named() -> None:
    """As in a line of JSON."""
    with pytest.raises(BadInput) as caught:
        _read("---\nimportance: 9\ntags: common\n---\nDeep.")

    assert [error.field for error in caught.value.errors] == ["/tags", "/importance"]
