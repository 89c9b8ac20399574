"""InfluxDB 2 (and 3 behind its v2 interface): raw line protocol through influxdb-client, which never retries here.

Readings go to the bucket of the address, the rest to `<bucket>_months`, `<bucket>_years` and `<bucket>_kept`. Mappings
(database = bucket; policy = how long it lives) let InfluxQL read them all.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import aiohttp
from influxdb_client import (
    BucketRetentionRules,
    BucketsService,
    DBRPCreate,
    DBRPsService,
    OrganizationsService,
    PatchBucketRequest,
    PatchRetentionRule,
    PostBucketRequest,
    WritePrecision,
)
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.rest import ApiException

from gateway.influx_history import InfluxHistory
from gateway.influx_http import (
    CONNECTIONS,
    TIMEOUT_S,
    InfluxHttp,
    answered,
    body_of,
    by_bucket,
    shard_days,
    unanswered,
)
from gateway.influxql import Queries
from gateway.ports import BUCKETS, Bucket, Lives, Misconfigured, Table

T = TypeVar("T")
_DAY_S: Final = 86_400


class Influx2Store(InfluxHistory):
    """Store in `bucket` of `organisation` on the server at `base_url` (http(s)://host:port)."""

    def __init__(self, base_url: str, organisation: str, bucket: str, token: str, timeout_s: float = TIMEOUT_S) -> None:
        self._http = InfluxHttp(base_url, {"Authorization": f"Token {token}"}, timeout_s)
        super().__init__(bucket, Queries(self._http, bucket))
        self._base_url, self._organisation, self._token = base_url, organisation, token
        self._timeout_s = timeout_s
        self._open: Any = None

    async def write(self, tables: Sequence[Table]) -> None:
        for bucket, part in by_bucket(tables):
            await self._write(self._named(bucket), part, tables)

    async def prepare(self, lives: Lives) -> None:
        for name in BUCKETS:
            days = lives.of(name)
            bucket = await self._bucket(self._named(name), days * _DAY_S, shard_days(name, days) * _DAY_S)
            await self._map(name, bucket, default=name == "raw")

    def _named(self, bucket: Bucket) -> str:
        return self.database if bucket == "raw" else f"{self.database}_{bucket}"

    async def close(self) -> None:
        await self._http.close()
        if self._open is not None:
            await self._open.close()
            self._open = None

    async def _write(self, bucket: str, part: Sequence[Table], tables: Sequence[Table]) -> None:
        body = body_of(part, tables)
        writing = self._client().write_api()
        await self._answer(
            lambda: writing.write(bucket, self._organisation, body, write_precision=WritePrecision.MS), tables
        )

    async def _bucket(self, name: str, live_s: int, shard_s: int) -> Any:
        """The bucket called `name`, made or changed to keep its points `live_s` seconds (0 = for ever)."""
        service = BucketsService(self._client().api_client)
        found = await self._bucket_called(service, name)
        rule = {"type": "expire", "every_seconds": live_s, "shard_group_duration_seconds": shard_s}
        if found is None:
            wanted = PostBucketRequest(
                org_id=await self._organisation_id(), name=name, retention_rules=[BucketRetentionRules(**rule)]
            )
            return await self._answer(lambda: service.post_buckets_async(wanted))
        if [old.every_seconds for old in found.retention_rules] != ([live_s] if live_s else []):
            changed = PatchBucketRequest(retention_rules=[PatchRetentionRule(**rule)])
            return await self._answer(lambda: service.patch_buckets_id_async(found.id, changed))
        return found

    async def _bucket_called(self, service: Any, name: str) -> Any:
        """An unknown name is answered with 404, with none, or (older servers) with other buckets."""
        try:
            found = await self._answer(lambda: service.get_buckets_async(org=self._organisation, name=name))
        except _NotFound:
            return None
        return next((bucket for bucket in found.buckets or () if bucket.name == name), None)

    async def _organisation_id(self) -> str:
        service = OrganizationsService(self._client().api_client)
        found = await self._answer(lambda: service.get_orgs_async(org=self._organisation))
        if not found.orgs:
            raise Misconfigured(f"InfluxDB has no organisation {self._organisation!r}: mend the store's url")
        return str(found.orgs[0].id)

    async def _map(self, policy: str, bucket: Any, *, default: bool) -> None:
        """Let InfluxQL find `bucket` as `policy` of the database; a mapping of that name to another one is replaced."""
        service = DBRPsService(self._client().api_client)
        found = await self._answer(lambda: service.get_dbr_ps_async(org_id=bucket.org_id, db=self.database, rp=policy))
        for old in found.content or ():
            if old.bucket_id == bucket.id and not old.virtual:
                return
            if not old.virtual:
                await self._remove_mapping(service, old)
        wanted = DBRPCreate(
            org_id=bucket.org_id,
            bucket_id=bucket.id,
            database=self.database,
            retention_policy=policy,
            default=default,
        )
        await self._answer(lambda: service.post_dbrp_async(wanted))

    async def _remove_mapping(self, service: Any, old: Any) -> None:
        await self._answer(lambda: service.delete_dbrpid_async(old.id, org_id=old.org_id))

    async def _answer(self, request: Callable[[], Awaitable[T]], tables: Sequence[Table] = ()) -> T:
        """The one place where the client's errors become ours."""
        try:
            return await request()
        except ApiException as error:
            body = error.body if isinstance(error.body, bytes) else str(error.body or error.reason).encode()
            if error.status == 404 and not tables:
                raise _NotFound(str(answered(404, {}, body))) from None
            raise answered(error.status or 0, error.headers or {}, body, tables) or Misconfigured(str(error)) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise unanswered(error, self._base_url) from error

    def _client(self) -> Any:
        if self._open is None:
            self._open = InfluxDBClientAsync(
                self._base_url,
                self._token,
                self._organisation,
                timeout=int(self._timeout_s * 1000),
                connection_pool_maxsize=CONNECTIONS,
                allow_redirects=False,
            )
        return self._open


class _NotFound(Misconfigured):
    """404 to a request that is no write."""
