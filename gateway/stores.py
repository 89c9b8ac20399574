"""A store by its address."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.ports import Misconfigured, Store
from gateway.settings import StoreSettings
from kewang.runtime.settings import SettingsError, secret

_FORMS = "sqlite:///FILE, influx1+http://HOST:PORT/DATABASE or influx2+https://HOST:PORT/ORGANISATION/BUCKET"


def open_settings_store(store: StoreSettings) -> Store:
    """The store of the settings, with its secret read. Raises SettingsError."""
    key = secret(store.secret_file) if store.secret_file else None
    try:
        return open_store(store.url, username=store.username, secret=key)
    except Misconfigured as error:
        raise SettingsError(str(error)) from None


def open_store(url: str, *, username: str | None = None, secret: str | None = None) -> Store:
    """The store at `url`; nothing is opened before it is used. Raises Misconfigured.

    `sqlite:///FILE` (a fourth slash for an absolute path), `influx1+http(s)://HOST:PORT/DATABASE`,
    `influx2+http(s)://HOST:PORT/ORGANISATION/BUCKET`. `secret`: password (InfluxDB 1) or token (InfluxDB 2).
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Misconfigured(f"store url {url!r}: {error}; write {_FORMS}") from None
    kind, _, transport = parts.scheme.partition("+")
    path = [unquote(name) for name in parts.path.split("/")[1:]]
    if parts.username or parts.password:
        raise Misconfigured("the store's url holds a user or password: put them into settings and secret file")
    if kind == "sqlite" and not transport and not parts.netloc and parts.path not in ("", "/"):
        return _sqlite(Path(unquote(parts.path)[1:]))
    if transport not in ("http", "https") or not parts.hostname or not all(path):
        raise Misconfigured(f"store url {url!r} is none of {_FORMS}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return _influx(kind, f"{transport}://{host}:{port or 8086}", path, username, secret)


def folder_of(url: str) -> Path | None:
    """The folder on this machine that holds the database; None for one on a server."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)[1:]).parent if parts.scheme == "sqlite" else None


def _sqlite(file: Path) -> Store:
    from gateway.sqlite_sink import SqliteStore

    return SqliteStore(file)


def _influx(kind: str, base_url: str, path: list[str], username: str | None, secret: str | None) -> Store:
    if kind == "influx1" and len(path) == 1:
        from gateway.influx1_sink import Influx1Store

        return Influx1Store(base_url, path[0], username, secret)
    if kind == "influx2" and len(path) == 2:
        from gateway.influx2_sink import Influx2Store

        if not secret:
            raise Misconfigured("InfluxDB 2 needs a token: name its file in the setting 'store.secret_file'")
        return Influx2Store(base_url, path[0], path[1], secret)
    raise Misconfigured(f"{kind} with path {'/'.join(path)!r}: write {_FORMS}")
