"""Whether a name resolves, to what it should, and how soon."""

import time
from importlib.util import find_spec
from typing import Final, Literal

from pydantic import Field

from tocsin.checkers.checks import CRITICAL, OK, BaseChecker, CheckResult, Thresholds, summary
from tocsin.checkers.dial import deadline, host_and_port, left, reach, resolved
from tocsin.core.errors import Misconfigured, Rejected, Unavailable

_FULL: Final = find_spec("dns") is not None  # dnspython is an extra
_FAMILY: Final = {"A": ".", "AAAA": ":"}


class Config(Thresholds):
    name: str = Field(min_length=1, description="Name to ask for")
    type: Literal["A", "AAAA", "MX", "TXT", "CNAME", "NS"] = Field(default="A", description="Kind of record")
    server: str = Field(
        default="", description="Name server to ask, as host or host:port; default: the system's"
    )
    expected: list[str] = Field(
        default=[], description="What must be among the answers, as dig +short prints it"
    )
    exact: bool = Field(default=False, description="Whether there may be no other answer")
    warning: float = Field(default=500, description="Milliseconds from which an answer is a warning")
    critical: float = Field(default=3_000, description="Milliseconds from which an answer is critical")


class Checker(BaseChecker[Config]):
    """Asks for a name and compares what comes. Without dnspython, the extra dns, the system's resolver
    is asked, which knows addresses only and may answer from a cache or the hosts file."""

    Config = Config

    def check(self) -> CheckResult:
        asked, until, began = self.config, deadline(self.config.timeout), time.monotonic()
        try:
            answers = (self._by_dnspython if _FULL else self._by_system)(until)
        except Unavailable as error:
            return CheckResult("dns", CRITICAL, str(error))
        took = round((time.monotonic() - began) * 1000, 3)
        wanted = {_plain(value) for value in asked.expected}
        missing, surplus = wanted - answers, answers - wanted if asked.exact else set[str]()
        told = f"{asked.name} {asked.type} is {', '.join(sorted(answers))}"
        findings = [
            (CRITICAL if missing else OK, f"{told}, not {', '.join(sorted(missing))}"),
            (CRITICAL if surplus else OK, f"{asked.name} {asked.type} is also {', '.join(sorted(surplus))}"),
            (asked.status(took), f"the answer took {took:.0f} ms"),
        ]
        status, message = summary(findings, f"{told}, in {took:.1f} ms")
        return CheckResult("dns", status, message, {"latency_ms": took, "answers": len(answers)})

    def _by_dnspython(self, until: float) -> set[str]:
        import dns.exception  # here, as loading it takes longer than most checks
        import dns.resolver

        asked = self.config
        resolver = dns.resolver.Resolver(configure=not asked.server)
        if asked.server:
            host, resolver.port = host_and_port(asked.server, 53)
            resolver.nameservers = list(resolved(host, resolver.port, until, reach(self.trusted)))
        try:
            found = resolver.resolve(asked.name, asked.type, lifetime=left(until), search=False)
        except dns.resolver.NXDOMAIN:
            raise Unavailable(f"there is no name {asked.name}") from None
        except dns.resolver.NoAnswer:
            raise Unavailable(f"{asked.name} has no {asked.type}") from None
        except dns.exception.Timeout:
            raise Unavailable(f"no name server answered in time about {asked.name}") from None
        except dns.resolver.NoNameservers as error:
            raise Unavailable(f"no name server could tell of {asked.name}: {error}"[:300]) from None
        except dns.exception.DNSException as error:
            raise Rejected(f"{asked.name}: {error}") from None
        return {_plain(_joined(record.to_text())) for record in found}

    def _by_system(self, until: float) -> set[str]:
        mark = _FAMILY.get(self.config.type)
        if mark is None or self.config.server:
            raise Misconfigured("type and server need dnspython: pip install 'tocsin[dns]'")
        found = {each for each in resolved(self.config.name, 0, until, None) if mark in each}
        if not found:
            raise Unavailable(f"{self.config.name} has no {self.config.type}")
        return found


def _joined(text: str) -> str:
    """A text record's parts, of 255 bytes each, as the one text that they are."""
    return text.replace('" "', "") if text.startswith('"') else text


def _plain(text: str) -> str:
    """An answer without what makes no difference."""
    return text.strip('"') if text.startswith('"') else text.rstrip(".").lower()
