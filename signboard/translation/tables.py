"""The closed word lists of grammar that the code needs, from `grammar.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

#: The file's keys and values.
TABLES: dict[str, Any] = tomllib.loads(Path(__file__).with_name("grammar.toml").read_text(encoding="utf-8"))


@cache
def word_set(key: str, section: str = "") -> frozenset[str]:
    """The list of that name, a text with blanks between the words or an array of texts."""
    found = (TABLES[section] if section else TABLES)[key]
    return frozenset(found.split() if isinstance(found, str) else found)
