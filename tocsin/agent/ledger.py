"""Which commands were begun and how they ended, on disk: so that none is ever run again, and each result is
told until the hub has it."""

import re
from pathlib import Path
from typing import Final

import msgspec

from tocsin.agent import files
from tocsin.agent.executing import Ended
from tocsin.agent.spool import Say

KEPT: Final = 2_000  # commands that were told of; what a hub asks anew it asks within a day
SUFFIX: Final = ".json"
INTERRUPTED: Final = "the agent was killed, or the machine: nobody knows how far it came"
ASKED_AGAIN: Final = "it was asked for before, and its end was told"
_ID: Final = re.compile(r"[0-9a-f]{32}")


class _Entry(msgspec.Struct):
    name: str
    hub: str
    ended: Ended | None = None
    told: bool = False


class Ledger:
    """The commands of one agent, whose folder it must hold. For one thread."""

    def __init__(self, folder: Path, hub: str, say: Say) -> None:
        self._folder, self._hub, self._say = folder, hub, say
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._known: dict[str, bool] = {}  # whether it was told
        self._waiting: dict[str, _Entry] = {}
        for path in sorted(folder.iterdir()):
            self._find(path)

    @property
    def waiting(self) -> dict[str, Ended]:
        """How those ended of which this hub is yet to be told."""
        return {id: entry.ended for id, entry in self._waiting.items() if entry.ended is not None}

    def knows(self, id: str) -> bool:
        """Whether it was begun, or ended, before."""
        return id in self._known

    def begin(self, id: str, name: str) -> None:
        """Put down that it is about to be run; that is on the disk when this returns. Raises OSError, and
        then it must not be run."""
        self._write(id, _Entry(name, self._hub))
        self._known[id] = False

    def end(self, id: str, name: str, ended: Ended) -> None:
        """Put down how it ended. Where the disk cannot be written it is told all the same."""
        self._known[id] = False
        self._waiting[id] = _Entry(name, self._hub, ended)
        try:
            self._write(id, self._waiting[id])
        except OSError as error:
            self._say(f"how {name} ended cannot be written ({error.strerror}); it is told from memory")

    def told(self, id: str) -> None:
        """The hub has it."""
        entry = self._waiting.pop(id)
        self._known[id] = True
        try:
            self._write(id, _Entry(entry.name, entry.hub, told=True))
        except OSError:  # it is told once more after a restart, which changes nothing there
            return
        self._forget_oldest()

    def again(self, id: str) -> None:
        """The hub asks for one that it was told of: tell it so."""
        if self._known[id]:
            self._waiting[id] = _Entry("", self._hub, Ended("interrupted", ASKED_AGAIN))

    def _write(self, id: str, entry: _Entry) -> None:
        files.write(self._folder / f"{id}{SUFFIX}", msgspec.json.encode(entry))

    def _find(self, path: Path) -> None:
        if not _ID.fullmatch(path.stem) or path.suffix != SUFFIX:
            if path.name.endswith(files.TEMPORARY):
                files.remove(path)
            return
        try:
            entry = msgspec.json.decode(path.read_bytes(), type=_Entry)
        except (OSError, msgspec.DecodeError) as error:
            self._say(f"{path} cannot be read ({error}): its command is taken for interrupted")
            entry = _Entry("", self._hub)
        self._known[path.stem] = entry.told
        if entry.told or entry.hub != self._hub:  # what it gave is not another hub's to know
            return
        if entry.ended is None:
            self._say(f"{entry.name or 'a command'} was interrupted ({path.stem})")
            self.end(path.stem, entry.name, Ended("interrupted", INTERRUPTED))
        else:
            self._waiting[path.stem] = entry

    def _forget_oldest(self) -> None:
        done = [id for id, told in self._known.items() if told]
        for id in done[: max(0, len(done) - KEPT)]:
            files.remove(self._folder / f"{id}{SUFFIX}")
            del self._known[id]
