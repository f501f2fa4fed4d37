"""URLs that let whoever has them post: kept and shown as secrets are."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr


def _checked(given: SecretStr) -> SecretStr:
    if not given.get_secret_value().startswith(("http://", "https://")):
        raise ValueError("expected a URL that begins with https://")
    return given


SecretUrl = Annotated[SecretStr, AfterValidator(_checked)]
