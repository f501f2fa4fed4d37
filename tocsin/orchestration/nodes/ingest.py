"""INGEST: what came in. Storing it was intake's and correlation's work; here it enters the run."""

from collections.abc import Sequence

from tocsin.orchestration.nodes import BatchNode, Context, NodeConfig, Outcome, Walk


class Node(BatchNode[NodeConfig]):
    """Gives the incident and its changed alerts."""

    def run(self, walks: Sequence[Walk], context: Context, name: str) -> list[Outcome]:
        return [_outcome(walk) for walk in walks]


def _outcome(walk: Walk) -> Outcome:
    news = walk.news
    return Outcome(
        input={"reason": news.reason, "changes": [change.history_id for change in news.changes]},
        output={
            "incident": {"id": news.incident_id, "title": news.title, "status": news.status},
            "alerts": [
                {"fingerprint": change.fingerprint, "name": change.name, "change": change.kind}
                for change in news.changes
            ],
        },
    )
