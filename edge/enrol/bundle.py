"""The identity of a box on a USB stick: taken only if the office signed it for this box and this key, and once."""

from typing import Final

from edge.enrol.box import Box
from edge.enrol.errors import Unusable
from edge.enrol.keys import Office
from kewang.wire.enrolment import Bundle, SignedBundle, bundle_text
from kewang.wire.errors import WireError

MAX_BYTES: Final = 600_000


def take(box: Box, content: bytes, roots: bytes, wall_ms: int | None) -> Bundle:
    """Put the bundle into use. `wall_ms`: Unix ms, if the clock can be believed. Raises Unusable: nothing changed."""
    bundle = opened(content, roots)
    _check(box, bundle, wall_ms)
    box.take_bundle(bundle)
    return bundle


def opened(content: bytes, roots: bytes) -> Bundle:
    """What is in it, if the office signed it. Raises Unusable."""
    try:
        if len(content) > MAX_BYTES:
            raise WireError("too long")
        signed = SignedBundle.decode(content)
        bundle = Bundle.decode(signed.body.encode())
    except WireError as error:
        raise Unusable(f"this file is no bundle ({error}): copy it from the office again") from None
    Office(roots).check(signed.chain, bundle_text(signed.body), signed.sig, bundle.made_ms)
    return bundle


def _check(box: Box, bundle: Bundle, wall_ms: int | None) -> None:
    """Raises Unusable."""
    state = box.identity.state
    if bundle.issued.device != box.device:
        raise Unusable(f"this bundle is for {bundle.issued.device}, this box is {box.device}: take the right file")
    if bundle.fingerprint != box.key.fingerprint:
        raise Unusable("this bundle is for another key: register this box's label in the office, make a new bundle")
    if bundle.counter <= state.counter:
        raise Unusable("this bundle, or a newer one, was taken already: make a new one in the office")
    if bundle.expires_ms <= max(state.floor_ms, wall_ms or 0):
        raise Unusable("this bundle is too old: make a new one in the office")
