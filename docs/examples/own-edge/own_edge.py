"""An edge in plain Python and paho-mqtt, without a line of Kewang: python own_edge.py HOST PORT DEVICE FILE"""

import hashlib
import json
import secrets
import sqlite3
import sys
import time
import zlib
from collections import Counter
from types import SimpleNamespace

import paho.mqtt.client as mqtt

if len(sys.argv) != 5:
    sys.exit(__doc__)
HOST, PORT, DEVICE, FILE = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
EVERY_S, RESEND_S, RESEND_MAX_S, CREDIT_LIFE_S, KEPT = 2.0, 30.0, 600.0, 120.0, 10_000
TOPIC = f"kewang/1/{hashlib.sha256(DEVICE.encode()).hexdigest()[0]}/{DEVICE}/"
RUN, BORN = secrets.token_hex(6), time.monotonic()

disk = sqlite3.connect(FILE)
disk.executescript("""PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS batch (run, q, stream, body, open, UNIQUE (run, q));
CREATE TABLE IF NOT EXISTS rewind (rw)""")
sent, checksums, made = {}, {}, Counter()
now = SimpleNamespace(credit=0, credit_until=0.0, number=0, connects=0)


def up():
    return int((time.monotonic() - BORN) * 1000)


def rewind():
    return disk.execute("SELECT coalesce(max(rw), 0) FROM rewind").fetchone()[0]


def keep(stream, source, metrics, values):
    """A batch of one reading, on the disk before anybody hears of it; one of the source `box` is a heartbeat."""
    now.number += 1
    made[source, int(time.time() // 3600)] += 1
    body = {"v": 1, "bt": RUN, "q": now.number, "src": source, "tq": 2, "t0": time.time_ns() // 10**6}
    if source == "box":
        (body["held"],) = disk.execute("SELECT count(*) FROM batch WHERE open").fetchone()
        body["tl"] = [[RUN, of, hour, count, 0] for (of, hour), count in made.items()][-50:]
    body |= {"k": metrics, "r": [[0, *values]]}
    with disk:
        disk.execute("INSERT INTO batch VALUES (?, ?, ?, ?, 1)", (RUN, now.number, stream, json.dumps(body)))
        disk.execute("DELETE FROM batch WHERE NOT open AND rowid <= (SELECT max(rowid) FROM batch) - ?", (KEPT,))


def send():
    """What is open and due, oldest first, at most `credit` on their way; without credit the newest heartbeat alone."""
    room = now.credit if time.monotonic() < now.credit_until else 0
    rows = disk.execute("SELECT run, q, stream, body FROM batch WHERE open ORDER BY rowid").fetchall()
    for run, q, stream, body in rows[:room] if room else [row for row in rows if row[2] == "sys"][-1:]:
        due, times = sent.get((run, q), (0.0, 0))
        if due <= time.monotonic():
            payload = json.dumps(json.loads(body) | {"rw": rewind(), "up": up()}).encode()
            wait = min(RESEND_S * 2**times, RESEND_MAX_S)
            sent[run, q], checksums[zlib.crc32(payload)] = (time.monotonic() + wait, times + 1), (run, q)
            client.publish(TOPIC + "d/" + stream, payload, qos=1)


def connected(*_):
    """Birth, after every connect."""
    client.subscribe(TOPIC + "a", qos=1)
    birth = {"st": "on", "bt": RUN, "n": now.connects, "up": up(), "rw": rewind(), "fw": "own-edge 1"}
    client.publish(TOPIC + "s", json.dumps(birth), qos=1, retain=True)


def heard(_client, _data, message):
    """An ack: first the rewind, then the marks, then the credit."""
    ack = json.loads(message.payload)
    if message.retain or len(message.payload) > 4096 or not rewind() <= ack["rw"] <= 2**33:
        return
    with disk:
        if ack["rw"] > rewind():
            disk.execute("INSERT INTO rewind VALUES (?)", (ack["rw"],))
            disk.execute("UPDATE batch SET open = 1")
        for run, first, last in ack.get("ok", []):
            disk.execute("UPDATE batch SET open = 0 WHERE run = ? AND q BETWEEN ? AND ?", (run, first, last))
        for name in filter(None, map(checksums.get, ack.get("bad", []))):
            disk.execute("UPDATE batch SET open = 0 WHERE run = ? AND q = ?", name)
    waiting = set(disk.execute("SELECT run, q FROM batch WHERE open"))
    for done in sent.keys() - waiting:
        del sent[done]
    for crc in [crc for crc, name in checksums.items() if name not in waiting]:
        del checksums[crc]
    now.credit, now.credit_until = ack.get("cr", 0), time.monotonic() + CREDIT_LIFE_S


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=DEVICE, clean_session=True)
client.on_connect, client.on_message = connected, heard
reading = 0.0
while True:
    if not client.is_connected() and client.loop(timeout=1.0) != mqtt.MQTT_ERR_SUCCESS:
        now.connects += 1
        client.will_set(TOPIC + "s", json.dumps({"st": "off", "bt": RUN, "n": now.connects}), qos=1, retain=True)
        try:
            client.connect(HOST, PORT, keepalive=30)
        except OSError:
            time.sleep(1)
    client.loop(timeout=0.1)
    if time.monotonic() >= reading:
        reading = time.monotonic() + EVERY_S
        keep("env", "env-1", ["temp_c", "rh_pct"], [29.1, 78.0])
        keep("sys", "box", ["uptime_s"], [up() // 1000])
    send()
