"""How pictures come, by the clock alone: for streams without timestamps."""

from dataclasses import dataclass

from edge.rtsp import meter


@dataclass(slots=True)
class Pace:
    """Counts pictures and the gaps between them; times in monotonic seconds."""

    frames: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    size_bytes: int = 0
    longest_s: float = 0.0
    long_gaps: int = 0
    told_s: float = 0.0
    """From the first to the last picture by the stream's own clock, if it has one."""

    def tick(self, now_s: float, size_bytes: int) -> None:
        """A picture of this size came."""
        if self.frames:
            self.gap(now_s - self.last_s)
        else:
            self.first_s = now_s
        self.last_s, self.frames, self.size_bytes = now_s, self.frames + 1, self.size_bytes + size_bytes

    def gap(self, gap_s: float) -> None:
        """So long nothing came."""
        self.longest_s = max(self.longest_s, gap_s)
        self.long_gaps += gap_s >= self.stall_limit_s

    @property
    def fps(self) -> float | None:
        """Pictures per second; None of fewer than two, and of a burst."""
        # What was held back before we listened comes at once: then the stream's own clock tells more.
        return meter.rate(self.frames, max(self.last_s - self.first_s, self.told_s))

    @property
    def stall_limit_s(self) -> float:
        """A gap from here on is a stall: longer than two pictures take, as over RTSP."""
        return meter.stall_limit_s(self.fps)

    @property
    def bitrate_kbps(self) -> float | None:
        """Of the pictures themselves."""
        return meter.bitrate_kbps(self.size_bytes, self.frames, self.fps) if self.fps else None
