"""JavaScript clients from npm's registry, in a cache of the user's own, so that each is fetched once."""

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.installed import lacking, require


def modules(package: str, version: str) -> Path:
    """The folder to be NODE_PATH for one package; skips the test where it cannot be had."""
    npm = require("npm")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tocsin-tests"
    kept = cache / f"{package.replace('/', '-')}-{version}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _install(npm, f"{package}@{version}", Path(folder) / "whole")
            with suppress(OSError):  # another run was first
                (Path(folder) / "whole").rename(kept)
    return kept / "node_modules"


def _install(npm: str, what: str, folder: Path) -> None:
    # A package's own scripts would run with all that this user may do.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--loglevel=error"]
    command = [npm, "install", "--prefix", str(folder), *options, what]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        lacking(f"npm did not bring {what} within two minutes")
    if done.returncode:
        lacking(f"npm could not bring {what}: {' '.join(done.stderr.split())[:160]}")
