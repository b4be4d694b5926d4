"""Membership: which files are in which part of a folder's split, kept with what was trained on it.

A split that is made by content moves as files come and go: what was held out for one model may have
been trained on by another. So a model keeps the digests of its files, and is tested on its own.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nas.datasets.images import Images

BYTES = 6
"""Of a file's SHA-256 that are kept: of 100,000 files two are alike once in 50,000 folders."""


class Membership(NamedTuple):
    """The first BYTES bytes of the SHA-256 of the files in each part, sorted; none if not known."""

    train: tuple[bytes, ...] = ()
    val: tuple[bytes, ...] = ()
    test: tuple[bytes, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return any(self)

    def part(self, name: str) -> frozenset[bytes]:
        """The digests of a part."""
        return frozenset(getattr(self, name))

    def to_text(self) -> str:
        """The parts as base64, separated by blanks; empty if nothing is known."""
        return " ".join(base64.b64encode(b"".join(part)).decode() or "-" for part in self if self)

    @classmethod
    def from_text(cls, text: str) -> "Membership":
        """What ``to_text`` wrote; ValueError on anything else."""
        if not text:
            return cls()
        try:
            parts = [
                b"" if part == "-" else base64.b64decode(part, validate=True)
                for part in text.split(" ")
            ]
        except binascii.Error:
            parts = []
        if len(parts) != len(cls._fields) or any(len(part) % BYTES for part in parts):
            raise ValueError("its list of the files that it was trained on is damaged")
        return cls(
            *(
                tuple(part[start : start + BYTES] for start in range(0, len(part), BYTES))
                for part in parts
            )
        )


def digest_of_file(sha256: str) -> bytes:
    """What is kept of a file's SHA-256, given in hexadecimal digits."""
    return bytes.fromhex(sha256[: 2 * BYTES])


def membership(parts: Mapping[str, Iterable[str]]) -> Membership:
    """The membership of files by the SHA-256 of each, in hexadecimal digits."""
    return Membership(
        **{name: tuple(sorted({digest_of_file(one) for one in parts[name]})) for name in parts}
    )


class Members(NamedTuple):
    """The images of a part that a model may be measured on, and how they were chosen.

    ``left``: images among them that were in this part of the model's own. ``refused``: images that
    are in the part now, and were in another one then.
    """

    images: "Images"
    left: int
    refused: int


class Untouched(NamedTuple):
    """Which images a model may be measured on, by their place in a list; see Members."""

    places: list[int]
    left: int
    refused: int


def untouched(
    known: Membership, part: str, every: Sequence[tuple[str, bytes]], given: bool
) -> Untouched:
    """Which of the images, by part and digest, a model with such a membership may be measured on.

    These are those that are in the part now, and where it isn't ``given`` but held out, those that
    were held out for the model too, wherever they are now; none that was in another part then.
    """
    names = Membership._fields
    others = frozenset[bytes]().union(*(known.part(name) for name in names if name != part))
    own = known.part(part)
    chosen = [
        place
        for place, (now, digest) in enumerate(every)
        if now == part or (not given and digest in own)
    ]
    kept = [place for place in chosen if every[place][1] not in others]
    return Untouched(kept, len({every[place][1] for place in kept} & own), len(chosen) - len(kept))
