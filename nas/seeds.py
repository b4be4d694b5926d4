"""Seeds derived from seeds, so that no random stream depends on what ran before it."""

import hashlib


def derive(*parts: int | str) -> int:
    """A seed of 31 bits that depends on every part, the same on every machine."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
