"""Simulated cameras behind real protocols: RTSP, MJPEG and snapshots over HTTP, ONVIF; with the faults of real ones."""
