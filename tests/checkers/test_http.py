"""A page or an API, against a real server, with and without TLS."""

from pathlib import Path

import pytest

from tests.checkers.looking import checker, look
from tests.fakes.receiver import Answer, Receiver
from tests.fakes.receiver import receiver as another
from tests.fakes.tls import https
from tests.processes import free_port
from tocsin.checkers.checks import CheckResult
from tocsin.checkers.running import Runner, build
from tocsin.core.errors import Forbidden, Misconfigured, Rejected


def test_a_page_that_answers(receiver: Receiver) -> None:
    found = look("http", url=receiver.url)
    assert found.status == "ok"
    assert found.message.startswith("HTTP 200 in ") and found.message.endswith(f"from {receiver.url}")
    assert (found.metrics["status"], found.metrics["body_bytes"]) == (200, 2)
    assert found.metrics["latency_ms"] > 0
    assert receiver.received[0].method == "GET"


def test_what_is_sent(receiver: Receiver) -> None:
    look(
        "http", url=f"{receiver.url}?a=b", method="POST", body="ü", headers={"X-Team": "shop"},
        username="alice", password="s3cret",
    )  # fmt: skip
    look("http", url=receiver.url, token="t0ken")
    first, second = receiver.received
    assert (first.method, first.path, first.body) == ("POST", "/hook?a=b", "ü".encode())
    assert first.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert (first.headers["x-team"], first.headers["authorization"]) == ("shop", "Basic YWxpY2U6czNjcmV0")
    assert second.headers["authorization"] == "Bearer t0ken"


@pytest.mark.parametrize(("status", "statuses", "expected"), [
    (204, [], "ok"), (301, [], "ok"), (404, [], "critical"), (503, [], "critical"),
    (503, [503], "ok"), (200, [401, 403], "critical"), (401, [401, 403], "ok"),
])  # fmt: skip
def test_statuses(receiver: Receiver, status: int, statuses: list[int], expected: str) -> None:
    receiver.default = Answer(status, b"")
    found = look("http", url=receiver.url, statuses=statuses)
    assert found.status == expected
    assert f"HTTP {status}" in found.message


@pytest.mark.parametrize(("options", "expected", "said"), [
    ({"contains": "all well"}, "ok", "HTTP 200"),
    ({"contains": "other"}, "critical", "the answer does not hold 'other'"),
    ({"matches": r"all\s+w"}, "ok", "HTTP 200"),
    ({"matches": "^well"}, "critical", "nothing matches '^well'"),
    ({"must_not_match": "(?i)error"}, "ok", "HTTP 200"),
    ({"must_not_match": "w.ll"}, "critical", "the answer matches 'w.ll'"),
    ({"contains": "all well", "max_bytes": 4}, "critical", "does not hold"),
    ({"warning": 0, "critical": 60_000}, "warning", "HTTP 200 after "),
    ({"warning": 0, "critical": 0}, "critical", "HTTP 200 after "),
])  # fmt: skip
def test_what_it_must_hold(receiver: Receiver, options: dict[str, object], expected: str, said: str) -> None:
    receiver.default.body = b"all well here"
    found = look("http", url=receiver.url, **options)
    assert found.status == expected
    assert said in found.message


def test_redirects_are_followed_and_secrets_stay_with_who_was_asked(receiver: Receiver) -> None:
    with another() as other:
        receiver.answers = [
            Answer(302, headers={"Location": "/here"}),
            Answer(307, headers={"Location": other.url}),
        ]
        found = look("http", url=receiver.url, method="POST", body="x", token="t0ken")
        assert found.status == "ok"
        assert other.url in found.message
        assert [(r.method, "authorization" in r.headers) for r in receiver.received] == [
            ("POST", True),
            ("GET", True),
        ]
        assert "authorization" not in other.received[0].headers
    receiver.received.clear()
    receiver.default = Answer(302, headers={"Location": receiver.url})
    assert "redirects more than 10 times" in look("http", url=receiver.url).message
    assert len(receiver.received) == 10
    assert look("http", url=receiver.url, follow=False).metrics["status"] == 302


def test_a_redirect_to_another_kind_of_address_is_refused(receiver: Receiver) -> None:
    receiver.default = Answer(302, headers={"Location": "file:///etc/passwd"})
    with pytest.raises(Rejected, match="must begin with http"):
        look("http", url=receiver.url)


def test_a_certificate_and_its_days(receiver: Receiver, tmp_path: Path) -> None:
    with https(receiver.port, tmp_path) as server:
        trusted = {"url": server.url, "ca_file": str(server.certificate)}
        found = look("http", **trusted)
        assert found.status == "critical", "it is good for an hour"
        assert "the certificate is good for 0 days" in found.message
        assert 0 < found.metrics["days_left"] < 0.05
        assert look("http", **trusted, days_critical=0).status == "warning"
        assert look("http", **trusted, days_critical=0, days_warning=0).status == "ok"
        refused = look("http", url=server.url)
        assert refused.status == "critical"
        assert "certificate not trusted: self-signed certificate" in refused.message
        unchecked = look("http", url=server.url, verify=False, days_critical=0, days_warning=0)
        assert (unchecked.status, unchecked.metrics["days_left"]) == ("ok", pytest.approx(0.041, abs=0.01))


def test_a_name_that_does_not_fit(receiver: Receiver, tmp_path: Path) -> None:
    with https(receiver.port, tmp_path) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        found = look("http", url=url, ca_file=str(server.certificate))
    assert found.status == "critical"
    assert "Hostname mismatch" in found.message


def test_a_server_that_goes_away(tmp_path: Path) -> None:
    with another() as receiver:
        asking = checker("http", url=receiver.url)
        assert asking.check().status == "ok"
    gone = asking.check()
    assert (gone.status, gone.message) == ("critical", f"127.0.0.1:{receiver.port}: Connection refused")


def test_a_server_that_hangs(receiver: Receiver) -> None:
    receiver.default.delay = 3
    found = look("http", url=receiver.url, timeout=0.3)
    assert (found.status, found.message) == ("critical", f"127.0.0.1:{receiver.port} did not answer in time")


def test_a_name_that_nobody_has() -> None:
    found = look("http", url="http://nobody.invalid/")
    assert found.status == "critical"
    assert "nobody.invalid" in found.message


def test_plain_http_where_tls_is_expected(receiver: Receiver) -> None:
    found = look("http", url=f"https://127.0.0.1:{receiver.port}/")
    assert found.status == "critical"
    assert "no TLS" in found.message


@pytest.mark.parametrize("options", [
    {}, {"url": "ftp://x"}, {"url": "http://x", "matches": "("}, {"url": "http://x", "method": "EAT"},
    {"url": "http://x", "ulr": 1}, {"url": "http://x", "max_bytes": 0},
])  # fmt: skip
def test_options_that_cannot_be(options: dict[str, object]) -> None:
    with pytest.raises(Misconfigured, match="^http: "):
        build("http", options)


@pytest.mark.parametrize("url", ["http://", "http://a b/", "http://u:p@127.0.0.1/", "http://127.0.0.1:x/"])
def test_urls_that_cannot_be(url: str) -> None:
    with pytest.raises(Rejected):
        look("http", url=url)


def _told(**options: object) -> CheckResult:
    """What a runner tells of a check that raises."""
    asking = build("http", options, trusted=True)
    return Runner({"http": asking}).run()[0]


def test_secrets_are_in_no_message(receiver: Receiver) -> None:
    receiver.default.status = 500
    results = [
        _told(url=f"{receiver.url}?key=s3cret", token="s3cret"),
        _told(url=receiver.url, headers={"X-Key": "s3cret\n"}),
        _told(url="http://u:s3cret@127.0.0.1/"),
        _told(url=f"http://127.0.0.1:{free_port()}/?key=s3cret"),
    ]
    assert [each.status for each in results] == ["critical", "unknown", "unknown", "critical"]
    assert "s3cret" not in repr(results)
    assert "s3cret" not in repr(build("http", {"url": "http://x", "token": "s3cret"}).config)


def test_only_trusted_options_reach_this_network(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "")
    with pytest.raises(Forbidden, match="TOCSIN_OUTBOUND_ALLOW"):
        build("http", {"url": receiver.url}).check()
    assert receiver.received == []
    assert build("http", {"url": receiver.url}, trusted=True).check().status == "ok"
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.0/8")
    assert build("http", {"url": receiver.url}).check().status == "ok"


def test_a_redirect_into_this_network_is_refused(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_OUTBOUND_ALLOW", "127.0.0.1")
    receiver.default = Answer(302, headers={"Location": "http://127.0.0.2:1/"})
    with pytest.raises(Forbidden, match="127.0.0.2"):
        build("http", {"url": receiver.url}).check()


def test_a_file_of_authorities_that_is_none() -> None:
    with pytest.raises(Rejected, match="ca_file /nowhere: No such file"):
        look("http", url="https://127.0.0.1/", ca_file="/nowhere")
