"""Runs first in ``tocsin-agent.pyz``: unpacks the rest once, as compiled modules do not load from a zip.

Standard library only. ``HASH``, ``PYTHON`` and ``MACHINE`` are filled in when the file is built.
"""

import os
import shutil
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from typing import NoReturn

HASH = "@HASH@"
PYTHON = "@PYTHON@"
MACHINE = "@MACHINE@"


def refuse(why: str) -> NoReturn:
    sys.exit(f"tocsin-agent: {why}")


def check_machine() -> None:
    python = ".".join(map(str, sys.version_info[:2]))
    right = shutil.which(f"python{PYTHON}")
    if python != PYTHON and right:
        os.execv(right, [right, *sys.argv])
    if (python, sysconfig.get_platform()) != (PYTHON, MACHINE):
        refuse(
            f"built for Python {PYTHON} on {MACHINE}; this is Python {python} on {sysconfig.get_platform()}"
        )


def caches() -> Iterator[str]:
    """Where it may be unpacked, the best first."""
    for given in (os.environ.get("CACHE_DIRECTORY", "").split(":")[0], os.environ.get("XDG_CACHE_HOME")):
        if given:
            yield os.path.join(given, "tocsin-agent")
    home = os.path.expanduser("~")
    if os.path.isabs(home):
        yield os.path.join(home, ".cache", "tocsin-agent")
    yield os.path.join(tempfile.gettempdir(), f"tocsin-agent-{os.getuid()}")


def is_ours(folder: str) -> bool:
    """What runs from here must have been written by nobody else; others may make names in /tmp."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def unpack(cache: str) -> str:
    """The folder with the modules, unpacked whole or not at all."""
    os.makedirs(cache, mode=0o700, exist_ok=True)
    if not is_ours(cache):
        raise PermissionError(f"{cache} is not this user's alone")
    there = os.path.join(cache, HASH)
    if os.path.isdir(there):
        return there
    import zipfile

    making = tempfile.mkdtemp(prefix=".making-", dir=cache)
    try:
        with zipfile.ZipFile(sys.argv[0]) as whole:
            whole.extractall(making, [name for name in whole.namelist() if name.startswith("lib/")])
        os.sync()  # or a power cut would leave files of the right names with nothing in them
        os.rename(os.path.join(making, "lib"), there)
    except OSError:
        if not os.path.isdir(there):  # somebody else may have been quicker
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return there


def modules() -> str:
    failed = []
    for cache in caches():
        try:
            return unpack(cache)
        except OSError as error:
            failed.append(str(error))
    refuse("cannot be unpacked anywhere: " + "; ".join(failed))


def main() -> None:
    check_machine()
    os.umask(0o077)  # also for what is unpacked
    sys.path[0] = modules()
    from tocsin.agent.commands import main as agent

    sys.exit(agent(sys.argv[1:], "tocsin-agent"))


main()
