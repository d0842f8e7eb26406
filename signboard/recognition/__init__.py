"""Reading words: crops in, texts and confidences out."""

from __future__ import annotations

from signboard.recognition.charset import Charset, script_of
from signboard.recognition.language import LanguageModel
from signboard.recognition.network import RecognizerConfig, RecognizerNetwork
from signboard.recognition.recognizer import Recognizer

__all__ = ["Charset", "LanguageModel", "Recognizer", "RecognizerConfig", "RecognizerNetwork", "script_of"]
