"""`signboard translate`: Hindi text of signs into English and into Latin letters."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from signboard.errors import SignboardError


class Scheme(StrEnum):
    """How Hindi is written in Latin letters."""

    spelled = "spelled"
    iso15919 = "iso15919"


def translate_command(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...", help="Hindi texts, or - for standard input, one text a line.", show_default=False
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a text, with the source and confidence of every part.")
    ] = False,
    scheme: Annotated[
        Scheme, typer.Option(help="Latin letters as people write them, or the scholarly ISO 15919.")
    ] = Scheme.spelled,
    n_best: Annotated[
        int, typer.Option("--n-best", min=1, max=50, help="Also list so many spellings of each word, likeliest first.")
    ] = 1,
) -> None:
    """Translate Hindi text of signs: English, a tab, and the Hindi in Latin letters."""
    if not any(text.strip() for text in texts):
        raise typer.BadParameter('nothing to translate: give a Hindi text, such as "प्रवेश निषेध"')
    try:
        for record in records(_lines(texts), scheme, n_best):
            if as_json:
                print(json.dumps(record, ensure_ascii=False))
                continue
            print(f"{record['english']}\t{record['romanized']}")
            for word, spellings in record.get("spellings", {}).items():
                listed = ", ".join(f"{s['text']} {s['confidence']:.2f}" for s in spellings)
                print(f"  {word}: {listed}")
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def records(texts: Iterable[str], scheme: Scheme, n_best: int) -> Iterator[dict[str, Any]]:
    """One JSON-ready dict a text, in order; imports the network library at the first."""
    from signboard.translation import to_iso15919
    from signboard.translation.translator import default_translator
    from signboard.translation.transliteration import WORD, romanizable

    translator = default_translator()
    for text in texts:
        translation = translator.translate(text)
        record = dataclasses.asdict(translation)
        del record["matched_line"], record["continues"]
        if scheme is Scheme.iso15919:
            record["romanized"] = to_iso15919(text)
        if n_best > 1:
            words = dict.fromkeys(WORD.findall(romanizable(text)))
            record["spellings"] = {
                word: [dataclasses.asdict(s) for s in translator.transliterator.n_best(word, n_best)] for word in words
            }
        yield record


def _lines(texts: list[str]) -> Iterator[str]:
    """The texts themselves; "-" stands for the lines of standard input."""
    for text in texts:
        if text == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin)
        else:
            yield text
