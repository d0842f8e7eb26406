"""The phrase network: shapes, padding, a batch learned by heart, kept keys equal the whole pass, copies just once."""

from __future__ import annotations

import pytest
import torch

from signboard.training.phrase_network import PhraseNet, collate
from signboard.translation.glossary import default_glossary
from signboard.translation.speaker import CLOSE, CUT_OFF, OPEN, SPECIAL, Features, PhraseConfig, Speaker, features
from signboard.translation.units import Unit, split

CONFIG = PhraseConfig(24, 32, 2, 48, 1, 2, spellings=400, glosses=200, dropout=0.0)
#: Without numbers, whose order is kept whatever the network learned.
TEXTS = ("दुकान और बैंक", "यहाँ न बैठें", "मोहन की दुकान", "आगरा")
PHRASES = ("दुकान 5 रुपये", "यहाँ न बैठें", "मोहन की दुकान नंबर 7 और 9", "आगरा")


def _units(text: str) -> list[Unit]:
    (units,) = (piece for piece in split(text, default_glossary()) if isinstance(piece, list))
    return units


def _features(*texts: str) -> list[list[Features]]:
    return [[features(unit, CONFIG) for unit in _units(text)] for text in texts]


def _net(seed: int = 0) -> PhraseNet:
    torch.manual_seed(seed)
    return PhraseNet(CONFIG).eval()


def _speaker(net: PhraseNet, device: str = "cpu") -> Speaker:
    words = [*SPECIAL, *(f"w{i}" for i in range(len(SPECIAL), CONFIG.vocabulary))]
    weights = {name: value.detach().to(device) for name, value in net.state_dict().items()}
    return Speaker({k: v.numpy() for k, v in weights.items()} if device == "cpu" else weights, CONFIG, words)


def _numbers(speaker: Speaker, text: str) -> list[int]:
    """What is said of a text, as the network's indices."""
    (speech,) = speaker.say([_units(text)])
    return [speaker.vocabulary.index(w) if u is None else CONFIG.vocabulary + u for w, u, _ in speech.tokens]


def test_shapes_and_padding() -> None:
    net, rows = _net(), _features(*PHRASES)
    words = torch.tensor([[OPEN, 9, 10]] * len(rows))
    with torch.no_grad():
        together = net(collate(rows), words)
        assert together.shape == (len(rows), 3, CONFIG.vocabulary + max(map(len, rows)))
        for i, row in enumerate(rows):
            alone = net(collate([row]), words[:1])
            width = CONFIG.vocabulary + len(row)
            assert torch.allclose(together[i, :, :width], alone[0], atol=1e-5)
            assert together[i, :, width:].eq(-torch.inf).all()


def test_a_batch_is_learned_by_heart_and_the_gradient_reaches_every_table() -> None:
    net, rows = _net().train(), _features(*TEXTS)
    size = CONFIG.vocabulary
    wanted = [[9, size, 10], [11, size + 1], [size + 2, 12, 13], [size]]
    given = torch.zeros(len(rows), 4, dtype=torch.int64)
    gold = torch.zeros(len(rows), 4, dtype=torch.int64)
    for i, row in enumerate(wanted):
        given[i, : len(row) + 1] = torch.tensor([OPEN, *row])
        gold[i, : len(row) + 1] = torch.tensor([*row, CLOSE])
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(120):
        loss = torch.nn.functional.cross_entropy(
            net(collate(rows), given).flatten(0, 1), gold.flatten(), ignore_index=0
        )
        optimizer.zero_grad()
        loss.backward()
        if not step:
            assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (net.spelling.weight, net.word.weight))
        optimizer.step()
    speaker = _speaker(net.eval())
    assert [_numbers(speaker, text) for text in TEXTS] == wanted
    speeches = speaker.say([_units(text) for text in TEXTS])
    assert all(s.log_probability > -9 and s.confidence > 0.2 for s in speeches)


def test_arrays_with_kept_keys_equal_the_whole_pass_of_the_trained_network() -> None:
    net, rows = _net(3), _features(PHRASES[1])
    said = _numbers(_speaker(net), PHRASES[1])
    with torch.no_grad():
        logits = net(collate(rows), torch.tensor([[OPEN, *said]]))[0]
    used: set[int] = set()
    for step, word in enumerate((*said, CLOSE)[:30]):
        scores = logits[step].clone()
        scores[[0, 1, 3]] = -torch.inf
        scores[[CONFIG.vocabulary + u for u in used]] = -torch.inf
        assert int(scores.argmax()) == word
        if word >= CONFIG.vocabulary:
            used.add(word - CONFIG.vocabulary)


def test_many_equal_one_by_one() -> None:
    speaker = _speaker(_net(5))
    together = speaker.say([_units(text) for text in PHRASES])
    for text, speech in zip(PHRASES, together, strict=True):
        (alone,) = speaker.say([_units(text)])
        assert alone.tokens == speech.tokens and abs(alone.log_probability - speech.log_probability) < 1e-3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_says_the_same() -> None:
    net = _net(7)
    phrases = [_units(text) for text in PHRASES]
    here, there = _speaker(net).say(phrases), _speaker(net, "cuda").say(phrases)
    assert [s.tokens for s in here] == [s.tokens for s in there]


def test_tensors_say_the_same_as_arrays() -> None:
    """The code that a GPU runs, on the processor."""
    net = _net(7)
    phrases = [_units(text) for text in PHRASES]
    tensors = Speaker({k: v.detach() for k, v in net.state_dict().items()}, CONFIG, _speaker(net).vocabulary)
    assert [s.tokens for s in _speaker(net).say(phrases)] == [s.tokens for s in tensors.say(phrases)]


def test_numbers_and_latin_words_pass_exactly_once_and_in_order() -> None:
    texts = ("दुकान 5 रुपये", "न. 12 ABC 34 की दुकान", "आगरा 20 मथुरा 50")
    for seed in range(6):
        speaker = _speaker(_net(seed))
        phrases = [_units(text) for text in texts]
        for units, speech in zip(phrases, speaker.say(phrases), strict=True):
            kept = [i for i, unit in enumerate(units) if unit.kind in ("number", "latin")]
            copied = [unit for _, unit, _ in speech.tokens if unit in kept]
            assert copied == kept[: len(copied)] and (speech.log_probability == CUT_OFF or copied == kept)
            assert 0 <= speech.confidence <= 1


def test_nothing_to_say() -> None:
    assert _speaker(_net()).say([]) == []
