"""What tests of backups share: alerts that keep coming, and backups made into others."""

import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

from tests.processes import Tocsin
from tocsin.core.archive import About, pack, unpack

FILES = ("database.sqlite3", "database.sql", "secret-keys", "secret-key")


class Load:
    """Posts distinct alerts as long as it is used in a ``with``, and knows which were acknowledged."""

    def __init__(self, tocsin: Tocsin, threads: int = 3) -> None:
        self._tocsin = tocsin
        self._lock = threading.Lock()
        self._done: set[str] = set()
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _post(self, thread: int) -> None:
        number = 0
        while not self._stopping.is_set():
            number += 1
            name = f"Load-{thread}-{number}"
            payload = {"name": name, "status": "firing", "labels": {"instance": name}}
            if self._tocsin.post(payload, "/alerts/webhook/generic/") == 202:
                with self._lock:
                    self._done.add(name)

    @property
    def count(self) -> int:
        """How many were acknowledged so far."""
        return len(self._done)

    def acknowledged(self) -> set[str]:
        """The names of those."""
        with self._lock:
            return set(self._done)

    def wait_for(self, count: int) -> None:
        """Wait until so many were."""
        self._tocsin.wait(lambda: self.count >= count, f"{count} alerts", 30)


def repacked(
    file: Path,
    *,
    database: Path | None = None,
    kind: str = "",
    migrations: list[str] | None = None,
    tocsin: str = "",
) -> dict[str, Path]:
    """Write a backup anew with something else in it, checksums and all; gives where its files are."""
    folder = Path(tempfile.mkdtemp(dir=file.parent))
    manifest = unpack(file, folder, FILES)
    files: dict[str, Any] = {name: folder / name for name in manifest.files}
    if database is not None:
        shutil.copy(database, files[next(name for name in files if name.startswith("database"))])
    about = About(
        tocsin or manifest.tocsin,
        manifest.made_at,
        kind or manifest.database,
        migrations or manifest.migrations,
    )
    pack(file, about, files)
    return files
