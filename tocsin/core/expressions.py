"""Expressions that people write to look into documents, in JMESPath.

https://jmespath.org/specification.html
"""

from functools import lru_cache
from typing import Annotated, Any, Final

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult
from pydantic import AfterValidator

from tocsin.core.errors import Rejected

LONGEST: Final = 1_000


@lru_cache(maxsize=1_000)
def compiled(expression: str) -> ParsedResult:
    """An expression, checked. Raises ValueError."""
    if len(expression) > LONGEST:
        raise ValueError(f"the expression is longer than {LONGEST} characters")
    try:
        return jmespath.compile(expression)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f"not a JMESPath expression: {str(error).splitlines()[0]}") from error


def search(expression: str, document: Any) -> Any:
    """What it finds in a decoded document. Raises Rejected."""
    try:
        return compiled(expression).search(document)
    except (JMESPathError, RecursionError, TypeError, ValueError) as error:
        told = str(error) or repr(error)  # it may hold the whole value that was wrong
        raise Rejected(f"{expression}: {told.splitlines()[0][:LONGEST]}") from error


def _checked(expression: str) -> str:
    compiled(expression)
    return expression


Expression = Annotated[str, AfterValidator(_checked)]
