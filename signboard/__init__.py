"""Finds, reads and translates every word on photos of signboards, Hindi and English, offline.

from signboard import Reader
print(Reader().read("photo.jpg").text)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from signboard.errors import SignboardError
from signboard.reading import Line, Reading, Sign, Word

if TYPE_CHECKING:
    from signboard.reader import Reader
    from signboard.translation import translate

# The networks' libraries take a second to import: only what needs them pays for that.
_LAZY = {"Reader": "signboard.reader", "translate": "signboard.translation"}

__all__ = ["Line", "Reader", "Reading", "Sign", "SignboardError", "Word", "translate"]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'signboard' has no attribute {name!r}")
