"""How much the service takes from its clients."""

from __future__ import annotations

from dataclasses import dataclass

from signboard.photo import MAX_PIXELS

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may ask for, and what all of them together may hold.

    Attributes:
        body: bytes of one request's body (413 beyond).
        files: photos of one request (413 beyond).
        pixels: pixels of one photo; a larger one is a row with an error. `photo.MAX_PIXELS` holds besides.
        seconds: for receiving a body (408 beyond), and again for reading its photos (503 beyond).
        queue: photos that wait to be read, over all requests (503 beyond).
        held: bytes of all bodies in memory at once (503 beyond).
    """

    body: int = 64 * MIB
    files: int = 32
    pixels: int = MAX_PIXELS
    seconds: float = 60.0
    queue: int = 128
    held: int = 512 * MIB
