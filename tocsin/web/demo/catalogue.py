"""What can go wrong in the demo's shop: names, places and words as its monitoring would tell them."""

from typing import Final

import msgspec

from tocsin.core.severity import CRITICAL, ERROR, INFO, WARNING

ALERTMANAGER, PROMETHEUS, GENERIC = "alertmanager", "prometheus", "generic"
RUNBOOKS: Final = "https://wiki.shop.example/runbooks/"


class Trouble(msgspec.Struct, frozen=True):
    """One kind of alert. ``says`` may hold ``{where}`` and ``{number}``, which lies within ``numbers``."""

    name: str
    service: str
    severity: str
    says: str
    numbers: tuple[int, int]
    places: tuple[str, ...]
    source: str = ALERTMANAGER

    @property
    def runbook(self) -> str:
        """Where people read what to do."""
        return f"{RUNBOOKS}{self.name}"


TROUBLES: Final = (
    Trouble("HighMemoryUsage", "checkout", WARNING, "{number} % of its memory limit is in use", (88, 97),
            ("checkout-7d9f8b6c54-x2k8q", "checkout-7d9f8b6c54-m4t9z", "checkout-7d9f8b6c54-p7wcd")),
    Trouble("HighErrorRate", "payments", CRITICAL, "{number} % of POST /v2/charges answer 5xx", (4, 19),
            ("payments-eu-1", "payments-eu-2", "payments-us-1")),
    Trouble("DiskWillFillIn4Hours", "postgres", WARNING, "/var/lib/postgresql is {number} % full", (86, 95),
            ("db-primary-1", "db-replica-1", "db-replica-2"), PROMETHEUS),
    Trouble("ReplicationLag", "postgres", ERROR, "{where} is {number} s behind db-primary-1", (35, 240),
            ("db-replica-1", "db-replica-2"), PROMETHEUS),
    Trouble("ConsumerLag", "orders", ERROR, "orders.created: {number} thousand messages behind", (12, 90),
            ("orders-worker-0", "orders-worker-1", "orders-worker-2")),
    Trouble("LatencyP99High", "search", WARNING, "p99 of /search is {number}00 ms, its goal 800 ms", (9, 31),
            ("search-api-1", "search-api-2", "search-api-3")),
    Trouble("NodeNotReady", "kubernetes", CRITICAL, "{where} has not reported for {number} minutes", (2, 6),
            ("node-a-07", "node-b-02", "node-c-11")),
    Trouble("CertificateExpiresSoon", "edge", WARNING, "The certificate expires in {number} days", (3, 9),
            ("shop.example", "api.shop.example", "cdn.shop.example")),
    Trouble("HostHighCpu", "recommendations", WARNING, "{number} % busy for 15 minutes", (91, 99),
            ("reco-gpu-1", "reco-gpu-2"), PROMETHEUS),
    Trouble("InstanceDown", "cache", CRITICAL, "{where}:6379 does not answer, {number} tries", (3, 8),
            ("redis-cart-1", "redis-cart-2", "redis-session-1"), PROMETHEUS),
    Trouble("BackupFailed", "backup", ERROR, "Nightly backup ended with exit code {number}", (1, 4),
            ("db-primary-1", "wiki-1"), GENERIC),
    Trouble("MailQueueGrows", "mailer", INFO, "{number} order confirmations wait", (400, 900),
            ("mx-out-1", "mx-out-2"), GENERIC),
    Trouble("SshLoginFailures", "bastion", WARNING, "{number} failed log-ins in ten minutes", (40, 300),
            ("bastion-eu-1",), GENERIC),
    Trouble("StockFeedStale", "inventory", ERROR, "No stock update for {number} minutes", (12, 55),
            ("feed-hamburg", "feed-lyon"), GENERIC),
)  # fmt: skip
