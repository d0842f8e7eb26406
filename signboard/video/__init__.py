"""Videos: frames are chosen and read, words are followed from frame to frame, and each sign comes out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signboard.video.chain import follow
    from signboard.video.following import FollowedSign, Sighting
    from signboard.video.source import VideoError, open_source

_HOMES = {
    "FollowedSign": "following",
    "Sighting": "following",
    "VideoError": "source",
    "follow": "chain",
    "open_source": "source",
}

__all__ = ["FollowedSign", "Sighting", "VideoError", "follow", "open_source"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the command line looks at names of files before it needs any of this.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
