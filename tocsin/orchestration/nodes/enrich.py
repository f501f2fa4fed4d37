"""More labels for the incident of a run, out of a table: who owns it, where it stands, whom it serves."""

from collections.abc import Sequence

from pydantic import Field

from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk


class Config(NodeConfig):
    """Rows by the value of one label."""

    label: str = Field(min_length=1, description="The label whose value names the row")
    table: dict[str, dict[str, str]] = Field(min_length=1, description="Labels to add, by that value")
    default: dict[str, str] = Field(default={}, description="Labels to add where there is no row")


class Node(BatchNode[Config]):
    """Gives the labels, which the nodes that follow and the messages see; those an incident has stay."""

    Config = Config

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [self._outcome(walk) for walk in walks]

    def _outcome(self, walk: Walk) -> Outcome:
        value = walk.news.all_labels().get(self.config.label, "")
        added = self.config.table.get(value, self.config.default)
        return Outcome({self.config.label: value}, {"labels": added})
