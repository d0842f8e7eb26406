#!/usr/bin/env python
"""Trains the transliteration model on word, spelling, votes rows, and measures it: share attested, CER, words a second.

python scripts/train_transliterator.py --train TRAIN.tsv --dev DEV.tsv
python scripts/train_transliterator.py --evaluate --dev DEV.tsv
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from signboard.errors import ConfigError, DataError, SignboardError
from signboard.training.data_root import set_root, with_root
from signboard.training.transliteration_network import TransliterationConfig, TransliterationNet
from signboard.translation.transliteration import DEVANAGARI, LATIN, Transliterator, encode_words
from signboard.weights import save_weights

ROOT = Path(__file__).resolve().parent.parent
LEXICON = "$SIGNBOARD_DATA/lexicon/hindi_romanized_{}.tsv"  # see data/README.md
Lexicon = dict[str, list[tuple[str, int]]]


@dataclass(frozen=True)
class Settings:
    """configs/transliterator.yaml, one field a key; that file says what each is."""

    seed: int = 0
    threads: int = 1
    epochs: int = 20
    batch_size: int = 96
    learning_rate: float = 2e-3
    warmup_steps: int = 200
    weight_decay: float = 0.01
    average_decay: float = 0.998
    vote_power: float = 1.0
    variant_rate: float = 0.08
    embedding: int = 96
    hidden: int = 160
    slots: int = 3
    channels: int = 128
    dropout: float = 0.25

    def network(self) -> TransliterationConfig:
        """The keys that the network itself takes."""
        return TransliterationConfig(self.embedding, self.hidden, self.slots, self.channels, self.dropout)


def load_settings(path: Path) -> Settings:
    """Reads a YAML config; raises ConfigError on an unknown key or a value of the wrong type."""
    import yaml

    raw: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    known = {field.name: type(field.default) for field in fields(Settings)}
    for key, value in raw.items():
        if key not in known:
            raise ConfigError(f"{path}: unknown key {key!r}; known keys: {', '.join(known)}")
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise ConfigError(f"{path}: {key} must be a number, not {value!r}")
    return Settings(**{key: known[key](value) for key, value in raw.items()})


def load_lexicon(path: Path) -> Lexicon:
    """Reads latin, devanagari, votes rows into word -> [(spelling, votes)]; raises DataError naming the bad row."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; pass the lexicon with --train and --dev")
    lexicon: Lexicon = {}
    for number, row in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = row.split("\t")
        if len(parts) != 3 or not parts[2].isdigit():
            raise DataError(f"{path}:{number}: expected latin, devanagari, votes separated by tabs")
        latin, word, votes = parts
        if set(latin) - set(LATIN) or set(word) - set(DEVANAGARI):
            raise DataError(f"{path}:{number}: a character that the network does not know: {latin!r} {word!r}")
        lexicon.setdefault(word, []).append((latin, int(votes)))
    return lexicon


def variant(word: str, rng: random.Random) -> str:
    """A spelling that signs use for the same word: chandrabindu and anusvara swapped, or nukta left out."""
    swapped = word.translate({0x901: 0x902, 0x902: 0x901})
    return rng.choice([swapped, word.replace("\u093c", "")])


def batches(words: list[str], size: int, rng: random.Random) -> Iterator[list[str]]:
    """Batches of words of similar length, in random order."""
    words = rng.sample(words, len(words))
    span = size * 20
    chunks: list[list[str]] = []
    for start in range(0, len(words), span):
        near = sorted(words[start : start + span], key=len)
        chunks += [near[i : i + size] for i in range(0, len(near), size)]
    rng.shuffle(chunks)
    return iter(chunks)


def train(settings: Settings, lexicon: Lexicon, log: Any = sys.stderr) -> TransliterationNet:
    """Trains from scratch and returns the running average of the weights; stops on a non-finite loss."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    rng = random.Random(settings.seed)
    net = TransliterationNet(settings.network())
    average = TransliterationNet(settings.network())
    average.load_state_dict(net.state_dict())
    words = list(lexicon)
    spellings = {w: [s for s, _ in rows] for w, rows in lexicon.items()}
    weights = {w: [v**settings.vote_power for _, v in rows] for w, rows in lexicon.items()}
    steps_an_epoch = sum(1 for _ in batches(words, settings.batch_size, random.Random(0)))
    total = settings.epochs * steps_an_epoch
    print(
        f"{len(words)} words, {sum(map(len, spellings.values()))} spellings, "
        f"{sum(p.numel() for p in net.parameters())} parameters, {total} steps",
        file=log,
        flush=True,
    )
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.98)
    )
    criterion = nn.CTCLoss(zero_infinity=True)  # a few spellings are longer than their slots
    step, start = 0, time.monotonic()
    net.train()
    for epoch in range(settings.epochs):
        running, seen = 0.0, 0
        for batch in batches(words, settings.batch_size, rng):
            targets = [rng.choices(spellings[w], weights[w])[0] for w in batch]
            shown = [variant(w, rng) if rng.random() < settings.variant_rate else w for w in batch]
            ids, lengths = map(torch.from_numpy, encode_words(shown))
            scale = min(1.0, (step + 1) / settings.warmup_steps)
            scale *= 0.5 * (1 + math.cos(math.pi * step / total)) * 0.995 + 0.005
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * scale
            flat = torch.tensor([1 + LATIN.index(c) for t in targets for c in t])
            sizes = torch.tensor([len(t) for t in targets])
            loss = criterion(net(ids, lengths).transpose(0, 1), flat, lengths * settings.slots, sizes)
            if not torch.isfinite(loss):
                raise SignboardError(f"loss is {float(loss.detach())} at step {step}; lower learning_rate")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            step += 1
            decay = min(settings.average_decay, step / (step + 10))
            with torch.no_grad():
                for mean, value in zip(average.parameters(), net.parameters(), strict=True):
                    mean.lerp_(value, 1 - decay)
            running, seen = running + float(loss.detach()) * len(batch), seen + len(batch)
        print(f"epoch {epoch + 1}  loss {running / seen:.4f}  {time.monotonic() - start:.0f} s", file=log, flush=True)
    return average.eval()


def save(net: TransliterationNet, path: Path, card: dict[str, Any]) -> None:
    """Writes fp16 weights to `path` and their card beside it (.json)."""
    save_weights(path.with_suffix(".json"), net.state_dict(), {"kind": "transliterator", **card})


def edit_distance(a: str, b: str) -> int:
    """Levenshtein distance, unit costs."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def evaluate(model: Transliterator, lexicon: Lexicon, show: int = 0) -> dict[str, Any]:
    """Share of words whose output is an attested spelling, mean CER to the nearest one, and words a second."""
    words = list(lexicon)
    model.transliterate_words(words[:64])  # first call pays for lazy set-up
    start, processor = time.perf_counter(), time.process_time()
    outputs = model.transliterate_words(words)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    attested, error = 0, 0.0
    for word, output in zip(words, outputs, strict=True):
        known = [s for s, _ in lexicon[word]]
        attested += output in known
        error += min(edit_distance(output, s) / len(s) for s in known)
        if output not in known and show > 0:
            print(f"{word}\t{output}\t{' '.join(known)}", file=sys.stderr)
            show -= 1
    n = len(words)
    return {
        "words": n,
        "attested": attested,
        "attested_share": round(attested / n, 4),
        "cer_nearest": round(error / n, 4),
        "words_per_second": round(n / seconds),
        # On a busy machine the clock says little; this says what one core does.
        "words_per_cpu_second": round(n / processor),
        "threads": torch.get_num_threads(),
    }


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table."""
    heads = ("words", "attested", "share attested", "CER to nearest", "words/s", "words/CPU s", "threads")
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (heads, ["---"] * 7, figures.values()))


def main() -> int:
    """Command line; exit code 0, or 2 with one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "transliterator.yaml")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="folder of data sets; else $SIGNBOARD_DATA")
    parser.add_argument("--train", default=LEXICON.format("train"), help="rows to train on (default: %(default)s)")
    parser.add_argument("--dev", default=LEXICON.format("dev"), help="rows to measure on (default: %(default)s)")
    parser.add_argument("--weights", type=Path, default=ROOT / "signboard" / "weights" / "transliterator.safetensors")
    parser.add_argument("--evaluate", action="store_true", help="measure --weights on --dev, train nothing")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, over the config's")
    parser.add_argument("--show", type=int, default=0, help="print that many missed words")
    options = parser.parse_args()
    try:
        set_root(options.data)
        dev = load_lexicon(Path(with_root(options.dev, "--dev")))
        if not options.evaluate:
            settings = load_settings(options.config)
            net = train(settings, load_lexicon(Path(with_root(options.train, "--train"))))
            card: dict[str, Any] = {
                "model": "transliteration",
                "kind": "transliterator",
                "file": "transliterator.safetensors",
                "architecture": asdict(settings.network()),
                "training": asdict(settings),
                "characters_in": DEVANAGARI,
                "characters_out": LATIN,
                "trained_on": "the Hindi lexicon of Dakshina (latin, devanagari, votes), its training rows",
                "data_licence": "CC BY-SA 4.0; used for training only, no row is part of this file",
                "licence": "Apache-2.0",
            }
            save(net, options.weights, card)
        torch.set_num_threads(options.threads or torch.get_num_threads())
        figures = evaluate(Transliterator.load(options.weights), dev, options.show)
        if not options.evaluate:
            card["figures"] = {k: v for k, v in figures.items() if not k.startswith("words_per") and k != "threads"}
            card["figures_command"] = "python scripts/train_transliterator.py --evaluate"
            save(net, options.weights, card)
        print(table(figures))
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
