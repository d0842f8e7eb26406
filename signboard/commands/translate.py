"""`signboard translate`: Hindi text of signs into English and into Latin letters."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # whatever the locale says: Hindi has no other encoding in use
    if not any(text.strip() for text in texts):
        raise typer.BadParameter('nothing to translate: give a Hindi text, such as "प्रवेश निषेध"')
    from signboard.translation.translator import default_translator

    try:
        for record in default_translator().records(_lines(texts), scheme, n_best):
            if as_json:
                print(json.dumps(record, ensure_ascii=False))
                continue
            # Two columns and one line a text, whatever stands in it.
            print("\t".join(" ".join(record[column].split()) for column in ("english", "romanized")))
            for word, spellings in record.get("spellings", {}).items():
                listed = ", ".join(f"{s['text']} {s['confidence']:.2f}" for s in spellings)
                print(f"  {word}: {listed}")
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _lines(texts: list[str]) -> Iterator[str]:
    """The texts themselves; "-" stands for the lines of standard input."""
    for text in texts:
        if text == "-":
            stdin = sys.stdin
            if isinstance(stdin, io.TextIOWrapper):
                stdin.reconfigure(encoding="utf-8", errors="replace")
            yield from (line.rstrip("\r\n") for line in stdin)
        else:
            yield text
