"""The search that weighs what the recogniser saw against the language model.

Prefix beam search (Hannun et al. 2014, "First-pass large vocabulary continuous speech recognition") with a
`LanguageModel`: the score of a reading is P(network) * P(model) ** weight * e ** (length * characters). It has two
forms with the same results: one on arrays, of all crops at once, and one that takes a crop after the other, which is
faster where there are few.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from signboard.recognition.array_search import ArraySearch
from signboard.recognition.ctc import Paths
from signboard.recognition.language import LanguageModel, SearchOptions, joins
from signboard.recognition.prefix_search import PrefixSearch
from signboard.recognition.search_steps import Candidate, Steps, kind_of

# From so many crops on, arrays are faster: as long as the other form meets much that it does not know yet.
_MANY = 24


class Rescorer:
    """Which readings the language model shall look at, and what it makes of them. Safe to share between threads.

    Args:
        characters: of the network's classes from 1 on.
    """

    def __init__(self, model: LanguageModel, characters: Sequence[str], options: SearchOptions | None = None) -> None:
        self.options = options or model.options
        self._joins = [False, *(joins(c) for c in characters)]
        self._kinds = [0, *(kind_of(c) for c in characters)]
        self._few = PrefixSearch(model, characters, self.options)
        self._many = ArraySearch(model, characters, self.options)

    def doubtful(self, classes: Sequence[int], confidence: float) -> bool:
        """Whether a reading is worth a search: it is unsure, or a little unsure and a word in it mixes kinds."""
        if not classes:
            return False
        if confidence < self.options.sure:
            return True
        return confidence < self.options.sure_mixed and self._mixed(classes)

    def which(self, paths: Paths) -> list[int]:
        """Which of these best paths are worth a search: the doubtful ones but those that say next to nothing."""
        hopeful = (paths.evidence >= self.options.hopeless).tolist()
        doubts = zip(hopeful, paths.classes, paths.confidence.tolist(), strict=True)
        return [i for i, (hope, classes, p) in enumerate(doubts) if hope and self.doubtful(classes, p)]

    def _mixed(self, classes: Sequence[int]) -> bool:
        kinds = 0
        for c in classes:
            kinds = kinds | self._kinds[c] if self._joins[c] else 0
            if kinds & (kinds - 1):
                return True
        return False

    def search(self, probabilities: NDArray[np.float32]) -> list[Candidate]:
        """The likeliest readings of one crop, best first; never empty, the empty reading may be among them.

        Args:
            probabilities: (T, C) of each class in each frame, class 0 the blank.
        """
        return self.search_all([probabilities])[0]

    def search_all(self, probabilities: Sequence[NDArray[np.float32]]) -> list[list[Candidate]]:
        """The likeliest readings of each crop, in their order.

        Args:
            probabilities: (T, C) each, as for `search`; T may differ.
        """
        if not probabilities:
            return []
        steps = Steps(probabilities, self.options.least, self.options.clear)
        return (self._many if len(probabilities) >= _MANY else self._few).run(steps)


__all__ = ["Candidate", "Rescorer"]
