"""Reading words: crops in, texts and confidences out."""

from __future__ import annotations

from signboard.recognition.charset import Charset
from signboard.recognition.language import LanguageModel
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.recognition.recognizer import Recognizer
from signboard.script import script_of

__all__ = ["Charset", "LanguageModel", "Recognizer", "RecognizerConfig", "RecognizerNetwork", "script_of"]
