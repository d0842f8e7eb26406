"""The contract of a mending step: a photo's words and a way to read again in, words out.

A step is a generator. It is given a picture and its words, yields crops that it wants to have read, is sent their
readings, and returns the words as they are to be:

    def mend(self, picture, words):
        (reading,) = yield [cut_out(picture, words[0].polygon, self.height)]
        return [replace(words[0], text=reading.text), *words[1:]]

A step that asks for nothing says `yield from ()` before it returns: without a `yield` it would be no generator.

So each step is written for one photo, can be tested without networks, and the crops of all photos that are in hand
are read together.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from signboard.device_pictures import Crop
from signboard.geometry import ImageArray
from signboard.pipeline.words import ReadCrops, ReadWord
from signboard.recognition.recognizer import CropReading

Mending = Generator[Sequence[Crop], list[CropReading], list[ReadWord]]


class MendingStep(Protocol):
    """One thing that is put right.

    Attributes:
        name: what switches it off: `Reader(without=[name])`.
    """

    name: str

    def mend(self, picture: ImageArray, words: list[ReadWord]) -> Mending:
        """Yields crops (H, W, 3) uint8, is sent a reading for each, and returns the words.

        Args:
            picture: (H, W, 3) uint8 RGB.
            words: of this picture, polygons in its pixels.
        """
        ...


def _chain(steps: Sequence[MendingStep], picture: ImageArray, words: list[ReadWord]) -> Mending:
    for step in steps:
        words = yield from step.mend(picture, words)
    return words


def mend_words(
    steps: Sequence[MendingStep],
    pictures: Sequence[ImageArray],
    words: Sequence[list[ReadWord]],
    read: ReadCrops,
) -> list[list[ReadWord]]:
    """The words of each picture after all steps, in the order of `pictures`.

    Args:
        steps: what is put right, in this order.
        pictures: (H, W, 3) uint8 RGB each.
        words: of each picture.
        read: reads crops; called with those of all pictures together, as often as the slowest picture asks.
    """
    results: list[list[ReadWord]] = [[] for _ in pictures]
    chains = {i: _chain(steps, picture, list(words[i])) for i, picture in enumerate(pictures)}
    answers: dict[int, list[CropReading] | None] = dict.fromkeys(chains)
    while answers:
        asked: dict[int, Sequence[Crop]] = {}
        for i, answer in answers.items():
            try:
                asked[i] = chains[i].send(answer)  # type: ignore[arg-type]  # None starts a generator
            except StopIteration as done:
                results[i] = done.value
        crops = [crop for some in asked.values() for crop in some]
        readings = iter(read(crops) if crops else [])
        answers = {i: [next(readings) for _ in some] for i, some in asked.items()}
    return results


__all__ = ["Mending", "MendingStep", "mend_words"]
