"""Redis, which several instances share. Each step is one script, so that no other comes between.

All moments are Redis' own, so that clocks that differ between machines do not matter. It keeps a webhook as
well as it is configured to: with ``appendonly yes`` what was answered outlasts its own crash.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tocsin.core import log
from tocsin.core.errors import Unavailable
from tocsin.core.redis import address
from tocsin.threader.store import (
    LEASE_SECONDS,
    LIMITED_SECONDS,
    MOST_BYTES,
    MOST_TAKEN,
    MOST_WAITING,
    BaseStore,
    Claim,
    Depth,
    full,
)

logger = log.get(__name__)

ANSWER_SECONDS: Final = 5.0
RETRY_SECONDS: Final = 2.0
IDLE_SECONDS: Final = 1.0

# ``ready`` has the groups of which something waits, each with the moment when it is due, which is the end of
# its lease while somebody holds it; ``held`` has the token of who does.
_NOW: Final = """
local root = KEYS[1]
local ready, held, tries = root..'ready', root..'held', root..'tries'
local waiting, size = root..'waiting', root..'size'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local group = ARGV[1]
local queue, thread = root..'queue:'..group, root..'thread:'..group
"""
_PUT: Final = """
if tonumber(redis.call('GET', waiting) or 0) >= tonumber(ARGV[3]) then return 0 end
if tonumber(redis.call('GET', size) or 0) >= tonumber(ARGV[4]) then return 0 end
redis.call('RPUSH', queue, ARGV[2])
redis.call('INCR', waiting)
redis.call('INCRBY', size, #ARGV[2])
redis.call('ZADD', ready, 'NX', now, group)
return 1
"""
_CLAIM: Final = """
local pause = redis.call('PTTL', root..'paused')
if pause > 0 then return {pause} end
local first = redis.call('ZRANGE', ready, 0, 0, 'WITHSCORES')
if not first[1] then return {-1} end
local rest = tonumber(first[2]) - now
if rest > 0 then return {math.ceil(rest)} end
group = first[1]
queue, thread = root..'queue:'..group, root..'thread:'..group
local token = redis.call('INCR', root..'tokens')
local tried = redis.call('HGET', tries, group) or 0
redis.call('HSET', held, group, token)
redis.call('ZADD', ready, now + ARGV[2], group)
local limited = redis.call('EXISTS', root..'limited')
local found = {0, group, token, tried, limited, redis.call('GET', thread) or ''}
for _, webhook in ipairs(redis.call('LRANGE', queue, 0, ARGV[3] - 1)) do table.insert(found, webhook) end
return found
"""
_HELD: Final = "if redis.call('HGET', held, group) ~= ARGV[2] then return 0 end\n"
_EXTEND: Final = _HELD + "redis.call('ZADD', ready, now + ARGV[3], group) return 1"
_RETRY: Final = (
    _HELD
    + """
redis.call('HDEL', held, group)
redis.call('HINCRBY', tries, group, 1)
redis.call('ZADD', ready, now + ARGV[3], group)
return 1
"""
)
_FINISH: Final = (
    _HELD
    + """
local count = tonumber(ARGV[3])
for number = 1, count do
    local webhook = redis.call('LPOP', queue)
    if webhook then
        redis.call('DECR', waiting)
        redis.call('DECRBY', size, #webhook)
    end
end
local left = redis.call('LLEN', queue)
redis.call('HDEL', held, group)
redis.call('HDEL', tries, group)
if ARGV[4] ~= '' then redis.call('SET', thread, ARGV[4], 'PX', ARGV[5]) end
if left > 0 then redis.call('ZADD', ready, now, group) else redis.call('ZREM', ready, group) end
return 1
"""
)


class RedisStore(BaseStore):
    """What instances of one place share."""

    name = "redis"

    def __init__(self, url: str, place: str) -> None:
        self._where = address(url)
        self._root = f"tocsin:threader:{{{place}}}:"
        self._redis = Redis.from_url(
            url,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=RETRY_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        scripts = (_PUT, _CLAIM, _EXTEND, _RETRY, _FINISH)
        self._put, self._claim, self._extend, self._retry, self._finish = (
            self._redis.register_script(_NOW + script) for script in scripts
        )

    async def open(self) -> None:
        try:
            kept = (await self._redis.info("persistence")).get("aof_enabled")
        except (RedisError, OSError) as error:
            logger.warning("threader.store_away", store=str(self._where), error=str(error))
            return
        if not kept:
            logger.warning("threader.store_forgets", store=str(self._where), advice="appendonly yes")

    async def put(self, group: str, webhook: bytes) -> None:
        if not await self._ask(self._put, group, webhook, MOST_WAITING, MOST_BYTES):
            raise full()

    async def claim(self) -> Claim | float:
        found = await self._ask(self._claim, "", _milliseconds(LEASE_SECONDS), MOST_TAKEN)
        if found[0]:
            return IDLE_SECONDS if found[0] < 0 else found[0] / 1000
        _, group, token, tried, limited, thread, *waiting = found
        return Claim(group.decode(), str(token), thread, waiting, int(tried), bool(limited))

    async def extend(self, claim: Claim) -> bool:
        return bool(await self._ask(self._extend, claim.group, claim.token, _milliseconds(LEASE_SECONDS)))

    async def finish(self, claim: Claim, done: int, thread: bytes, keep: timedelta) -> bool:
        lasting = _milliseconds(keep.total_seconds())
        return bool(await self._ask(self._finish, claim.group, claim.token, done, thread, lasting))

    async def retry(self, claim: Claim, seconds: float) -> None:
        await self._ask(self._retry, claim.group, claim.token, _milliseconds(seconds))

    async def pause(self, seconds: float) -> None:
        async with self._answering():
            await self._redis.set(f"{self._root}paused", 1, px=_milliseconds(seconds))
            await self._redis.set(f"{self._root}limited", 1, px=_milliseconds(seconds + LIMITED_SECONDS))

    async def depth(self) -> Depth:
        async with self._answering():
            webhooks = await self._redis.get(f"{self._root}waiting")
            return Depth(int(webhooks or 0), await self._redis.zcard(f"{self._root}ready"))

    async def close(self) -> None:
        await self._redis.aclose()

    async def _ask(self, script: Any, *arguments: str | bytes | int) -> Any:
        async with self._answering():
            return await script(keys=[self._root], args=arguments)

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis at {self._where}: {error}", RETRY_SECONDS) from error


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
