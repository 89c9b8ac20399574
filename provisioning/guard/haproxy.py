"""HAProxy in front of the boxes' listener: a place at the broker costs a TLS hello, soon; TLS itself goes through.

Mosquitto alone keeps a silent connection for a minute and a half, and refuses everybody when all its places are taken.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from provisioning.guard.settings import ListenerSettings, ProxySettings

_SILENT_S: Final = 480
"""Longer than a client may be silent: the broker's longest keepalive is 300 s, and it waits half as long again."""
_ROOM: Final = 2
"""Places of the proxy for each place at the broker, for those who never say hello."""
_RATE_S: Final = 10
_SYSTEM_FOLDERS: Final = "/usr/local/sbin:/usr/sbin"


def haproxy_cfg(proxy: ProxySettings, broker: ListenerSettings, max_devices: int) -> str:
    """The file. `broker`: where the boxes' listener really is, on loopback."""
    return f"""\
# Written by the guard of Kewang; changes are undone.
global
    maxconn {_ROOM * max_devices}

defaults
    mode tcp
    option dontlognull
    timeout connect 5s
    timeout client {_SILENT_S}s
    timeout server {_SILENT_S}s

frontend boxes
    bind {proxy.host}:{proxy.port}
    maxconn {_ROOM * max_devices}
    option clitcpka
    stick-table type ip size 200k expire 30m store conn_cur,conn_rate({_RATE_S}s)
    tcp-request connection track-sc0 src
    tcp-request connection reject if {{ sc0_conn_cur gt {proxy.per_source} }}
    tcp-request connection reject if {{ sc0_conn_rate gt {proxy.per_source_rate} }}
    # Nothing reaches the broker before a whole TLS hello has come.
    tcp-request inspect-delay {proxy.hello_s}s
    tcp-request content accept if {{ req.ssl_hello_type 1 }}
    tcp-request content reject
    default_backend broker

backend broker
    option srvtcpka
    server mosquitto {broker.host}:{broker.port} maxconn {max_devices}
"""


def install(proxy: ProxySettings, broker: ListenerSettings, max_devices: int) -> bool:
    """Write `proxy.file` if it is not so already; whether it was, and HAProxy must be reloaded.

    A file that HAProxy itself calls bad is not put in place. Raises OSError.
    """
    text = haproxy_cfg(proxy, broker, max_devices)
    if proxy.file.exists() and proxy.file.read_text() == text:
        return False
    draft = proxy.file.with_name(f"{proxy.file.name}.new")
    draft.write_text(text)
    problems = check(draft)
    if problems:
        draft.unlink()
        raise OSError(f"HAProxy refuses its file, the one before stays: {'; '.join(problems)}")
    draft.replace(proxy.file)
    return True


def check(file: Path) -> list[str]:
    """What HAProxy itself says is wrong with `file` (`haproxy -c`). Raises OSError where there is none."""
    found = shutil.which("haproxy") or shutil.which("haproxy", path=_SYSTEM_FOLDERS)
    if found is None:
        raise OSError("haproxy is not on this machine: install Debian's package haproxy, or leave out guard.proxy")
    done = subprocess.run([found, "-c", "-f", str(file)], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line] if done.returncode else []
