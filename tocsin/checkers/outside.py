"""How checkers ask programs: within a time, no shell between, and no more read than is wanted."""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

# A service's PATH often lacks these, where zpool and ping may be.
_ALSO: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")
_CHUNK: Final = 65_536


class Said(NamedTuple):
    """What a program said, as far as it was read."""

    code: int
    out: str
    err: str
    cut: bool  # it would have said more

    def require(self, *codes: int) -> str:
        """Its output. Raises RuntimeError with what it complained of where it ended otherwise."""
        if self.code not in (codes or (0,)):
            raise RuntimeError(" ".join(self.err.split())[:500] or f"ended with {self.code}")
        return self.out


def program(name: str) -> str | None:
    """Where a program is, if it is installed."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *_ALSO)))


def run(
    *command: str, seconds: float, limit: int = 1 << 20, environment: Mapping[str, str] | None = None
) -> Said:
    """Run a program, in our environment where none is given. Raises TimeoutError after so many seconds;
    stops it once it has said ``limit`` bytes."""
    deadline = time.monotonic() + seconds
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LC_ALL": "C"} if environment is None else environment,
        start_new_session=True,
    ) as process:
        try:
            out, err, cut = _read(process, deadline, limit)
            code = 0 if cut else process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            raise TimeoutError(f"{os.path.basename(command[0])} took longer than {seconds:g} s") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):  # it is over, or runs as another user
                os.killpg(process.pid, signal.SIGKILL)  # with what it has started itself
    return Said(code, out.decode(errors="replace"), err.decode(errors="replace"), cut)


def _read(process: "subprocess.Popen[bytes]", deadline: float, limit: int) -> tuple[bytes, bytes, bool]:
    assert process.stdout is not None and process.stderr is not None
    said = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in said:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, _CHUNK)
                said[key.fd] += chunk
                if not chunk:
                    selector.unregister(key.fd)
            if max(map(len, said.values())) > limit:
                break
        out, err = (bytes(part) for part in said.values())
        return out[:limit], err[:limit], bool(selector.get_map())
