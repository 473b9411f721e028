"""Signatures for run folders that travel: who wrote this, and is it as it was written?"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from .errors import RunError

__all__ = ["check_signing_key", "sign", "verify"]

MAKE = "ssh-keygen -t ed25519 -N '' -f KEYFILE"


def sign(content: bytes, keyfile: Path) -> str:
    """An Ed25519 signature as text. ``keyfile``: a private key without a passphrase, in PEM or as ``ssh-keygen`` writes it."""
    return base64.b64encode(_private(keyfile).sign(content)).decode()


def check_signing_key(keyfile: Path) -> None:
    """Refuse a key that cannot sign, before hours of work."""
    _private(keyfile)


def verify(content: bytes, signature: str, keyfile: Path) -> bool:
    """Whether the private half of ``keyfile`` signed exactly this. ``keyfile``: a public key, in PEM or ``ssh-ed25519 …``."""
    exceptions, serialization, ed25519 = _library()
    key = _key(keyfile, ed25519.Ed25519PublicKey, "public", (serialization.load_pem_public_key, serialization.load_ssh_public_key))
    try:
        key.verify(base64.b64decode(signature, validate=True), content)
    except (exceptions.InvalidSignature, binascii.Error):
        return False
    return True


def _private(keyfile: Path) -> Any:
    _, serialization, ed25519 = _library()
    readers = (serialization.load_pem_private_key, serialization.load_ssh_private_key)
    return _key(keyfile, ed25519.Ed25519PrivateKey, "private", [partial(read, password=None) for read in readers])


def _key(keyfile: Path, kind: type, half: str, readers: Sequence[Callable[[bytes], object]]) -> Any:
    try:
        text = keyfile.read_bytes()
    except OSError as error:
        raise RunError(f"{keyfile}: the key cannot be read ({error.strerror}).") from None
    for read in readers:
        try:
            key = read(text)
        except TypeError:
            raise RunError(f"{keyfile} has a passphrase: take a key without one, as {MAKE} makes it.") from None
        except Exception:  # each reader has errors of its own for what it does not know
            continue
        if isinstance(key, kind):
            return key
    raise RunError(f"{keyfile} holds no {half} Ed25519 key: PEM and OpenSSH forms are read; {MAKE} makes both halves.")


def _library() -> tuple[Any, Any, Any]:
    try:
        from cryptography import exceptions
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise RunError("signatures need the library cryptography: pip install 'germane[signing]'.") from None
    return exceptions, serialization, ed25519
