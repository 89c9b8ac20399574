"""A small RTSP client that measures: what a camera answers, and what its stream delivers. Standard library only."""

from edge.rtsp.session import reach, watch

__all__ = ["reach", "watch"]
