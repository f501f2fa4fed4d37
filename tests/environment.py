"""Loaded before Django's settings: every test run has a data directory and an environment of its own."""

import os
import tempfile

_OURS = (
    "TOCSIN_", "WEBHOOK_SECRET_", "CHECKERS_SKIP", "NOTIFY_SKIP", "DJANGO_", "DATABASE_URL", "REDIS_URL",
    "CELERY_", "SLACK_",
)  # fmt: skip
_KEPT = {
    "TOCSIN_TEST_DATABASE_URL",
    "TOCSIN_REQUIRE_REAL",
    "TOCSIN_FUZZ_EXAMPLES",
    "TOCSIN_FUZZ_INPUTS",
    "TOCSIN_FUZZ_SEED",
    "TOCSIN_SOAK_SECONDS",
}

for name in list(os.environ):
    if name.startswith(_OURS) and name not in _KEPT:
        del os.environ[name]
os.environ["TOCSIN_DATA_DIR"] = tempfile.mkdtemp(prefix="tocsin-test-")
os.environ["TOCSIN_OUTBOUND_ALLOW"] = "127.0.0.0/8"
if url := os.environ.get("TOCSIN_TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url
