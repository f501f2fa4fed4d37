"""What listeners tell besides the counts of intake."""

from prometheus_client import Gauge

UP = Gauge(
    "tocsin_listener_up",
    "1 while a listener hears its source: connected to the broker, or bound to its address.",
    ["listener"],
    multiprocess_mode="livesum",
)
