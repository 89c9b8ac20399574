"""Kewang: what the machines share.

Data moves one way; only the small acknowledgement comes back::

    firmware_sim ─real protocols─> edge: sources → outbox → uplink ══MQTT══> gateway: subscription → pipeline → sink
                                              ^──────── ack: what is stored, credit, time <───────┘           │
                                                                                                   database <─┘

`edge`, `gateway`, `provisioning`, `firmware_sim` and `dashboards` are programs of their own and never import each
other. They meet here: `kewang.wire` is what two machines must agree on, `kewang.runtime` how a process of ours behaves,
`kewang.ui` what people see everywhere alike. Only `kewang.cli` and `kewang.bench` know them all.
"""

from importlib.metadata import version

__version__ = version("kewang")
