"""A body of lines, most of them a document each: how long one may be, and what is read of it."""

from collections.abc import AsyncGenerator, AsyncIterator

METADATA_BYTES = 4 * 1024 * 1024
"""The most that the metadata of a document takes as JSON."""

_REST_BYTES = 1024 * 1024
"""More than the other fields have room for, which have limits of their own."""

_ESCAPED_BYTES = 6
"""The most that a character takes in JSON."""


def line_limit(max_document_chars: int) -> int:
    """Bytes of a line. Every document that is taken in fits one, so that what was exported can be imported."""
    return _ESCAPED_BYTES * max_document_chars + METADATA_BYTES + _REST_BYTES


async def lines_of(pieces: AsyncIterator[bytes], max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The lines without their ends. Of one that is too long at least a byte more than allowed is left to tell it by."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
        rest = rest[: max_bytes + 1]
    if rest:
        yield rest
