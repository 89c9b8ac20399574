"""The server's side: subscription → pipeline → sink, and the acknowledgement back.

::

    broker ══> subscription ─delivery─> pipeline: take, decode, validate, write, name as stored ─> sink ─> database
                    ^──────────────────────── ack ──────────────────────────┘

The gateway keeps no reading that matters: whatever it has not named as stored, the edge still has.
"""
