"""The errors this package raises on purpose: each names the file, key or value at fault and says what to do."""

from __future__ import annotations


class SignboardError(Exception):
    """Base of every error that is the input's or the caller's fault. `str(error)` is one line fit for a user."""


class PhotoError(SignboardError):
    """A photo that cannot be opened: missing, empty, truncated, not an image, too large."""


class ReadingError(SignboardError):
    """A photo that was opened and could not be read. What went wrong is its `__cause__`."""


class ConfigError(SignboardError):
    """A configuration that cannot work: unknown key, value out of range, names that do not exist."""


class WeightsError(SignboardError):
    """Weights or their card are missing, damaged, or belong to another architecture."""


class DataError(SignboardError):
    """Training or evaluation data that cannot be used: missing file, bad label, empty polygon, uncovered character."""
