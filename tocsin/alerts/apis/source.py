"""A source's own address, for tools that know nothing but a URL: the token stands in the path."""

import re

from tocsin.alerts import mapping
from tocsin.alerts.apis import PREFIX, Answer, BaseApi, Refusal, Request
from tocsin.alerts.detect import detect
from tocsin.alerts.drivers import drivers
from tocsin.alerts.events import Reading
from tocsin.core.errors import Rejected


class Api(BaseApi):
    """A source's own URL: `/alerts/source/<token>/`; read by its mapping, or by the driver that fits."""

    paths = re.compile(PREFIX + r"/alerts/source/(?P<token>[^/]+)/?")
    source = "source"

    def key(self, request: Request) -> str:
        return request.match["token"]

    def read(self, request: Request) -> Reading:
        if request.mapping is None:
            raise Rejected("there is no source with this token (tocsin source create NAME)")
        if request.mapping:
            return mapping.read(request.mapping, request.body)
        return drivers.get(detect(request.body))().parse(request.body)

    def accepted(self, request: Request, reading: Reading, trace: str) -> Answer:
        content = {"status": "accepted", "trace_id": trace, "alerts": len(reading.alerts)}
        return Answer(202, content | ({"errors": reading.errors} if reading.errors else {}))

    def refused(self, request: Request, refusal: Refusal) -> Answer:
        content = {"status": "error", "code": refusal.code, "message": refusal.message}
        return Answer(refusal.status, content | {"trace_id": refusal.trace})
