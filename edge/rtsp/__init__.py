"""A small RTSP client that measures: what a stream delivers, how well, and one key frame of it."""
