"""From silence to one incident: presence of every device, and the engine that finds causes. Pure: no I/O, no clock."""
