"""Archives: what was packed comes out again; anything else is refused, and writes nothing elsewhere."""

import gzip
import hashlib
import io
import random
import stat
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from tocsin.core.archive import FORMAT, About, pack, unpack
from tocsin.core.errors import Rejected

NOW: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
KNOWN: Final = ("database", "keys")
CONTENT: Final = {"keys": b"k3y", "database": random.Random(1).randbytes(70_000)}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    pack(tmp_path / "it.tar.gz", About("1.0", NOW, "sqlite", []), {name: folder / name for name in CONTENT})
    return tmp_path / "it.tar.gz"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "inner" / "out"
    folder.mkdir(parents=True)
    return folder


def test_what_was_packed_comes_out(packed: Path, out: Path) -> None:
    manifest = unpack(packed, out, KNOWN)
    assert (manifest.tocsin, manifest.made_at, manifest.database) == ("1.0", NOW, "sqlite")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == CONTENT
    for path in (packed, *out.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_any_tar_can_open_it(packed: Path) -> None:
    with tarfile.open(packed) as archive:
        assert archive.getnames() == ["manifest.json", *CONTENT]


def test_what_cannot_be_packed_leaves_what_was_there(packed: Path, tmp_path: Path) -> None:
    before, files = packed.read_bytes(), set(tmp_path.iterdir())
    (tmp_path / "in" / "keys").unlink()
    with pytest.raises(FileNotFoundError):
        pack(packed, About("1.0", NOW, "sqlite", []), {"keys": tmp_path / "in" / "keys"})
    assert packed.read_bytes() == before
    assert set(tmp_path.iterdir()) == files, "and nothing half-written beside it"


# Broken.


@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.3, 0.9, 0.999, 0.99999])
def test_one_that_is_cut_short_is_refused(packed: Path, out: Path, share: float) -> None:
    whole = packed.read_bytes()
    packed.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(Rejected, match="cut short or damaged"):
        unpack(packed, out, KNOWN)


def test_one_that_is_damaged_is_refused(packed: Path, tmp_path: Path) -> None:
    whole, draw, refused = packed.read_bytes(), random.Random(2), 0
    for number in range(150):
        place = draw.randrange(10, len(whole))  # gzip's header holds a time, and nothing of ours
        packed.write_bytes(
            whole[:place] + bytes([whole[place] ^ (1 << draw.randrange(8))]) + whole[place + 1 :]
        )
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            unpack(packed, folder, KNOWN)
        except Rejected:
            refused += 1
        else:
            assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert refused > 140


@pytest.mark.parametrize("content", [
    b"", b"hello", gzip.compress(b"", mtime=0), gzip.compress(b"hello" * 1_000, mtime=0),
], ids=["empty", "text", "nothing zipped", "text zipped"])  # fmt: skip
def test_what_is_no_archive_is_refused(packed: Path, out: Path, content: bytes) -> None:
    packed.write_bytes(content)
    with pytest.raises(Rejected, match="is no backup"):
        unpack(packed, out, KNOWN)


def test_one_of_a_newer_format_says_which_version_reads_it(packed: Path, out: Path) -> None:
    made(packed, {"format": FORMAT + 1, "tocsin": "9.1", "parts": []}, [])
    with pytest.raises(Rejected, match=r"newer version, 9\.1"):
        unpack(packed, out, KNOWN)


# Hostile.


def made(path: Path, manifest: Any, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    """An archive as somebody else would make it."""
    text = msgspec.json.encode(manifest)
    with tarfile.open(path, "w:gz") as archive:
        for member, content in [(tarfile.TarInfo("manifest.json"), text), *members]:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def manifest_of(**files: bytes) -> dict[str, Any]:
    parts = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    told = {"tocsin": "1.0", "made_at": NOW, "database": "sqlite", "migrations": []}
    return {"format": FORMAT, **told, "files": parts}


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


def test_one_made_by_others_is_read_where_it_is_right(packed: Path, out: Path) -> None:
    made(packed, manifest_of(keys=b"k"), [(member("keys"), b"k")])
    unpack(packed, out, KNOWN)
    assert (out / "keys").read_bytes() == b"k"


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/../../evil", "evil", "", ".", "..", "keys/../../evil"]
)
def test_names_in_a_manifest_are_no_paths(packed: Path, out: Path, name: str) -> None:
    made(packed, manifest_of(**{name: b"x"}), [(member(name), b"x")])
    with pytest.raises(Rejected):
        unpack(packed, out, KNOWN)
    assert not list(out.iterdir())
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("instead", [
    [(member("../keys"), b"x")],
    [(member("/keys"), b"x")],
    [(member("keys", tarfile.SYMTYPE, "/etc/passwd"), b"")],
    [(member("keys", tarfile.SYMTYPE, ".."), b""), (member("keys/evil"), b"x")],
    [(member("keys", tarfile.LNKTYPE, "/etc/passwd"), b"")],
    [(member("keys", tarfile.DIRTYPE), b"")],
    [(member("keys", tarfile.FIFOTYPE), b"")],
    [(member("keys", tarfile.CHRTYPE), b"")],
    [(member("keys", tarfile.XHDTYPE), b"x")],
    [(member("keys"), b"xx")],
    [(member("keys"), b"y")],
    [],
    [(member("keys"), b"x"), (member("keys"), b"x")],
    [(member("keys"), b"x"), (member("evil"), b"x")],
    [(member("k" * 300), b"x")],
])  # fmt: skip
def test_what_the_manifest_does_not_name_is_refused(
    packed: Path, out: Path, instead: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    made(packed, manifest_of(keys=b"x"), instead)
    with pytest.raises(Rejected):
        unpack(packed, out, KNOWN)
    assert {path.name for path in out.iterdir()} <= {"keys"}
    assert not any(path.is_symlink() for path in out.iterdir())
    assert list(out.parent.iterdir()) == [out]


def test_a_manifest_without_end_is_not_read(packed: Path, out: Path) -> None:
    endless = member("manifest.json")
    endless.size = 1 << 40
    with gzip.open(packed, "wb") as stream:
        stream.write(endless.tobuf(tarfile.GNU_FORMAT) + bytes(50 << 20))
    with pytest.raises(Rejected, match="too long"):
        unpack(packed, out, KNOWN)


def test_what_follows_without_end_is_not_read(packed: Path, out: Path) -> None:
    made(packed, manifest_of(keys=b"x"), [(member("keys"), b"x")])
    with gzip.open(packed, "ab") as stream:
        stream.write(bytes(50 << 20))
    with pytest.raises(Rejected, match="something follows"):
        unpack(packed, out, KNOWN)
