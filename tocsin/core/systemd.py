"""Tells systemd how this service is, where it asks to be told (``Type=notify``)."""

import os
import socket


def notify(state: str) -> None:
    """Send ``READY=1``, ``WATCHDOG=1`` or ``STOPPING=1``; nothing without ``NOTIFY_SOCKET``."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
        way.setblocking(False)
        try:
            way.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
        except OSError:  # systemd is not there to hear it, or slow: the next will do
            return


def watchdog() -> float | None:
    """Seconds between signs of life that systemd waits for, halved; None where it does not wait."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 2_000_000 if microseconds.isdecimal() else None
