"""The language of a text, where it is long enough to tell."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier  # type: ignore[import-untyped]  # ships no types

_LEAST = 20  # words
_SURE = 0.9
_SAMPLE = 4000  # characters


def language_of(text: str) -> str:
    """Return the two letters of a text's language, or nothing where it is too short or in doubt."""
    sample = text[:_SAMPLE]
    if len(sample.split()) < _LEAST:
        return ""
    code, probability = _identifier().classify(sample)
    return str(code) if probability >= _SURE else ""


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415 - half a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
