"""The protocol's model: docs/dev/protocol.md as a seeded event simulation, without any of our programs.

rules ─── what can be switched off
kernel ── events in time, a disk with transactions that a power cut may take back
network · database · gateway · outbox · thinning · box ─── the parts, as the page describes them
world ─── faults, then calm ──> oracles

`python -m kewang.model --seeds 2000`; `--without RULE` must find a fault. Change a rule here first, then the page, then
the code. Not simulated: `bad`, wills, configuration, commands, sizes in bytes, retention, a wrong gateway clock.
"""
