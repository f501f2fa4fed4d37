"""Ask a provider."""

from functools import cache

from tocsin.intelligence.providers import BaseProvider, Evidence, Recommendation, providers

DEFAULT = "local"


@cache
def _provider(name: str) -> BaseProvider:
    return providers.get(name)()


def analyze(evidence: Evidence, provider: str = DEFAULT) -> list[Recommendation]:
    """What a provider makes of the evidence. Raises what the provider raises."""
    return _provider(provider).analyze(evidence)
