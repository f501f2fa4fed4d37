"""What receivers say, without what is secret."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from tocsin.core.secret_fields import MASK
from tocsin.notify.discreet import MOST, Discreet


class Inner(BaseModel):
    key: SecretStr = SecretStr("inner-key-123")


class Config(BaseModel):
    user: str = "ops"
    password: SecretStr = SecretStr("p:ss w/rd")
    url: SecretStr = SecretStr(
        "https://hooks.example.com:8443/services/T0001/B0001/abcdefghijklmnop?sig=Zm9vYmFy%2Bx"
    )
    inner: Inner = Inner()
    empty: SecretStr = SecretStr("")
    more: dict[str, SecretStr] = {"x": SecretStr("more-secret")}


@pytest.mark.parametrize(
    "secret",
    [
        "p:ss w/rd", quote("p:ss w/rd", safe=""), base64.b64encode(b"ops:p:ss w/rd").decode(),
        "inner-key-123", "abcdefghijklmnop", "Zm9vYmFy+x", "Zm9vYmFy", "more-secret",
    ],
)  # fmt: skip
def test_a_secret_is_dots_however_it_is_written(secret: str) -> None:
    said = Discreet(Config()).told(f"Cannot POST {secret} here")
    assert secret not in said and MASK in said
    assert said.startswith("Cannot POST ") and said.endswith(" here")


def test_the_path_of_a_secret_url_is_secret_and_its_host_is_not() -> None:
    said = Discreet(Config()).told("no hooks.example.com:8443: /services/T0001/B0001/abcdefghijklmnop")
    assert said == f"no hooks.example.com:8443: /services/T0001/B0001/{MASK}"


def test_a_secret_that_was_cut_is_one_still() -> None:
    assert Discreet(Config()).told("Cannot POST /services/abcdefghij") == f"Cannot POST /services/{MASK}"


def test_a_word_of_a_path_says_nothing() -> None:
    config = Config(url=SecretStr("https://example.com/api/webhooks/messages/12345678"))
    assert Discreet(config).told("too many messages by webhooks") == "too many messages by webhooks"


@given(st.text(), st.text(min_size=4))
def test_whatever_is_said_can_be_kept(text: str, secret: str) -> None:
    said = Discreet(Config(password=SecretStr(secret), url=SecretStr("http://[" + secret))).told(text * 50)
    assert said.isprintable() and len(said) <= MOST
    said.encode()


def test_who_has_no_secrets_keeps_none() -> None:
    assert Discreet("why it cannot send").told("a\0b\x1b[2J\u202ec\nd") == "a b [2J c d"
