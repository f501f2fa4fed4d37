"""What a mail channel needs: a server or a key, and who writes to whom."""

import re
from email.utils import getaddresses
from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

_ADDRESS: Final = re.compile(r"[^@\s<>,;:]+@[^@\s<>,;:]+")


class Config(BaseModel):
    smtp_host: str = Field(default="", description="Mail server; or else a key of SendGrid's")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How to encrypt")
    username: str = Field(default="", description="Sign in as; empty for a server that asks nothing")
    password: SecretStr = Field(default=SecretStr(""), description="Password of that user")
    sendgrid_api_key: SecretStr = Field(
        default=SecretStr(""), description="API key that may send mail, in place of a mail server"
    )
    sendgrid_url: str = Field(
        default="https://api.sendgrid.com",
        description="SendGrid's address; https://api.eu.sendgrid.com for an account in the EU",
        pattern=r"^https?://",
    )
    sender: str = Field(description="From address")
    to: str = Field(description="To addresses, comma-separated")

    @field_validator("sender", "to")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        found = getaddresses([value])
        if (
            not value.isprintable()
            or not found
            or not all(_ADDRESS.fullmatch(address) for _, address in found)
        ):
            raise ValueError("expected addresses such as ops@example.com or Ops <ops@example.com>")
        return value

    @model_validator(mode="after")
    def _goes_one_way(self) -> "Config":
        if bool(self.smtp_host) == bool(self.sendgrid_api_key.get_secret_value()):
            raise ValueError("give either smtp_host or sendgrid_api_key")
        return self
