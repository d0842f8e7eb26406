"""The training of the phrase translator: its config, its examples, its loss, and how good it is on texts kept back."""

from __future__ import annotations

import math
import random
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from signboard.errors import DataError
from signboard.training.config import StrictModel
from signboard.training.engine import Ema
from signboard.training.phrase_network import PhraseNet, collate
from signboard.training.sign_phrases import SignGrammar, align, in_dev, misspell, read_pairs, words_of
from signboard.translation.faithful import faithful
from signboard.translation.glossary import default_glossary
from signboard.translation.speaker import (
    CLOSE,
    MOST_UNITS,
    MOST_WORDS,
    OPEN,
    PAD,
    SPECIAL,
    Features,
    PhraseConfig,
    Speaker,
)
from signboard.translation.speaker import features as features_of
from signboard.translation.spelling import alike
from signboard.translation.translator import Translator
from signboard.translation.transliteration import WORD, default_transliterator
from signboard.translation.units import KEPT, Unit, mark_names, split
from signboard.weights import save_weights

GRAMMAR = Path(__file__).resolve().parents[2] / "data" / "glossary" / "sign_grammar.txt"
#: File of pairs, how often each is met in an epoch.
FILES = {
    "app_strings": 2, "tatoeba_hin_eng": 2, "ilci_tourism_health": 1, "iitb_and_hindencorp_sample": 1, "cldr_names": 1,
    "po_names": 1,
}  # fmt: skip
_TOKEN = re.compile(r"[^\W\d_](?:[\w.'’-]*\w)?\.?")
_TRAINED_ON = (
    "phrases composed by data/glossary/sign_grammar.txt from the glossary, names and places; pairs of Tatoeba, ILCI, "
    "IIT Bombay, CLDR, iso-codes, interfaces of public repositories; names of railway stations, local bodies and people"
)


class TranslatorConfig(StrictModel):
    """A run of `scripts/train_translator.py`.

    Attributes:
        composed: phrases that the grammar composes; each is seen once an epoch.
        most_words: Hindi words of the longest sentence that is read from files.
        epochs: most passes over everything.
        minutes: the run ends after so many by the clock, with the learning rate at its lowest.
        learning_rate: the peak, after the warm-up; it falls as a cosine to 2 % of it.
        average_decay: per step, of the running average of the weights that is saved.
        misspelt: share of composed phrases met with a spelling changed.
        fewest: an English word that the network may say itself occurs so often in the pairs.
        vocabulary: most words that it may say itself.
        channels, heads, inner, encoder_layers, decoder_layers, spellings, glosses, dropout: see `PhraseConfig`.
    """

    seed: int = 0
    threads: int = Field(1, gt=0)
    composed: int = Field(230000, gt=0)
    most_words: int = Field(10, gt=0)
    epochs: int = Field(20, gt=0)
    minutes: float = Field(75, gt=0)
    batch_size: int = Field(96, gt=0)
    learning_rate: float = Field(1.5e-3, gt=0)
    warmup_steps: int = Field(300, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    average_decay: float = Field(0.998, ge=0, lt=1)
    misspelt: float = Field(0.3, ge=0, le=1)
    fewest: int = Field(3, gt=0)
    vocabulary: int = Field(5000, gt=len(SPECIAL))
    channels: int = Field(192, gt=0)
    heads: int = Field(4, gt=0)
    inner: int = Field(512, gt=0)
    encoder_layers: int = Field(3, gt=0)
    decoder_layers: int = Field(2, gt=0)
    spellings: int = Field(12000, gt=0)
    glosses: int = Field(6000, gt=0)
    dropout: float = Field(0.05, ge=0, lt=1)

    def network(self, vocabulary: int) -> PhraseConfig:
        """The sizes of the network for a vocabulary of so many words."""
        names = PhraseConfig.__dataclass_fields__.keys() - {"vocabulary"}
        return PhraseConfig(vocabulary, **{name: getattr(self, name) for name in names})


# Examples ------------------------------------------------------------------------------------------------------------


@dataclass
class Example:
    """A pair that the network can learn.

    Attributes:
        hindi, english: as they were read or composed; `kind` is the file's name, or "composed".
        units: of the Hindi.
        words: the English, with what the units say themselves replaced by copies of the units.
        features, target: both as the network takes them, set by `prepare`.
    """

    hindi: str
    english: str
    kind: str
    units: list[Unit]
    words: list[str]
    features: list[Features] = field(default_factory=list)
    target: list[int] = field(default_factory=list)


def gather(config: TranslatorConfig, folder: Path) -> list[Example]:
    """All pairs as examples: read from the files in `folder`, and composed.

    Raises:
        DataError: a file is missing.
    """
    rng = random.Random(config.seed)
    rows = [(*pair, name) for name in FILES for pair in read_pairs(folder, name, config.most_words)]
    names = [p for p in read_pairs(folder, "indian_names") if " " not in p[0] and " " not in p[1]]
    places = [p for n in ("railway_stations", "local_bodies_lgd") for p in read_pairs(folder, n, 2)]
    places = [(h, e.title()) for h, e in places if e.replace(" ", "").isalpha()]
    glossary = default_glossary()
    # Words that are English in Hindi letters, or names: their Latin spelling sounds like the Hindi.
    single = {h: e for h, e, _ in rows if " " not in h and e.isascii() and e.isalpha() and WORD.fullmatch(h)}
    spelled = dict(zip(single, default_transliterator().transliterate_words(list(single)), strict=True))
    loanwords = [(h, e) for h, e in single.items() if glossary.lookup(h) is None and alike(spelled[h], e.lower())]
    print(f"names {len(names)}, places {len(places)}, loanwords {len(loanwords)}")
    grammar = SignGrammar(GRAMMAR, glossary, names, places, loanwords + names[::6] + places[::8])
    for _ in range(config.composed):
        hindi, english = grammar.compose(rng)
        rows.append((misspell(hindi, rng) if rng.random() < config.misspelt else hindi, english, "composed"))
    return examples_of(rows)


def examples_of(rows: Sequence[tuple[str, str, str]]) -> list[Example]:
    """Rows of (Hindi, English, kind) as examples; those of several clauses or with odd marks are left out."""
    examples = []
    for hindi, english, kind in rows:
        pieces = split(hindi.rstrip(" ।.!?:-"), default_glossary())
        if len(pieces) != 1 or isinstance(pieces[0], str) or not 0 < len(pieces[0]) <= MOST_UNITS:
            continue
        said = english.strip().rstrip(".!?:")
        if said and len(words_of(said)) < MOST_WORDS and not set(said) & set('()[]{}|;"!?_<>'):
            examples.append(Example(hindi, said, kind, pieces[0], []))
    unknown = sorted({u.text for e in examples for u in e.units if u.kind == "unknown"})
    latin = dict(zip(unknown, default_transliterator().transliterate_words(unknown), strict=True))
    for example in examples:
        example.words = align(example.units, example.english, latin)
    return examples


def choose_vocabulary(examples: Sequence[Example], config: TranslatorConfig) -> list[str]:
    """The English words that the network may say itself, the special ones first, with capitals where they have them."""
    counts = Counter(w for example in examples for w in example.words if not w.startswith("<"))
    common = [w for w, n in counts.most_common() if n >= config.fewest and w not in SPECIAL and not w.isdigit()]
    return [*SPECIAL, *capitalised(common, examples)][: config.vocabulary]


def capitalised(words: Sequence[str], examples: Sequence[Example]) -> list[str]:
    """The words as they mostly stand inside a sentence; titles, whose words all have capitals, say nothing of that."""
    small = {t for entry in default_glossary().entries for t in _TOKEN.findall(entry.english) if t.islower()}
    seen: Counter[str] = Counter()
    for example in examples:
        tokens = _TOKEN.findall(example.english)
        listed = example.kind in ("po_names", "cldr_names") and len(tokens) == 1
        if example.kind != "ilci_tourism_health" and (listed or any(t.islower() for t in tokens[1:])):
            seen.update(tokens if listed else tokens[1:])
    forms: dict[str, Counter[str]] = {}
    for token, count in seen.items():
        forms.setdefault(token.lower(), Counter())[token] += count
    return [forms[w].most_common(1)[0][0] if w in forms and w not in small else w for w in words]


def prepare(examples: Sequence[Example], vocabulary: Sequence[str], config: PhraseConfig) -> list[Example]:
    """The examples with their numbers; those with a word outside the vocabulary or a number not copied are left out."""
    index = {word.lower(): i for i, word in enumerate(vocabulary)}
    index |= {f"<{unit}>": len(vocabulary) + unit for unit in range(MOST_UNITS)}
    out = []
    for e in examples:
        target = [index[word] for word in e.words if word in index]
        kept = {len(vocabulary) + i for i, unit in enumerate(e.units) if unit.kind in KEPT}
        if len(target) == len(e.words) and kept <= set(target):
            e.target, e.features = target, [features_of(unit, config) for unit in e.units]
            out.append(e)
    return out


# Training ------------------------------------------------------------------------------------------------------------


def batch_loss(net: PhraseNet, examples: Sequence[Example]) -> torch.Tensor:
    """Mean cross-entropy of the next word."""
    longest = max(len(e.target) for e in examples)
    given = torch.full((len(examples), longest + 1), PAD)
    wanted = torch.full((len(examples), longest + 1), PAD)
    for i, e in enumerate(examples):
        given[i, : len(e.target) + 1] = torch.tensor([OPEN, *e.target])
        wanted[i, : len(e.target) + 1] = torch.tensor([*e.target, CLOSE])
    scores = net(collate([e.features for e in examples]), given)  # (N, T, V + U)
    return torch.nn.functional.cross_entropy(scores.flatten(0, 1), wanted.flatten(), ignore_index=PAD)


def batches(examples: Sequence[Example], size: int, rng: random.Random) -> Iterator[list[Example]]:
    """Batches of one epoch in random order; phrases of like length share one, so that little of it is padding."""
    order = rng.sample(range(len(examples)), len(examples))
    out = []
    for a in range(0, len(order), 50 * size):
        part = sorted(order[a : a + 50 * size], key=lambda i: (len(examples[i].target), len(examples[i].units)))
        out += [part[b : b + size] for b in range(0, len(part), size)]
    rng.shuffle(out)
    return ([examples[i] for i in picked] for picked in out)


def train(
    config: TranslatorConfig,
    examples: Sequence[Example],
    dev: Sequence[Example],
    vocabulary: Sequence[str],
    card: Path,
    steps: int | None = None,
) -> PhraseNet:
    """The network after `minutes`, `epochs` or `steps`, with the running average of its weights.

    Every 1,000 steps the loss on `dev` is printed, and the average is saved as `card`.

    Raises:
        DataError: nothing to learn from, or the loss is no number any more.
    """
    if not examples:
        raise DataError("no pair that can be learned; are these the right files?")
    torch.manual_seed(config.seed)
    net, mean = (PhraseNet(config.network(len(vocabulary))) for _ in range(2))
    average = Ema(net, config.average_decay)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.98)
    )
    size = sum(p.numel() for p in net.parameters())
    print(f"parameters {size:,}, examples {len(examples):,}, words {len(vocabulary)}", flush=True)
    rng = random.Random(config.seed + 1)
    start, step, seen, shown = time.monotonic(), 0, 0, 0.0

    def keep() -> PhraseNet:
        mean.load_state_dict(average.state)
        return mean.eval()

    for picked in (batch for _ in range(config.epochs) for batch in batches(examples, config.batch_size, rng)):
        done = (time.monotonic() - start) / (60 * config.minutes) if steps is None else step / steps
        if done >= 1:
            break
        rate = min(1, (step + 1) / config.warmup_steps) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate
        loss = batch_loss(net, picked)
        if not math.isfinite(loss.item()):
            raise DataError(f"the loss is {loss.item()} at step {step}; lower learning_rate")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        average.update(net, step)
        step, seen = step + 1, seen + len(picked)
        shown = 0.98 * shown + 0.02 * loss.item() if shown else loss.item()
        if step % 200 == 0:
            spent = time.monotonic() - start
            print(f"step {step} loss {shown:.3f} lr {config.learning_rate * rate:.2e} "
                  f"{seen / spent:.0f} phrases/s, {spent / 60:.1f} min", flush=True)  # fmt: skip
        if step % 1000 == 0:
            with torch.no_grad():
                part = dev[:: 1 + len(dev) // 1000]
                print(f"dev loss {batch_loss(keep(), part).item():.3f}", flush=True)
            save(mean, config, vocabulary, card, {"training": {"phrases_seen": seen}})
    print(f"done: {seen:,} phrases in {(time.monotonic() - start) / 60:.1f} min")
    return keep()


def save(
    net: PhraseNet, config: TranslatorConfig, vocabulary: Sequence[str], path: Path, figures: dict[str, Any]
) -> None:
    """Writes the weights and their card, which also says the `figures`."""
    card = {
        "model": "phrase translator", "kind": "translator",
        "architecture": {name: getattr(net.config, name) for name in PhraseConfig.__dataclass_fields__},
        "vocabulary": list(vocabulary), "trained_on": _TRAINED_ON,
        "data_licence": "several, for the most part research use; used for training only, no row is part of this file",
        "licence": "Apache-2.0", "figures_command": "python scripts/train_translator.py --evaluate --pairs FOLDER",
        **figures,
    }  # fmt: skip
    card["training"] = config.model_dump() | figures.get("training", {})
    save_weights(path, net.state_dict(), card)


# Figures -------------------------------------------------------------------------------------------------------------


def parted(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """The examples to train on, those of some files several times, and those kept back for measuring."""
    train_on = [e for e in examples if not in_dev(e.hindi) for _ in range(FILES.get(e.kind, 1))]
    return train_on, [e for e in examples if in_dev(e.hindi)]


#: Of one phrase: its log-probability, whether it is right, and whether the grammar composed it.
Outcome = tuple[float, bool, bool]


def measure(speaker: Speaker, dev: Sequence[Example]) -> tuple[dict[str, Any], list[Outcome]]:
    """chrF and share of exact phrases of each kind, copies in place; and what came of each phrase."""
    from sacrebleu.metrics import CHRF

    out: dict[str, Any] = {}

    def plain(e: Example, words: Sequence[str]) -> str:
        units = [unit.english or unit.text for unit in e.units]
        return " ".join(units[int(w[1:-1])] if w.startswith("<") else w.lower() for w in words)

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
    kinds = [e.kind == "composed" for e in dev]
    return out, [(s.log_probability, a == b, c) for s, a, b, c in zip(spoken, said, gold, kinds, strict=True)]


def sign_outcomes(speaker: Speaker, phrases: Iterable[tuple[str, str]]) -> list[Outcome]:
    """What came of phrases of signs that the network speaks, as the whole translator prints them.

    Args:
        phrases: Hindi, and right English; several wordings have " / " between them. Case and marks do not count.
    """

    def plain(english: str) -> list[str]:
        return re.sub("[^a-z0-9 ]", "", english.lower().replace("-", " ")).split()

    translator = Translator(speaker=speaker)
    rows, spoken = [], []
    for hindi, english in phrases:
        segments = [piece for piece in split(hindi, translator.glossary) if not isinstance(piece, str)]
        if len(segments) == 1 and len(segments[0]) > 1:  # neither several phrases nor one entry of the glossary
            mark_names(segments[0])
            rows.append((hindi, [plain(wording) for wording in english.split(" / ")]))
            spoken.append(segments[0])
    printed = [found.english for found in translator.translate_many([hindi for hindi, _ in rows])]
    return [
        (speech.log_probability, plain(english) in right, False)
        for (_, right), units, speech, english in zip(rows, spoken, speaker.say(spoken), printed, strict=True)
        if faithful(units, speech, english)
    ]


def calibrate(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    """Scale and shift of the logistic function from log-probability to the share of right phrases, by least loss.

    Composed phrases are many and easy; all of them together weigh as much as all others.
    """
    x, y, composed = torch.tensor([[float(value) for value in row] for row in outcomes], dtype=torch.float64).T
    share = composed.mean()
    weight = torch.where(composed > 0, 1 / share.clamp(min=1e-9), 1 / (1 - share).clamp(min=1e-9))
    both = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([both], max_iter=100)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(both[0] * x + both[1], y, weight)
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]
    return round(both[0].item(), 4), round(both[1].item(), 4)
