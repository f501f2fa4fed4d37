"""What is to be told of a file: what is wrong in it, and what is not carried over as it is."""

import msgspec

from tocsin.notify.routing.lines import Node, Problem

YES, NO = ("true", "yes", "on", "y"), ("false", "no", "off", "n")


class Note(msgspec.Struct, frozen=True):
    """Something that is not carried over as it is, and what becomes of it instead."""

    line: int
    path: str
    what: str
    instead: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.what}; instead: {self.instead}"


class Findings:
    """Gathers notes and problems, also where a value is of another kind than its field."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.problems: list[Problem] = []

    def note(self, node: Node, what: str, instead: str) -> None:
        """Something is not carried over as it is."""
        self.notes.append(Note(node.line, node.path, what, instead))

    def wrong(self, node: Node, message: str) -> None:
        """Something is wrong."""
        self.problems.append(Problem(node.line, node.path, message))

    def listed(self, node: Node | None) -> list[Node]:
        """What a list has; nothing of null."""
        if node is not None and not isinstance(node.value, list | None):
            self.wrong(node, "a list is expected here")
        return node.items() if node else []

    def mapped(self, node: Node | None) -> dict[str, Node]:
        """What a mapping has; nothing of null."""
        if node is not None and not isinstance(node.value, dict | None):
            self.wrong(node, "a mapping is expected here")
        return node.fields() if node else {}

    def texts(self, node: Node | None) -> list[Node]:
        """What a list of texts has."""
        found = self.listed(node)
        for one in found:
            self.scalar(one)
        return found

    def scalar(self, node: Node) -> str:
        """A text; an empty one of null."""
        if isinstance(node.value, list | dict):
            self.wrong(node, "a text is expected here")
        return node.value if isinstance(node.value, str) else ""

    def number(self, node: Node) -> None:
        """Complain where this is no whole number."""
        text = self.scalar(node)
        if text and not text.removeprefix("-").isdecimal():
            self.wrong(node, "a number is expected here")

    def flag(self, node: Node | None, default: bool) -> bool:
        """Yes or no."""
        text = self.scalar(node).lower() if node else ""
        if node and text and text not in YES + NO:
            self.wrong(node, "true or false is expected here")
        return text in YES if text else default
