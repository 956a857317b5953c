"""The certificate of a host: whether an authority that is known for a node says that the node is the node."""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)


def find_certificate_fault(
    kind: str, blob: bytes, *, authorities: Collection[str], names: Sequence[str], now: datetime
) -> str | None:
    """Say why a host's certificate proves nothing; None: it proves the host. The rules are OpenSSH's.

    :param kind: its type, such as ``ssh-ed25519-cert-v01@openssh.com``.
    :param blob: the certificate as it came over the wire.
    :param authorities: public keys that are trusted for the host, each as ``type base64``.
    :param names: what the host is called; one of them has to be among the certificate's principals, if it
        has any.
    """
    try:
        found = load_ssh_public_identity(kind.encode() + b" " + base64.b64encode(blob))
        if not isinstance(found, SSHCertificate):
            return "it is no certificate"
        signer = found.signature_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
        found.verify_cert_signature()
    except (ValueError, InvalidSignature, UnsupportedAlgorithm) as exc:
        return f"it cannot be verified: {str(exc) or type(exc).__name__}"
    if signer not in authorities:
        return f"it is signed by another authority ({signer})"
    return _find_limit(found, names, now)


def _find_limit(found: SSHCertificate, names: Sequence[str], now: datetime) -> str | None:
    """Say what keeps a genuine certificate from being good for a host at a moment."""
    if found.type is not SSHCertificateType.HOST:
        return "it is the certificate of a user"
    if found.critical_options:
        options = b", ".join(found.critical_options).decode(errors="replace")
        return f"it has options that are not known: {options}"
    moment = now.timestamp()
    if not found.valid_after <= moment < found.valid_before:
        return f"it is valid from {_say(found.valid_after)} to {_say(found.valid_before)} only"
    principals = [name.decode(errors="replace") for name in found.valid_principals]
    if principals and not any(fnmatchcase(name, pattern) for name in names for pattern in principals):
        return f"it is for {', '.join(principals)}, not for {' or '.join(names)}"
    return None


def _say(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, tz=UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return "any time"
