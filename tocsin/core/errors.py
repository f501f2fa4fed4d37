"""The errors that cross a package boundary. Callers decide by class, never by text.

TocsinError
├── UnknownPlugin      no plug-in of that name, or a module without its class
├── Misconfigured      a setting or a plug-in's config is wrong; says which and what to do
├── Rejected           the other side will never accept this: do not retry
│   ├── Forbidden      the address may not be reached from here (TOCSIN_OUTBOUND_ALLOW)
│   └── Unknown        there is nothing of that name
└── Unavailable        try again later, perhaps after ``retry_after`` seconds
    └── Unclear        it may have been taken: each try may bring it once more
"""


class TocsinError(Exception):
    """Base of every error raised on purpose."""


class UnknownPlugin(TocsinError):
    """A name that no registry entry answers to, or a module without its class."""


class Misconfigured(TocsinError):
    """A setting that cannot be used. The message names it and what it should be."""


class Rejected(TocsinError):
    """The other side will never accept this: do not retry."""


class Forbidden(Rejected):
    """The outbound guard refused the address."""


class Unknown(Rejected):
    """There is nothing of that name."""


class Unavailable(TocsinError):
    """Try again later."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unclear(Unavailable):
    """It was answered with a success that is not the service's own: whether it was taken, nobody can tell."""
