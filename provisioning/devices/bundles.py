"""The identity of one box for a USB stick: for a box that can't reach the device API."""

from kewang.wire.enrolment import BUNDLE_DAYS, Bundle, Enrol, Pending, SignedBundle, bundle_text
from kewang.wire.identity import fingerprint
from provisioning.authority import Authority
from provisioning.authority.making import DAY_MS, requested_key, spki
from provisioning.devices.office import Office


def make_bundle(office: Office, authority: Authority, device: str, csr: str, now_ms: int) -> SignedBundle | None:
    """The file for the stick; None while the box is not approved.

    `csr`: what `kewang edge identity --request FILE` wrote on the box, for the office knows the key's fingerprint only.
    Raises No and Refused, as for a box that asks itself.
    """
    issued = office.enrol(Enrol(device=device, csr=csr))
    if isinstance(issued, Pending):
        return None
    bundle = Bundle(
        fingerprint=fingerprint(spki(requested_key(csr.encode()))),
        counter=now_ms,
        made_ms=now_ms,
        expires_ms=now_ms + BUNDLE_DAYS * DAY_MS,
        issued=issued,
        config=office.config_of(device),
    )
    body = bundle.encode().decode()
    return SignedBundle(body=body, sig=authority.sign(bundle_text(body)), chain=authority.signer_chain)
