from llmops_api.cli.output import counted, printable


def test_what_a_terminal_might_obey_is_taken_out() -> None:
    assert printable("a\x1b[2Jb\rc\x9bd\x07\te\nf ñ 門") == "a[2Jbcd\te\nf ñ 門"


def test_one_thing_is_not_many() -> None:
    assert [counted(number, "text") for number in (0, 1, 2)] == ["0 texts", "1 text", "2 texts"]
