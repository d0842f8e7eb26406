"""Translations as rows of plain values: what the command line prints and the server answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from signboard.translation.translator import default_translator
from signboard.translation.transliteration import WORD, romanizable, to_iso15919

# Texts that are translated together.
_BATCH = 512


def records(texts: Iterable[str], scheme: str, n_best: int) -> Iterator[dict[str, Any]]:
    """One JSON-ready dict a text, in order, made in batches; imports the network library at the first.

    Args:
        scheme: "spelled" as people write Hindi in Latin letters, "iso15919" the scholarly way.
        n_best: more than 1 also lists so many spellings of each word, likeliest first.
    """
    translator = default_translator()
    lines = iter(texts)
    while batch := list(islice(lines, _BATCH)):
        for text, translation in zip(batch, translator.translate_many(batch), strict=True):
            record = dataclasses.asdict(translation)
            del record["matched_line"], record["continues"]
            if scheme == "iso15919":
                record["romanized"] = to_iso15919(text)
            if n_best > 1:
                words = dict.fromkeys(WORD.findall(romanizable(text)))
                record["spellings"] = {
                    word: [dataclasses.asdict(s) for s in translator.transliterator.n_best(word, n_best)]
                    for word in words
                }
            yield record
