"""Putting right what the networks read. One contract for every step: words and a way to read again in, words out.

`STEPS` names the steps in their order, and `mending_steps` makes them. A new step is a class with a `name` and a method
`mend` (see `step.MendingStep`) in a file of its own, an entry in `STEPS`, and a line at the same place in
`mending_steps`.
"""

from __future__ import annotations

from collections.abc import Collection

from signboard.pipeline.mending.fragments import MergeFragments
from signboard.pipeline.mending.lost_letters import RestoreLostLetters
from signboard.pipeline.mending.numbers import JoinNumbers
from signboard.pipeline.mending.orientation import DecideOrientation
from signboard.pipeline.mending.repetition import RejectRepetition
from signboard.pipeline.mending.second_look import LookAgain
from signboard.pipeline.mending.step import Mending, MendingStep, mend_words
from signboard.pipeline.mending.verification import RejectNonWords, Verifier
from signboard.pipeline.mending.vertical_text import JoinVerticalText
from signboard.pipeline.mending.whole_picture import ReadWholePicture
from signboard.recognition import Recognizer

# Names, in the order in which the steps are taken, with what each puts right.
STEPS = {
    DecideOrientation.name: "the words of a photo decide together whether it is upside down",
    JoinNumbers.name: "pieces of numbers are put together, in one script, with their commas, dashes and signs",
    MergeFragments.name: "words that were found in pieces are put together",
    RestoreLostLetters.name: "first and last letters that were cut off are looked for",
    JoinVerticalText.name: "letters below one another are joined to words",
    RejectRepetition.name: "what walls, windows and fences were read as is left out",
    RejectNonWords.name: "places that are no words are left out",
    LookAgain.name: "unsure words are read again with more around them",
    ReadWholePicture.name: "a picture that may be one word is read as one, too",
}


def mending_steps(
    *,
    recognizer: Recognizer,
    threshold: float,
    min_confidence: float,
    verifier: Verifier | None,
    without: Collection[str] = (),
) -> list[MendingStep]:
    """The steps in their order, for a reader with these parts.

    Args:
        recognizer: its height of crops, and its language model, which says what is a word.
        threshold: the detection score from which on a place counts as a word.
        min_confidence, verifier: see `RejectNonWords`.
        without: names of steps to leave out.
    """
    language, height = recognizer.language, recognizer.height
    is_word = language.is_word if language else lambda text: False
    steps: list[MendingStep] = [
        DecideOrientation(threshold, is_word, height),
        JoinNumbers(height),
        MergeFragments(is_word, height),
    ]
    if language is not None:
        steps.append(RestoreLostLetters(language, height))
    steps.append(JoinVerticalText(threshold, height))
    steps.append(RejectRepetition(is_word))
    steps.append(RejectNonWords(min_confidence, verifier))
    steps.append(LookAgain(height))
    steps.append(ReadWholePicture(min_confidence, height))
    return [step for step in steps if step.name not in without]


__all__ = ["STEPS", "Mending", "MendingStep", "mend_words", "mending_steps"]
