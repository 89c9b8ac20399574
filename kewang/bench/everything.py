"""Every measurement, each as a process of its own, as anybody would call it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

BENCHES: Final = {
    "wire": ("bytes_per_reading", "mqtt_bytes_per_reading"),
    "ingest": ("ratio", "readings_per_s", "gateway_cpu_us_per_reading", "unbatched_messages_per_s", "lost"),
    "edge": ("rss_mb", "cpu_percent", "start_s", "venv_mb"),
    "buses": ("rss_mb", "cpu_percent", "jitter_p99_ms", "same_wire_p99_ms"),
    "flash": ("profiles",),
    "backlog": ("backlog_rows", "drain_s", "live_delay_p95_s", "lost"),
    "scale": ("flatness",),
    "fuzz": ("in_process", "gateway"),
    "fuzz-rtsp": ("conversations", "played", "slowest_ms", "more_mb"),
    "probes": ("cpu_ms_per_camera_minute", "rss_mb", "leaked_sessions", "probes"),
    "cameras": ("hard_recall", "soft_recall", "slow_recall", "typed_recall", "false_alarms_per_camera_day"),
    "alerts": (
        "missed",
        "false_share",
        "notices_per_incident",
        "ttd_s",
        "worst_10min",
        "cause_accuracy",
        "compression",
    ),
    "month": ("made", "in_thinned", "absent", "power_cuts", "wrong"),
    "trust": ("recall", "false_flags_per_sensor_day"),
    "rollups": ("step_influxd_pct", "step_gateway_pct", "rebuild_day_influxd_s", "rebuild_day_gateway_s", "hold_ms"),
    "revoke": ("one_ms", "hundred_ms", "bystanders_lost", "messages_lost"),
    "visit": ("runs", "green", "taps", "first_reading_s", "bad_link"),
    "attacks": ("rows", "attempts", "refused", "controls", "controls_passed"),
    "chaos": ("seeds_ok", "lost", "duplicates", "wrong"),
    "powercuts": ("cuts", "lost", "duplicates", "wrong", "start_ms"),
    "field": ("wrong_dates", "lost", "duplicates", "behind_ms", "ahead_ms"),
    "upgrade": ("outcomes", "lost", "duplicates", "wrong"),
}
"""Name -> the figures of its line."""
LIMIT_S: Final = 900


def run_all(names: Sequence[str], as_json: bool) -> int:
    """Run `names`, a line for each; with `as_json` one object with all results. The exit code."""
    results = {name: _run(name) if as_json else _shown(name, _run(name)) for name in names}
    ok = all(result["ok"] for result in results.values())
    if as_json:
        print(json.dumps({"schema": 1, "command": "bench all", "ok": ok, "results": results}, separators=(",", ":")))
    return 0 if ok else 1


def _run(name: str) -> dict[str, Any]:
    words = [sys.executable, "-m", "kewang", "bench", name, "--json"]
    try:
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return {"ok": False, "failed": [f"not done within {LIMIT_S} s"], "seconds": LIMIT_S}
    try:
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        return {"ok": False, "failed": [f"exit code {done.returncode}, no result"], "seconds": 0}
    return result


def _shown(name: str, result: dict[str, Any]) -> dict[str, Any]:
    figures = ", ".join(f"{key} {result[key]}" for key in BENCHES[name] if key in result)
    problems = "".join(f"; {reason}" for reason in result["failed"])
    print(
        f"{name:<9} {'ok' if result['ok'] else 'NOT OK':<6} {result['seconds']:>6} s  {figures}{problems}", flush=True
    )
    return result
