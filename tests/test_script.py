"""Which script a text is in."""

from __future__ import annotations

import pytest

from signboard.script import script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Hotel 5", "latin"),
        ("École", "latin"),
        ("होटल", "devanagari"),
        ("20-30", "digits"),
        ("१२", "digits"),
        ("A होटल", "mixed"),
        ("A চা", "other"),
        ("&", "other"),
        ("।", "other"),
        ("", "other"),
        ("दिल्ली-Delhi", "mixed"),
        ("A-१", "latin"),
    ],
)
def test_script_of(text: str, script: str) -> None:
    assert script_of(text) == script
