"""The certificate authority of the city: two roots, what they issue, and what is revoked."""

from provisioning.authority.authority import Authority, Leaf, ServiceLeaf
from provisioning.authority.creating import create, open_authority
from provisioning.authority.expiry import Expiring
from provisioning.authority.files import AuthorityError
from provisioning.authority.making import BadRequest, Lifetimes

__all__ = [
    "Authority",
    "AuthorityError",
    "BadRequest",
    "Expiring",
    "Leaf",
    "Lifetimes",
    "ServiceLeaf",
    "create",
    "open_authority",
]
