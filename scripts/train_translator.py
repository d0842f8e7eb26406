#!/usr/bin/env python
"""Trains the phrase translator on composed sign phrases and on pairs of files, and measures it on its dev split.

python scripts/train_translator.py --pairs ../shared/data/text/hindi_english
python scripts/train_translator.py --evaluate --pairs ../shared/data/text/hindi_english
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
import yaml

from signboard.errors import ConfigError, SignboardError
from signboard.training.phrase_network import PhraseNet, collate
from signboard.training.sign_phrases import SignGrammar, align, in_dev, misspell, read_pairs
from signboard.translation.glossary import default_glossary
from signboard.translation.likeness import alike
from signboard.translation.phrases import (
    CLOSE,
    MOST_UNITS,
    MOST_WORDS,
    OPEN,
    PAD,
    SPECIAL,
    Features,
    PhraseConfig,
    features,
)
from signboard.translation.speaker import Speaker
from signboard.translation.transliteration import WORD, default_transliterator
from signboard.translation.units import Unit, split
from signboard.translation.wording import words_of
from signboard.weights import save_weights

ROOT = Path(__file__).resolve().parent.parent
CARD = ROOT / "signboard" / "weights" / "translator.json"
GRAMMAR = ROOT / "data" / "glossary" / "sign_grammar.txt"
#: File of pairs, how often each is met in an epoch.
FILES = {
    "app_strings": 2, "tatoeba_hin_eng": 2, "ilci_tourism_health": 1, "iitb_and_hindencorp_sample": 1, "cldr_names": 1,
    "po_names": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """configs/translator.yaml, one field a key; that file says what each is."""

    seed: int
    threads: int
    composed: int
    most_words: int
    epochs: int
    minutes: float
    batch_size: int
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    label_smoothing: float
    average_decay: float
    misspelt: float
    fewest: int
    vocabulary: int
    channels: int
    heads: int
    inner: int
    encoder_layers: int
    decoder_layers: int
    spellings: int
    glosses: int
    dropout: float

    def network(self, vocabulary: int) -> PhraseConfig:
        """The sizes of the network for a vocabulary of so many words."""
        names = {field.name for field in fields(PhraseConfig)} - {"vocabulary"}
        return PhraseConfig(vocabulary, **{name: getattr(self, name) for name in names})


def load_settings(path: Path) -> Settings:
    """Reads a YAML config; raises ConfigError on a missing or unknown key."""
    try:
        return Settings(**yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {error}") from error


@dataclass
class Example:
    """A pair that the network can learn: units, and English words with copies."""

    hindi: str
    english: str
    units: list[Unit]
    words: list[str]
    kind: str
    features: list[Features] | None = None
    target: list[int] | None = None


def gather(settings: Settings, folder: Path) -> list[Example]:
    """All pairs as examples, read and composed."""
    rng = random.Random(settings.seed)
    glossary = default_glossary()
    rows: list[tuple[str, str, str]] = []
    for name in FILES:
        rows += [(*pair, name) for pair in read_pairs(folder, name, settings.most_words)]
    names = [p for p in read_pairs(folder, "indian_names") if " " not in p[0] and " " not in p[1]]
    places = [p for n in ("railway_stations", "local_bodies_lgd") for p in read_pairs(folder, n, 2)]
    places = [(h, e.title()) for h, e in places if e.replace(" ", "").isalpha()]
    # Words that are English in Hindi letters, or names: their Latin spelling sounds like the Hindi.
    single = {h: e for h, e, _ in rows if " " not in h and e.isascii() and e.isalpha() and WORD.fullmatch(h)}
    spelled = dict(zip(single, default_transliterator().transliterate_words(list(single)), strict=True))
    loanwords = [(h, e) for h, e in single.items() if glossary.lookup(h) is None and alike(spelled[h], e.lower())]
    print(f"names {len(names)}, places {len(places)}, loanwords {len(loanwords)}")
    loanwords += names[::6] + places[::8]
    grammar = SignGrammar(GRAMMAR, glossary, names, places, loanwords)
    for _ in range(settings.composed):
        hindi, english = grammar.compose(rng)
        if rng.random() < settings.misspelt:
            hindi = misspell(hindi, rng)
        rows.append((hindi, english, "composed"))
    examples = []
    for hindi, english, kind in rows:
        pieces = split(hindi.rstrip(" ।.!?:-"), glossary)
        if len(pieces) != 1 or isinstance(pieces[0], str) or not 0 < len(pieces[0]) <= MOST_UNITS:
            continue
        said = english.strip().rstrip(".!?:")
        if not said or len(words_of(said)) >= MOST_WORDS or set(said) & set('()[]{}|;"!?_<>'):
            continue
        examples.append(Example(hindi, said, pieces[0], [], kind))
    unknown = sorted({u.text for e in examples for u in e.units if u.kind == "unknown"})
    latin = dict(zip(unknown, default_transliterator().transliterate_words(unknown), strict=True))
    for example in examples:
        example.words = align(example.units, example.english, latin)
    return examples


def choose_vocabulary(examples: list[Example], settings: Settings) -> list[str]:
    """The English words that the network may say itself, the special ones first."""
    counts: Counter[str] = Counter()
    for example in examples:
        counts.update(w for w in example.words if not w.startswith("<"))
    common = [w for w, n in counts.most_common() if n >= settings.fewest and w not in SPECIAL and not w.isdigit()]
    return [*SPECIAL, *common][: settings.vocabulary]


def prepare(examples: list[Example], vocabulary: list[str], config: PhraseConfig) -> list[Example]:
    """The examples with their numbers; those with a word outside the vocabulary or a number not copied are left out."""
    index = {word: i for i, word in enumerate(vocabulary)}
    out = []
    for e in examples:
        kept = {i for i, u in enumerate(e.units) if u.kind in ("number", "latin", "letters")}
        numbers = [
            len(vocabulary) + int(w[1:-1]) if w.startswith("<") and w[1:-1].isdigit() else index.get(w) for w in e.words
        ]
        if None in numbers or not kept <= {n - len(vocabulary) for n in numbers if n is not None}:
            continue
        e.target = [n for n in numbers if n is not None]
        e.features = [features(u, config) for u in e.units]
        out.append(e)
    return out


def batch_loss(net: PhraseNet, examples: list[Example], smoothing: float) -> torch.Tensor:
    """Mean cross-entropy of the next word."""
    batch = collate([e.features or [] for e in examples])
    longest = max(len(e.target or []) for e in examples)
    given = torch.full((len(examples), longest + 1), PAD)
    wanted = torch.full((len(examples), longest + 1), PAD)
    for i, e in enumerate(examples):
        target = e.target or []
        given[i, : len(target) + 1] = torch.tensor([OPEN, *target])
        wanted[i, : len(target) + 1] = torch.tensor([*target, CLOSE])
    log = net(batch, given).log_softmax(-1)  # (N, T, V + U)
    keep = wanted != PAD
    gold = -log.gather(-1, wanted[..., None])[..., 0][keep].mean()
    if not smoothing or not net.training:
        return gold
    spread = -log[..., : net.config.vocabulary][keep].mean()
    return (1 - smoothing) * gold + smoothing * spread


def train(
    settings: Settings, examples: list[Example], dev: list[Example], vocabulary: list[str], steps: int | None
) -> PhraseNet:
    """The network after `minutes`, `epochs` or `steps`, with the running average of its weights."""
    torch.manual_seed(settings.seed)
    net = PhraseNet(settings.network(len(vocabulary)))

    def average(means: Any, values: Any, updates: Any) -> None:
        """Exponential, but over fewer steps at the beginning."""
        decay = min(settings.average_decay, (1 + float(updates)) / (10 + float(updates)))
        torch._foreach_lerp_(means, values, 1 - decay)

    mean = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.98)
    )
    print(
        f"parameters {sum(p.numel() for p in net.parameters()):,}, examples {len(examples):,}, words {len(vocabulary)}"
    )
    rng = random.Random(settings.seed + 1)
    start, step, seen, shown = time.monotonic(), 0, 0, 0.0
    for epoch in range(settings.epochs):
        order = list(range(len(examples)))
        rng.shuffle(order)
        # Phrases of like length share a batch, so that little of it is padding.
        chunk = 50 * settings.batch_size
        batches = []
        for a in range(0, len(order), chunk):
            part = sorted(order[a : a + chunk], key=lambda i: (len(examples[i].target or []), len(examples[i].units)))
            batches += [part[b : b + settings.batch_size] for b in range(0, len(part), settings.batch_size)]
        rng.shuffle(batches)
        for picked in batches:
            done = (time.monotonic() - start) / (60 * settings.minutes) if steps is None else step / steps
            if done >= 1:
                return finish(mean, settings, seen, start)
            rate = min(1, (step + 1) / settings.warmup_steps) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * rate
            loss = batch_loss(net, [examples[i] for i in picked], settings.label_smoothing)
            if not math.isfinite(loss.item()):
                raise SystemExit(f"the loss is {loss.item()} at step {step}; lower learning_rate")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            mean.update_parameters(net)
            step, seen = step + 1, seen + len(picked)
            shown = loss.item() if not shown else 0.98 * shown + 0.02 * loss.item()
            if step % 200 == 0:
                spent = time.monotonic() - start
                print(f"epoch {epoch} step {step} loss {shown:.3f} lr {settings.learning_rate * rate:.2e} "
                      f"{seen / spent:.0f} phrases/s, {spent / 60:.1f} min", flush=True)  # fmt: skip
            if step % 1000 == 0:
                net.eval()
                with torch.no_grad():
                    value = batch_loss(mean.module, dev[:1000], 0).item()  # type: ignore[arg-type]
                print(f"dev loss {value:.3f}", flush=True)
                save(mean.module, settings, vocabulary, {}, seen, ROOT / "runs" / "translator" / "translator.json")  # type: ignore[arg-type]
                net.train()
    return finish(mean, settings, seen, start)


def finish(mean: Any, settings: Settings, seen: int, start: float) -> PhraseNet:
    """The averaged network, ready to speak."""
    net: PhraseNet = mean.module
    net.samples_seen = seen  # type: ignore[assignment]
    print(f"done: {seen:,} phrases in {(time.monotonic() - start) / 60:.1f} min")
    return net.eval()


def save(
    net: PhraseNet, settings: Settings, vocabulary: list[str], figures: dict[str, Any], seen: int, path: Path
) -> None:
    """Writes the weights and their card."""
    card = {
        "model": "phrase translator", "kind": "translator", "architecture": asdict(net.config),
        "vocabulary": vocabulary,
        "training": {**asdict(settings), "phrases_seen": seen},
        "trained_on": "phrases composed by data/glossary/sign_grammar.txt from the glossary, names and places; "
        "pairs of Tatoeba, ILCI, IIT Bombay, CLDR, iso-codes, interfaces of public repositories; names of railway "
        "stations, local bodies and people",
        "data_licence": "several, for the most part research use; used for training only, no row is part of this file",
        "licence": "Apache-2.0", **figures,
        "figures_command": "python scripts/train_translator.py --evaluate --pairs FOLDER",
    }  # fmt: skip
    save_weights(path, net.state_dict(), card)


def measure(speaker: Speaker, dev: list[Example]) -> tuple[dict[str, Any], list[tuple[float, bool]]]:
    """chrF and share of exact phrases of each source, copies in place; for each phrase how sure, and if right."""
    from sacrebleu.metrics import CHRF

    out: dict[str, Any] = {}

    def plain(e: Example, words: Sequence[str]) -> str:
        units = [unit.english or unit.text for unit in e.units]
        return " ".join(units[int(w[1:-1])] if w.startswith("<") else w for w in words)

    spoken = speaker.say([e.units for e in dev])
    said = [
        plain(e, [word if unit is None else f"<{unit}>" for word, unit, _ in s.tokens])
        for e, s in zip(dev, spoken, strict=True)
    ]
    gold = [plain(e, e.words) for e in dev]
    for kind in ("", *sorted({e.kind for e in dev})):
        rows = [i for i, e in enumerate(dev) if kind in ("", e.kind)]
        chrf = CHRF().corpus_score([said[i] for i in rows], [[gold[i] for i in rows]]).score
        exact = sum(said[i] == gold[i] for i in rows) / len(rows)
        out[kind or "all"] = {"phrases": len(rows), "chrf": round(chrf, 1), "exact": round(exact, 3)}
    return out, [(s.log_probability, a == b) for s, a, b in zip(spoken, said, gold, strict=True)]


def calibrate(outcomes: list[tuple[float, bool]]) -> tuple[float, float]:
    """Scale and shift of the logistic function from log-probability to the share of right phrases, by least loss."""
    x = torch.tensor([p for p, _ in outcomes], dtype=torch.float64)
    y = torch.tensor([float(right) for _, right in outcomes], dtype=torch.float64)
    both = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([both], max_iter=100)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(both[0] * x + both[1], y)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return round(both[0].item(), 4), round(both[1].item(), 4)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="folder of tab-separated pairs")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "translator.yaml")
    parser.add_argument("--steps", type=int, help="stop after so many steps instead of `minutes`")
    parser.add_argument("--minutes", type=float, help="instead of the config's")
    parser.add_argument("--overfit", action="store_true", help="only learn one batch by heart, to check the program")
    parser.add_argument("--evaluate", action="store_true", help="measure the weights in the package, train nothing")
    args = parser.parse_args()
    try:
        settings = load_settings(args.config)
        if args.minutes:
            settings = Settings(**{**asdict(settings), "minutes": args.minutes})
        torch.set_num_threads(settings.threads)
        examples = gather(settings, args.pairs)
        vocabulary = list(Speaker.load(CARD).vocabulary) if args.evaluate else choose_vocabulary(examples, settings)
        config = settings.network(len(vocabulary))
        ready = prepare(examples, vocabulary, config)
        print(f"pairs {len(examples):,}, learnable {len(ready):,}: {dict(Counter(e.kind for e in ready))}", flush=True)
        dev = [e for e in ready if in_dev(e.hindi)]
        if args.evaluate:
            print(measure(Speaker.load(CARD), dev)[0])
            return 0
        examples = [e for e in ready if not in_dev(e.hindi) for _ in range(FILES.get(e.kind, 1))]
        if args.overfit:
            dev = examples[:: len(examples) // settings.batch_size][: settings.batch_size]
            examples = dev * 20
        net = train(settings, examples, dev, vocabulary, args.steps)
        speaker = Speaker({name: value.numpy() for name, value in net.state_dict().items()}, config, vocabulary)
        figures, outcomes = measure(speaker, dev)
        print(figures)
        if not args.overfit:
            seen = int(getattr(net, "samples_seen", 0))
            save(net, settings, vocabulary, {"figures": figures, "calibration": calibrate(outcomes)}, seen, CARD)
    except SignboardError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
