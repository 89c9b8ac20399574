"""InfluxDB 1 (Debian's package) by /write: raw line protocol, ms, a retention policy for each bucket."""

import base64
from collections.abc import Sequence

from gateway.influx_history import InfluxHistory
from gateway.influx_http import TIMEOUT_S, InfluxHttp, answered, body_of, by_bucket, shard_days
from gateway.influxql import Queries, identifier
from gateway.ports import BUCKETS, Lives, Misconfigured, Table


class Influx1Store(InfluxHistory):
    """Store in `database` of the server at `base_url` (http://host:port). A write is safe in InfluxDB's log (fsync)."""

    def __init__(
        self,
        base_url: str,
        database: str,
        username: str | None = None,
        password: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        login = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"} if username else {}
        self._http = InfluxHttp(base_url, headers, timeout_s)
        super().__init__(database, Queries(self._http, database))

    async def write(self, tables: Sequence[Table]) -> None:
        for bucket, part in by_bucket(tables):
            await self._write(bucket, part, tables)

    async def prepare(self, lives: Lives) -> None:
        database = identifier(self.database)
        await self._ask(f"CREATE DATABASE {database}")
        policies = await self._policies()
        for bucket in BUCKETS:
            days = lives.of(bucket)
            life = f"{days}d" if days else "INF"
            lasting = f"DURATION {life} REPLICATION 1 SHARD DURATION {shard_days(bucket, days)}d"
            verb, default = "ALTER" if bucket in policies else "CREATE", " DEFAULT" if bucket == "raw" else ""
            await self._ask(f"{verb} RETENTION POLICY {identifier(bucket)} ON {database} {lasting}{default}")
        if not await self._policies() >= set(BUCKETS):
            raise Misconfigured("the server keeps no retention policies: is it InfluxDB 1? Try 'kewang gateway check'")

    async def close(self) -> None:
        await self._http.close()

    async def _write(self, bucket: str, part: Sequence[Table], tables: Sequence[Table]) -> None:
        body = body_of(part, tables)
        query = {"db": self.database, "rp": bucket, "precision": "ms"}
        if refused := answered(*await self._http.post("/write", query, body), tables):
            raise refused

    async def _policies(self) -> set[str]:
        found = await self._ask(f"SHOW RETENTION POLICIES ON {identifier(self.database)}")
        try:
            return {str(row["name"]) for series in found for row in series.dicts()}
        except KeyError:
            raise Misconfigured("the server does not list its retention policies: is it InfluxDB 1?") from None
