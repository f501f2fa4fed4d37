"""What commands show to people: styled on a terminal, plain and unwrapped in a pipe.

Texts are data: no markup in them is obeyed, and control characters, which could steer the terminal,
are replaced. rich is loaded only once something is shown.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO
from typing import IO, TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Piece = str | tuple[str, str]  # a text, or a text and its style
Cell = Piece | Sequence[Sequence[Piece]]  # or lines of them
PIPE_WIDTH: Final = 10_000
PROGRESS_SECONDS: Final = 0.2
STYLES: Final = {
    "critical": "bold red", "error": "red", "warning": "yellow", "info": "blue",
    "firing": "bold red", "open": "bold red", "acknowledged": "yellow", "resolved": "green", "closed": "dim",
    "ok": "green", "unknown": "magenta",
    "pending": "cyan", "retrying": "yellow", "sent": "green", "dead": "bold red",
    "PENDING": "cyan", "INGESTED": "cyan", "CHECKED": "cyan", "ANALYZED": "cyan",
    "NOTIFIED": "green", "COMPLETED": "green", "WAITING": "yellow", "RETRYING": "yellow",
    "FAILED": "bold red",
    "succeeded": "green", "failed": "bold red",
}  # fmt: skip


def styled(word: str) -> Piece:
    """A severity, status or state in its colour."""
    return word, STYLES.get(word, "")


class Screen:
    """Where a command writes."""

    def __init__(self, out: IO[str], colour: bool | None = None) -> None:
        from rich.console import Console

        self._out = out
        self._plain = StringIO() if not (out.isatty() or colour) else None
        self._console = Console(
            file=self._plain or out,
            force_terminal=colour,
            no_color=True if colour is False else None,
            width=PIPE_WIDTH if self._plain else None,
            markup=False,
            emoji=False,
            highlight=False,
        )

    def line(self, *pieces: Piece, indent: int = 0) -> None:
        """One line of texts, a space between them; on a terminal what is too long goes on below."""
        self._print(_line(pieces), indent)

    def gap(self) -> None:
        """An empty line."""
        self._console.print()
        self._pass_on()

    def heading(self, text: str) -> None:
        """The beginning of a part."""
        self.gap()
        self.line((text, "bold"))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], indent: int = 0) -> None:
        """Rows under their columns' names; the last column takes what room there is."""
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", show_header=any(columns))
        for place, name in enumerate(columns):
            last = place == len(columns) - 1
            table.add_column(name, no_wrap=not last, overflow="fold" if last else "ellipsis")
        for row in rows:
            table.add_row(*(_cell(cell) for cell in row))
        self._print(table, indent)

    def _print(self, what: "Text | Table", indent: int) -> None:
        from rich.padding import Padding

        self._console.print(Padding(what, (0, 0, 0, indent), expand=False))
        self._pass_on()

    def _pass_on(self) -> None:
        """In a pipe: without the spaces that fill the columns, and at once, for whoever follows it."""
        if self._plain is None:
            return
        lines = self._plain.getvalue().splitlines()
        self._out.write("".join(line.rstrip() + "\n" for line in lines))
        self._out.flush()
        self._plain.seek(0)
        self._plain.truncate()

    def facts(self, pairs: Iterable[tuple[str, Piece]], indent: int = 0) -> None:
        """Names and what they are, those that are empty left out."""
        shown = [((name, "dim"), value) for name, value in pairs if value and value[0]]
        self.table(("", ""), shown, indent)


class Progress:
    """One line that tells how far long work has come, where somebody looks at it; it is wiped at the end."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out if out.isatty() else None
        self._shown_at = float("-inf")

    def show(self, text: str) -> None:
        """Tell it, a few times a second at most."""
        now = time.monotonic()
        if self._out is not None and now - self._shown_at >= PROGRESS_SECONDS:
            self._shown_at = now
            self._write(printable(text))

    def _write(self, text: str) -> None:
        if self._out is not None:
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown_at > float("-inf"):
            self._write("")


def _cell(cell: Cell) -> "Text":
    if isinstance(cell, str):
        return _text(cell)
    if isinstance(cell, tuple) and isinstance(cell[0], str):
        return _piece((cell[0], str(cell[1])))
    return _text("\n").join(_line(pieces) for pieces in cell)


def _line(pieces: Sequence[Piece]) -> "Text":
    return _text(" ").join(_piece(piece) for piece in pieces if piece and piece[0])


def _piece(piece: Piece) -> "Text":
    return _text(piece) if isinstance(piece, str) else _text(*piece)


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(printable(text), style)


def printable(text: str) -> str:
    """A text that only shows: line breaks stay, other control characters become a mark."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\xa0" else " " if c == "\t" else "�" for c in text)


def age(since: datetime, now: datetime) -> str:
    """How long ago, as short as it is clear: ``40 s``, ``12 min``, ``3 h``, ``5 d``."""
    seconds = max(0, int((now - since).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit == "min"):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def took(milliseconds: float) -> str:
    """A duration: ``<0.1 ms``, ``0.3 ms``, ``12 ms``, ``1.2 s``."""
    if milliseconds < 0.1:
        return "<0.1 ms"
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"


def moment(at: datetime) -> str:
    """A time in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"
