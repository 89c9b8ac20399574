"""What ends a session early: a reason for the state, and a sentence for people."""

from kewang.wire.cameras import CameraReason


class SessionError(Exception):
    """The session can't go on. `detail` says what to look at and holds no text of the camera's own but names."""

    def __init__(self, reason: CameraReason, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Redirected(Exception):
    """The camera sends us elsewhere: `location`, as it wrote it."""

    def __init__(self, location: str) -> None:
        super().__init__("redirected")
        self.location = location
