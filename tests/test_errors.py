"""The places of faults."""

from llmops_api.errors import pointer


def test_a_pointer_escapes_what_separates_its_steps() -> None:
    """RFC 6901, section 3."""
    assert pointer(["a/b", "c~d", 0, "~1"]) == "/a~1b/c~0d/0/~01"
    assert pointer([]) == ""
