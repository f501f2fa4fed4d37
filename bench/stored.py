"""What one more alert costs with a million stored, beside ten thousand."""

import statistics

from bench import load, rows
from bench.peers import Tocsin

FEW, MANY = 10_000, 1_000_000
REPEAT = 3


def _cost(peer: Tocsin) -> float:
    return statistics.median(rows.cost_when_full(peer) for _ in range(REPEAT))


def show() -> None:
    """Measure and print the ratio."""
    with Tocsin() as peer:
        load.post_all(peer.port, FEW, 100, lambda i: f"stored-{i}")
        peer.sink.wait_for(FEW, 300)
        few = _cost(peer)
        load.post_all(peer.port, MANY, 500, lambda i: f"stored-more-{i}")
        peer.sink.wait_for(MANY, 1800)
        many = _cost(peer)
    print(
        f"{'one more alert, 1,000,000 stored':<36}{many:>10,.1f} {few:>13,.1f} {many / few:>6.2f}x "
        "<=1.3x <=1.1x  (µs; beside it with 10,000 stored)"
    )
