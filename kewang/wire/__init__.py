"""What two machines must agree on, and nothing else: topics, messages, metric catalogue, protocol times.

    device ── d/{stream} batch, s state ──> gateway
    device <── a ack ─────────────────────── gateway
    provisioning ── p placement ──────────> gateway

A thing enters this package only if two different machines must agree on it. No sockets, clocks, disk or threads.
"""

PROTOCOL_VERSION = 1
