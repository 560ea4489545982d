"""One-time codes: drawn, shown once in a message, kept only as a hash.

A code proves that who decides has read the message to the managers. It is typed into a form whose answers Prefect
stores in plain, so it is worth nothing once a form's answer with it was taken or refused.
"""

import hmac
import secrets
from hashlib import sha256

from loyalty.rules.voucher_codes import ALPHABET, folded

LENGTH = 8  # 36 bits, for a handful of guesses


def draw() -> str:
    """A new code, from a cryptographic source."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def hashed(code: str, salt: str) -> str:
    """What is kept of a code. It lives for days and is guessed at a handful of times, so a fast hash will do."""
    return sha256(f"{salt}:{code}".encode()).hexdigest()


def matches(typed: str, salt: str, kept: str | None) -> bool:
    """Whether what a person typed is the code; never, where none is kept. Case, look-alikes and hyphens go."""
    return kept is not None and hmac.compare_digest(hashed(folded(typed) or "", salt), kept)


def display(code: str) -> str:
    """A code for people: XXXX-XXXX."""
    return f"{code[:4]}-{code[4:]}"
