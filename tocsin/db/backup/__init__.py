"""Backups: one file from which an installation can be started again, and its way back.

It holds the database as of one moment, and the keys kept in the data directory: without them what is
encrypted in it is lost.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from tocsin.core import config, presence
from tocsin.core.archive import About, Manifest, pack, sync_folder, unpack
from tocsin.core.errors import Rejected, Unavailable
from tocsin.db.backup.database import Database
from tocsin.db.backup.mysql import MySQL
from tocsin.db.backup.postgres import PostgreSQL
from tocsin.db.backup.sqlite import SQLite

# By the file that keeps it: the variable that comes before it.
KEYS: Final = {"secret-keys": "TOCSIN_SECRET_KEYS", "secret-key": "DJANGO_SECRET_KEY"}
_DATABASES: Final[dict[str, type[Database]]] = {kind.kind: kind for kind in (SQLite, PostgreSQL, MySQL)}


def save(target: Path, now: datetime) -> Manifest:
    """Write a backup, while Tocsin runs or not. Raises Unavailable where that cannot be."""
    database = _here()
    if not database.filled() or not (migrations := _applied()):
        raise Unavailable("there is nothing to back up yet")
    with _scratch(target.absolute().parent) as folder:
        copy = folder / database.file
        database.save(copy)
        keys = {name: config.data_dir() / name for name in keys_kept()}
        about = About(version("tocsin"), now, database.kind, migrations)
        return pack(target.absolute(), about, {**keys, database.file: copy})


def restore(source: Path, *, force: bool) -> Manifest:
    """Have what a backup holds instead of what is here, all checked before anything is replaced.

    Raises Rejected for a file that is no whole backup of ours, or of a newer version, and Unavailable
    where Tocsin runs, or has data and is not forced.
    """
    database = _here()
    with presence.alone(), _scratch(database.folder) as folder:
        _refuse_to_overwrite(database, force)
        manifest = unpack(
            source, folder, {*KEYS, database.file, *(kind.file for kind in _DATABASES.values())}
        )
        _refuse_foreign(manifest, database)
        database.check(folder / database.file)
        with _keys_put(folder):
            database.replace(folder / database.file)
    return manifest


def keys_kept() -> list[str]:
    """The files of keys that are in use, as no variable comes before them."""
    return [
        name for name, variable in KEYS.items()
        if not config.text(variable) and (config.data_dir() / name).exists()
    ]  # fmt: skip


def _here() -> Database:
    return _DATABASES[connection.vendor]()


def _applied() -> list[str]:
    return sorted(f"{app}.{name}" for app, name in MigrationRecorder(connection).applied_migrations())


@contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    """A folder beside where its content will be, so that it can be moved there at once."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=".tocsin-", dir=parent))
    except OSError as error:
        raise Unavailable(f"nothing can be written in {parent}: {error.strerror}") from error
    try:
        yield folder
    except OSError as error:
        raise Unavailable(f"{error.filename or parent}: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse_to_overwrite(database: Database, force: bool) -> None:
    if others := database.others():
        raise Unavailable(
            f"the database is in use by {others} other connections: stop Tocsin on all machines"
        )
    if database.filled() and not force:
        raise Unavailable("there is data here, which would be lost: --force replaces it")


def _refuse_foreign(manifest: Manifest, database: Database) -> None:
    if manifest.database != database.kind:
        raise Rejected(
            f"it was made on {manifest.database}, and DATABASE_URL says {database.kind}: not of a kind"
        )
    if database.file not in manifest.files:
        raise Rejected("it holds no database")
    ours = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    if unknown := set(manifest.migrations) - ours:
        raise Rejected(
            f"it was made by a newer version, {manifest.tocsin} ({min(unknown)}): restore it with that"
        )


@contextmanager
def _keys_put(folder: Path) -> Iterator[None]:
    """Put the backup's keys in place. Until the database is there too, those that were here stay with
    them, so that at no instant a key is lacking."""
    found = {name: (folder / name).read_text().strip() for name in KEYS if (folder / name).exists()}
    before = {name: _key(name) for name in found}
    if "secret-keys" in found:
        _put_key("secret-keys", ",".join(filter(None, (found["secret-keys"], before["secret-keys"]))))
    try:
        yield
    except BaseException:
        if before.get("secret-keys"):
            _put_key("secret-keys", before["secret-keys"])
        raise
    for name, key in found.items():
        _put_key(name, key)


def _key(name: str) -> str:
    path = config.data_dir() / name
    return path.read_text().strip() if path.exists() else ""


def _put_key(name: str, text: str) -> None:
    """Replace a file of keys at once."""
    path = config.data_dir() / name
    number, written = tempfile.mkstemp(prefix=f".{name}-", dir=path.parent)
    with os.fdopen(number, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(written, path)
    sync_folder(path.parent)
