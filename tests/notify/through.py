"""Sends a message through a driver."""

from typing import Any

from tests.notify.messages import message
from tocsin.core.http import Client
from tocsin.notify.drivers import BaseDriver
from tocsin.notify.message import Message


async def send(driver: BaseDriver[Any], told: Message | None = None, http: Client | None = None) -> str:
    """What the receiver said; raises as the driver does."""
    client = http or Client()
    try:
        return await driver.send(told or message(), client)
    finally:
        client.close()
