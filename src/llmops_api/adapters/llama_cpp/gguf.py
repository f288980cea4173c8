"""The part of a GGUF file that we read ourselves: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md."""

import mmap
import struct
from pathlib import Path
from typing import Any

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The value types of the format as those of `struct`."""

_STRING, _ARRAY = 8, 9
_CONTROL, _USER_DEFINED = 3, 4
"""Of `tokenizer.ggml.token_type`."""


class NotGGUF(ValueError):
    """The file does not begin as the format demands, or ends before its metadata does."""


def control_tokens(path: Path) -> tuple[str, ...]:
    """The words that mean something other than themselves to this model, such as `<|im_start|>`, longest first.

    Takes some tenths of a second for a large vocabulary. Raises `OSError` and `NotGGUF`.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise NotGGUF
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            metadata = _Reader(data).metadata()
    kinds = zip(metadata.get("tokenizer.ggml.tokens", ()), metadata.get("tokenizer.ggml.token_type", ()), strict=False)
    return tuple(sorted((token for token, kind in kinds if _is_control(token, kind)), key=len, reverse=True))


def _is_control(token: str, kind: int) -> bool:
    """Some converters call `<|system|>` and its like user-defined, as they do common runs of spaces and line ends."""
    return kind == _CONTROL or (kind == _USER_DEFINED and token.startswith("<") and token.endswith(">"))


class _Reader:
    """Little-endian values, one after the other; every length is checked before anything of that length is made."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4

    def metadata(self) -> dict[str, Any]:
        """Only versions 2 and 3 count in 64 bits; no others are in use."""
        (version,) = self._values("I", 1)
        if version not in {2, 3}:
            raise NotGGUF
        _tensors, count = self._values("Q", 2)
        return {self._string(): self._value(self._values("I", 1)[0]) for _ in range(count)}

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            element, count = self._values("I", 1)[0], self._values("Q", 1)[0]
            if element in _SCALARS:
                return self._values(_SCALARS[element], count)
            return [self._value(element) for _ in range(count)]
        if kind in _SCALARS:
            return self._values(_SCALARS[kind], 1)[0]
        raise NotGGUF

    def _string(self) -> str:
        (length,) = self._values("Q", 1)
        return self._bytes(length).decode(errors="replace")

    def _values(self, kind: str, count: int) -> tuple[Any, ...]:
        return struct.unpack(f"<{count}{kind}", self._bytes(count * struct.calcsize(f"<{kind}")))

    def _bytes(self, length: int) -> bytes:
        start, self._at = self._at, self._at + length
        if self._at > len(self._data):
            raise NotGGUF
        return self._data[start : self._at]
