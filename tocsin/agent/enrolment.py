"""A key of the agent's own: traded for a token, kept in its folder."""

from pathlib import Path
from typing import Final

import msgspec

from tocsin.agent import files
from tocsin.agent.hub import Answer, Connection
from tocsin.agent.version import version
from tocsin.core.errors import Misconfigured, Rejected, Unavailable

NAME: Final = "enrolment.json"
PATH: Final = "/api/v1/enroll/"


class Enrolment(msgspec.Struct):
    """What an agent keeps of it. The key opens nothing but this hub."""

    hub: str
    instance_id: str
    key: str


class _Asked(msgspec.Struct):
    token: str
    instance_id: str
    hostname: str
    version: str


class _Given(msgspec.Struct):
    key: str
    instance_id: str


def kept(folder: Path) -> Enrolment | None:
    """What was kept in a folder; None where nothing was. Raises Misconfigured."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Enrolment)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise Misconfigured(f"{path} cannot be read ({error}): remove it, and enrol again") from error


def enrol(
    *, hub: str, token: str, instance_id: str, hostname: str, authority: str, folder: Path
) -> Enrolment:
    """Trade a token for a key and keep that. Raises Misconfigured, Unavailable, Rejected."""
    hub = hub.rstrip("/")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    body = msgspec.json.encode(_Asked(token, instance_id, hostname, version()))
    connection = Connection(hub, authority)
    try:
        answer = connection.post(PATH, {"Content-Type": "application/json"}, body)
    finally:
        connection.close()
    if answer.status != 201:
        raise _refusal(answer, hub, instance_id)
    try:
        given = msgspec.json.decode(answer.body, type=_Given)
    except msgspec.DecodeError as error:
        raise Rejected(f"{hub} answers 201 without a key ({error}): is it a hub?") from error
    enrolment = Enrolment(hub, given.instance_id, given.key)
    files.write(folder / NAME, msgspec.json.encode(enrolment))
    return enrolment


def _refusal(answer: Answer, hub: str, instance_id: str) -> Rejected | Unavailable:
    said = f" ({answer.told()})" if answer.told() else ""
    if answer.status == 403:
        return Rejected(
            f"the hub does not know this token{said}: it may be used up or too old; make another one"
        )
    if answer.status == 409:
        return Rejected(
            f"the hub has given {instance_id} a key before{said}: revoke that there, or choose another "
            "--instance-id"
        )
    if answer.status == 404:
        return Rejected(f"there is no hub at {hub}: set CLUSTER_ENABLED=1 there, and check --hub")
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return Unavailable(f"the hub answers {answer}: try again later")
    return Rejected(f"the hub answers {answer}")
