"""What services say in JSON of what they did."""

from tocsin.core.errors import Unavailable
from tocsin.core.http import Response


def required(answer: Response, name: str) -> str:
    """What an answer of success has to hold. Raises Unavailable: without it, something else answered, as a
    proxy that wants somebody to sign in first."""
    found = answer.json().get(name)
    if not isinstance(found, str | int) or not str(found):
        raise Unavailable(f"HTTP {answer.status} without {name}: {answer.text()}")
    return str(found)


def seconds(asked: object, a_second: float = 1) -> float | None:
    """How long a service asks to wait, in its own unit; None where it does not say."""
    return asked / a_second if isinstance(asked, int | float) else None
