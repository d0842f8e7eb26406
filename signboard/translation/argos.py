"""Long sentences through Argos Translate, where a user has installed it and its Hindi-English model."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec


def argos_translator() -> Callable[[str], str | None] | None:
    """A function from a Hindi sentence to English, or None when Argos Translate is not installed.

    The library is imported and its models looked for at the first sentence, not before: both take seconds. The
    function returns None when the Hindi-English model is missing or fails, and the glossary's translation stands.
    """
    if find_spec("argostranslate") is None:
        return None
    model: list[object] = []  # empty: not looked for; [None]: not there

    def translate(sentence: str) -> str | None:
        try:
            if not model:
                model.append(_hindi_english())
            if model[0] is None:
                return None
            return str(model[0].translate(sentence)).strip() or None  # type: ignore[attr-defined]
        except Exception:
            # A broken optional model must not cost the user the translation that there is.
            return None

    return translate


def _hindi_english() -> object | None:
    """The installed Hindi to English translation of Argos Translate, or None."""
    from argostranslate import translate

    languages = {language.code: language for language in translate.get_installed_languages()}
    if not {"hi", "en"} <= languages.keys():
        return None
    found: object | None = languages["hi"].get_translation(languages["en"])
    return found
