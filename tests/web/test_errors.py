"""What people see when something is wrong: plain, styled, and made without the database."""

import logging
from typing import Any

import pytest
from django.test import Client

from tests.statements import counted
from tests.web.markup import read
from tocsin.web.middleware import POLICY


@pytest.mark.parametrize(
    ("path", "host", "status", "heading"),
    [
        ("/nowhere/", "testserver", 404, "There is nothing here"),
        ("/incidents/", "testserver", 404, "There is nothing here"),
        ("/forbid/", "testserver", 403, "You may not do this"),
        ("/fail/", "testserver", 500, "Something went wrong here"),
        ("/", "elsewhere.example", 400, "This request cannot be understood"),
    ],
)
def test_error_pages(path: str, host: str, status: int, heading: str, settings: Any, db: None) -> None:
    settings.ROOT_URLCONF = "tests.web.failing_urls"
    logging.disable(logging.CRITICAL)
    try:
        with counted() as asked:
            answer = Client(raise_request_exception=False).get(path, headers={"host": host})
    finally:
        logging.disable(logging.NOTSET)
    page = read(answer)
    assert (answer.status_code, asked) == (status, [])
    assert heading in page.text
    assert page.attributes("href")[1:] == ["/static/tocsin/app.css", "/", "/"]
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert "told in the log" not in answer.content.decode()
