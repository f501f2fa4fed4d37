"""The documentation as tests read it: its pages, their code blocks, and the examples in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_SPAN: Final = re.compile(r"`([^`]+)`")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.M)
ANYTHING: Final = "…"


@dataclass(frozen=True)
class Block:
    """One fenced block; ``before`` is the page's text up to it."""

    language: str
    text: str
    before: str


@dataclass(frozen=True)
class Example:
    """One command of a console block, and what it should print."""

    command: str
    expected: str


def name(page: Path) -> str:
    """A page's path in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, in order; all, or those in some languages."""
    text = page.read_text()
    found = [Block(match[1], match[2], text[: match.start()]) for match in _BLOCK.finditer(text)]
    return [block for block in found if not languages or block.language in languages]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text())


def spans(page: Path) -> list[str]:
    """What stands in backticks in the prose; a line may break within."""
    return [" ".join(found.split()) for found in _SPAN.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """What links to headings of a page may name."""
    kept = (re.sub(r"[^\w -]", "", heading.lower()) for heading in _HEADING.findall(prose(page)))
    return {heading.replace(" ", "-") for heading in kept}


def examples(block: Block) -> Iterator[Example]:
    """The commands of a console block. A line that ends with a backslash goes on in the next."""
    lines = block.text.splitlines()
    while lines:
        command = [lines.pop(0)]
        assert command[0].startswith("$ "), f"a console block begins with a command, not {command[0]!r}"
        while command[-1].endswith("\\"):
            command.append(lines.pop(0))
        expected = []
        while lines and not lines[0].startswith("$ "):
            expected.append(lines.pop(0))
        yield Example("\n".join(command)[2:], "\n".join(expected))


def matches(expected: str, said: str) -> bool:
    """Whether a command said what its example shows. ``…`` stands for anything within a line, and on a
    line of its own for any number of lines."""
    lines = said.strip().splitlines()
    reached = {0}  # how many lines of what was said the example may have shown so far
    for line in expected.strip().splitlines():
        if line.strip() == ANYTHING:
            reached = {n for n in range(len(lines) + 1) if reached and n >= min(reached)}
        else:
            shown = re.compile(".*".join(map(re.escape, line.strip().split(ANYTHING))))
            reached = {n + 1 for n in reached if n < len(lines) and shown.fullmatch(lines[n].strip())}
    return len(lines) in reached
