"""A pipeline as data: what its nodes are and where each leads, as the database keeps it."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from tocsin.core.errors import Rejected

MOST_NODES: Final = 100
FAIL: Final = "fail"
CONTINUE: Final = "continue"
# The ways a node is left by.
NEXT: Final = "next"
OTHERWISE: Final = "otherwise"
FAILED: Final = "failed"
_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"


def _listed(value: object) -> object:
    """``next`` may be one name, several, or none."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


Targets = Annotated[list[str], BeforeValidator(_listed)]


class Retry(BaseModel):
    """How often a node that fails is tried, and the pauses between, which double."""

    model_config = ConfigDict(extra="forbid")

    tries: int = Field(default=3, ge=1, le=20)
    first_seconds: float = Field(default=1.0, ge=0, le=3_600)
    longest_seconds: float = Field(default=60.0, ge=0, le=86_400)


class NodeSpec(BaseModel):
    """One node: its type with that type's config, and what follows it."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=_ID)
    type: str
    config: dict[str, Any] = {}
    next: Targets = Field(default=[], description="Nodes that follow; several run side by side")
    otherwise: Targets = Field(default=[], description="Nodes that follow where a condition does not hold")
    retry: Retry = Retry()
    timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds one try may take")
    on_failure: str = Field(
        default=FAIL,
        description="After the last try: fail the run, continue with what follows, or the id of a node",
    )

    def targets(self, exit: str) -> list[str]:
        """The nodes that follow when it was left by this exit."""
        if exit == OTHERWISE:
            return self.otherwise
        if exit == FAILED and self.on_failure not in (FAIL, CONTINUE):
            return [self.on_failure]
        return self.next


class Definition(BaseModel):
    """A whole pipeline. Nodes to which nothing leads begin it; one to which several lead waits for all."""

    model_config = ConfigDict(extra="forbid")

    version: Literal["1.0"] = "1.0"
    nodes: list[NodeSpec] = Field(min_length=1, max_length=MOST_NODES)


# The four stages that every installation begins with.
STAGES: Final[dict[str, Any]] = {
    "version": "1.0",
    "nodes": [
        {"id": "INGEST", "type": "ingest", "next": "CHECK"},
        {"id": "CHECK", "type": "context", "next": "ANALYZE"},
        {"id": "ANALYZE", "type": "intelligence", "next": "NOTIFY"},
        {"id": "NOTIFY", "type": "notify"},
    ],
}


class Problem(BaseModel):
    """What is wrong in a definition, and where; ``node`` is its id, or its place where it has none."""

    node: str
    field: str
    message: str

    def __str__(self) -> str:
        where = f"node {self.node}: {self.field}" if self.node else self.field
        return f"{where}: {self.message}"


class Unsound(Rejected):
    """A definition that cannot be run; ``problems`` says why, all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def read(document: object) -> Definition:
    """A definition out of a decoded document. Raises Unsound."""
    try:
        return Definition.model_validate(document)
    except ValidationError as error:
        raise Unsound([_problem(document, found) for found in error.errors()]) from None


def said(problem: Any) -> str:
    """What pydantic found, without its prefix."""
    return str(problem["msg"]).removeprefix("Value error, ")


def _problem(document: object, found: Any) -> Problem:
    where = list(found["loc"])
    if len(where) > 1 and where[0] == "nodes" and isinstance(where[1], int):
        return Problem(node=_name(document, where[1]), field=_path(where[2:]) or "node", message=said(found))
    return Problem(node="", field=_path(where) or "definition", message=said(found))


def _name(document: Any, place: int) -> str:
    """A node's id as it was given, so that people find it; its place where it has none."""
    node = document["nodes"][place]
    given = node.get("id") if isinstance(node, dict) else None
    return given[:64] if isinstance(given, str) and given else f"#{place + 1}"


def _path(where: list[Any]) -> str:
    return ".".join(map(str, where))
