"""Several files as one, a tar.gz with a manifest: any tar opens what we write, and we read with distrust.

The manifest comes first and names what follows, in order, with sizes and checksums. Whatever else stands in
such a file is refused before it is written anywhere; names in it never become paths.
"""

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import msgspec

from tocsin.core.errors import Rejected

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_MOST_MANIFEST: Final = 1 << 20
_CHUNK: Final = 1 << 20
_BLOCK: Final = tarfile.BLOCKSIZE
_ZEROS: Final = bytes(_BLOCK)
_BROKEN: Final = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, msgspec.DecodeError)


class Part(msgspec.Struct):
    """A file within."""

    size: int
    sha256: str


class About(msgspec.Struct):
    """What is told of an archive's content."""

    tocsin: str  # the version that made it
    made_at: datetime
    database: str
    migrations: list[str]


class Manifest(About):
    """What an archive holds."""

    files: dict[str, Part]
    format: int = FORMAT


class _Head(msgspec.Struct):
    """What manifests of all formats have in common."""

    format: int
    tocsin: str


def pack(target: Path, about: About, files: Mapping[str, Path]) -> Manifest:
    """Write an archive that only its owner can read; it is there whole, or not at all."""
    parts = {name: _part(path) for name, path in files.items()}
    manifest = Manifest(**msgspec.structs.asdict(about), files=parts)
    number, written = tempfile.mkstemp(prefix=".backup-", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as raw:
            with tarfile.open(
                fileobj=raw, mode="w:gz", format=tarfile.GNU_FORMAT, compresslevel=3
            ) as archive:
                text = msgspec.json.encode(manifest)
                _add(archive, _MANIFEST, io.BytesIO(text), len(text), about.made_at)
                for name, path in files.items():
                    with path.open("rb") as content:
                        _add(archive, name, content, parts[name].size, about.made_at)
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(written, target)
        sync_folder(target.parent)
    except BaseException:
        Path(written).unlink(missing_ok=True)
        raise
    return manifest


def unpack(source: Path, folder: Path, known: Collection[str]) -> Manifest:
    """Write an archive's files into a folder, once each is found to be what was packed. Raises Rejected
    where it is cut, damaged, of a newer version, or holds what is not ``known``."""
    try:
        with gzip.open(source) as stream:
            manifest = _read_manifest(stream)
            for name, part in manifest.files.items():
                if name not in known:
                    raise Rejected(f"{source} holds {name!r}, which is no part of a backup")
                _extract(stream, name, part, folder / name)
            _expect_end(stream)
    except _BROKEN as error:
        raise Rejected(f"{source} is no backup, or is cut short or damaged ({error})") from error
    return manifest


def sync_folder(folder: Path) -> None:
    """Have the disk know of files that were made or replaced in a folder."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _part(path: Path) -> Part:
    with path.open("rb") as content:
        return Part(path.stat().st_size, hashlib.file_digest(content, "sha256").hexdigest())


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int, made_at: datetime) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(made_at.timestamp())
    archive.addfile(member, content)


def _read_manifest(stream: gzip.GzipFile) -> Manifest:
    size = _header(stream, _MANIFEST)
    if size > _MOST_MANIFEST:
        raise tarfile.ReadError("its manifest is too long")
    text = _exactly(stream, size)
    _exactly(stream, -size % _BLOCK)
    head = msgspec.json.decode(text, type=_Head)
    if head.format > FORMAT:
        raise Rejected(f"it was made by a newer version, {head.tocsin}: restore it with that one")
    return msgspec.json.decode(text, type=Manifest)


def _extract(stream: gzip.GzipFile, name: str, part: Part, target: Path) -> None:
    size = _header(stream, name)
    if size != part.size:
        raise tarfile.ReadError(f"{name} has {size} bytes, not {part.size}")
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for start in range(0, size, _CHUNK):
            chunk = _exactly(stream, min(_CHUNK, size - start))
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    _exactly(stream, -size % _BLOCK)
    if digest.hexdigest() != part.sha256:
        raise tarfile.ReadError(f"{name} does not have the checksum it should")


def _header(stream: gzip.GzipFile, name: str) -> int:
    """The size of the next file, which must be a plain one of this name."""
    found = tarfile.TarInfo.frombuf(_exactly(stream, _BLOCK), "utf-8", "surrogateescape")
    if found.name != name or found.type != tarfile.REGTYPE or found.size < 0:
        raise tarfile.ReadError(f"{found.name!r} stands where {name} should")
    return found.size


def _expect_end(stream: gzip.GzipFile) -> None:
    """Nothing may follow; to read on to the end is also to compare gzip's own checksum."""
    for _ in range(2 * tarfile.RECORDSIZE // _BLOCK):
        block = stream.read(_BLOCK)
        if not block:
            return
        if block != _ZEROS:
            break
    raise tarfile.ReadError("something follows its last file")


def _exactly(stream: gzip.GzipFile, size: int) -> bytes:
    found = stream.read(size)
    if len(found) < size:
        raise EOFError("it ends too early")
    return found
