"""What the network may not say: a negation lost or moved, a thing left out, another half of the day, a guess."""

from __future__ import annotations

import pytest

from signboard.translation.faithful import faithful, keeps_negation
from signboard.translation.glossary import default_glossary
from signboard.translation.speaker import Speech
from signboard.translation.units import Unit, split


def _units(hindi: str) -> list[Unit]:
    (units,) = (piece for piece in split(hindi, default_glossary()) if isinstance(piece, list))
    return units


def _judged(hindi: str, said: str, log_probability: float = -0.1) -> bool:
    """Whether it may be printed; in `said`, <0> is the first unit."""
    units = _units(hindi)
    tokens = tuple(("", int(w[1:-1]), 0) if w.startswith("<") else (w, None, 0) for w in said.split())
    english = " ".join(units[u].english or units[u].text if u is not None else word for word, u, _ in tokens)
    return faithful(units, Speech(tokens, 0.9, log_probability), english)


@pytest.mark.parametrize(
    ("hindi", "right", "wrong"),
    [
        # a negation lost, made up, or said of something else
        ("गाड़ी न लगाएं", "do not <0>", "<0>"),
        ("मोहन की दुकान", "<0> 's <2>", "no <0> 's <2>"),
        ("हेलमेट न पहनने पर जुर्माना", "<2> for not <0> +ing", "no <2> for <0> +ing"),
        ("वाहन निषेध", "no <0>", "unauthorised <0>"),
        ("वाहन निषेध", "no <0>", "<0> inside"),
        # a thing left out
        ("मोहन की दुकान", "<0> 's <2>", "the <2>"),
        ("यहाँ कागज धोना मना है", "<2> +ing <1> is prohibited <0>", "<1> is prohibited <0>"),
        # hours in the middle, a limit that is no limit
        ("सुबह 9 से 1 बजे तक बंद", "<1> <0>", "<1> at <0>"),
        ("20% तक छूट", "up to <0> <2>", "<0> <2>"),
    ],
)
def test_what_may_be_said(hindi: str, right: str, wrong: str) -> None:
    assert _judged(hindi, right)
    assert not _judged(hindi, wrong)


def test_guesses_and_what_is_cut_off_are_not_printed() -> None:
    assert _judged("मोहन की दुकान", "<0> 's <2>")
    assert not _judged("मोहन की दुकान", "<0> 's <2>", log_probability=-5)
    assert not _judged("मोहन की दुकान", "")


def test_other_scripts_stay_where_they_are() -> None:
    assert _judged("दिल्ली ABC", "<1> <0>")
    assert not _judged("दिल्ली دہلی", "<1> <0>")


def test_a_vote_is_no_negation() -> None:
    assert keeps_negation(_units("अपना मत दें"), "give your vote")
    assert not keeps_negation(_units("कचरा मत फेंकें"), "throw garbage")
