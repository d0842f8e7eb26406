"""Which names stand for videos. Imports nothing that is slow to load."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".3gp", ".3g2", ".mpg", ".mpeg", ".wmv",
     ".flv", ".ogv"}
)  # fmt: skip
"""File endings that are taken for videos, in lower case."""

STREAMS = ("rtsp://", "rtsps://")


def is_camera(name: str) -> bool:
    """Whether `name` is the number of a camera, and no file of that name is there."""
    return name.isascii() and name.isdigit() and len(name) < 4 and not Path(name).exists()


def is_live(name: str) -> bool:
    """Whether `name` is a camera's number or the address of a stream."""
    return name.lower().startswith(STREAMS) or is_camera(name)


def is_video(name: str) -> bool:
    """Whether `name` stands for a video: by its ending, the address of a stream, or the number of a camera."""
    return is_live(name) or (Path(name).suffix.lower() in SUFFIXES and not Path(name).is_dir())
