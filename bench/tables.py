"""How figures are printed: one Markdown table for each benchmark."""

from collections.abc import Sequence


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str | float]]) -> None:
    """Numbers with three significant digits."""
    print(f"\n**{title}**\n")
    for cells in (columns, ["---"] * len(columns), *rows):
        print("| " + " | ".join(cell if isinstance(cell, str) else _short(cell) for cell in cells) + " |", flush=True)


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
