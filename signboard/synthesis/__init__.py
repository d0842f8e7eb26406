"""Labelled signs without end: lexicons, typefaces, lettering, boards, scenes and what a camera does to them."""

from .fonts import Face, FontLibrary
from .foreign import ForeignWords
from .lexicon import Lexicon
from .scenes import Scene, SceneWord
from .synthesizer import Synthesizer
from .words import CropOptions, WordCrop

__all__ = [
    "CropOptions", "Face", "FontLibrary", "ForeignWords", "Lexicon", "Scene", "SceneWord", "Synthesizer", "WordCrop",
]  # fmt: skip
