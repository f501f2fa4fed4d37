"""CHECK: the state of this machine. One set of results serves all runs of the same few seconds."""

from collections.abc import Sequence

from django.conf import settings

from tocsin.checkers.services import worst
from tocsin.orchestration.nodes import BaseNode, Context, Outcome, Walk


class Node(BaseNode):
    """Gives the status and metrics of the context checkers."""

    def run(self, walks: Sequence[Walk], context: Context) -> list[Outcome]:
        results = context.checks.latest(walks[0].news.trace_id)
        asked = {"instance": settings.INSTANCE_ID, "checkers": [result.checker for result in results]}
        output = {
            "status": worst(results),
            "checks": {
                result.checker: {
                    "status": result.status,
                    "message": result.message,
                    "metrics": result.metrics,
                }
                for result in results
            },
        }
        shared = Outcome(asked, output)
        return [shared] * len(walks)
