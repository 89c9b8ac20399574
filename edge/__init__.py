"""The agent on the device: sources → outbox → uplink.

::

    sources (one task each) ─reading─> outbox (SQLite) ─batch─> uplink ══MQTT══> gateway
                                          ^──────── ack: stored up to here, credit, time ───┘

The outbox is the only queue of readings in the whole system: what is in it is dropped only after the database has it.
"""
