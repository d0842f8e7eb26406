"""A transliterator whose network is replaced by a table of letters, so that the tests of grammar need no weights."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from signboard.translation.translator import Translator
from signboard.translation.transliteration import Spelling, Transliterator

torch.set_num_threads(1)  # the networks here are tiny: threads only get into each other's way


class StubTransliterator(Transliterator):
    """Spells every word as "name" and its number of characters."""

    def __init__(self) -> None:
        self.card = {}

    def _greedy(self, words: Sequence[str]) -> list[Spelling]:
        return [Spelling(f"name{len(word)}", 0.5) for word in words]


@pytest.fixture(scope="session")
def stub_translator() -> Translator:
    return Translator(transliterator=StubTransliterator())


@pytest.fixture(scope="session")
def translator() -> Translator:
    return Translator()
