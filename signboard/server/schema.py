"""What requests and answers look like, for OpenAPI and to check what clients send back. See docs/output-schema.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

# Larger pictures do not exist; numbers without end would overflow what is drawn.
_FAR = 1_000_000
_Coordinate = Annotated[FiniteFloat, Field(ge=-_FAR, le=_FAR)]
_Point = Annotated[list[_Coordinate], Field(min_length=2, max_length=2)]
_Polygon = Annotated[list[_Point], Field(min_length=4, max_length=64)]
_Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
_Text = Annotated[str, Field(max_length=10_000)]


class _Model(BaseModel):
    # New keys may come without a new schema number: those that are not known are left out.
    model_config = ConfigDict(extra="ignore", frozen=True)


class WordRow(_Model):
    """One word of a row."""

    text: _Text
    polygon: _Polygon
    confidence: _Share
    detection_score: _Share
    script: Literal["latin", "devanagari", "digits", "mixed", "other"]
    rotation: Literal[0, 90, 180, 270]


class LineRow(_Model):
    """One line of a row; `romanized` and `translation` only where there are any."""

    text: _Text
    polygon: _Polygon
    romanized: _Text | None = None
    translation: _Text | None = None
    words: Annotated[list[WordRow], Field(min_length=1)]


class SignRow(_Model):
    """One sign of a row."""

    text: _Text
    polygon: _Polygon
    lines: Annotated[list[LineRow], Field(min_length=1)]


class GpsRow(_Model):
    """Where the camera stood: degrees (WGS 84), metres, degrees clockwise from north."""

    latitude: Annotated[FiniteFloat, Field(ge=-90, le=90)]
    longitude: Annotated[FiniteFloat, Field(ge=-180, le=180)]
    altitude: FiniteFloat | None = None
    bearing: Annotated[FiniteFloat, Field(ge=0, le=360)] | None = None
    bearing_reference: Literal["true", "magnetic"] | None = None


class Metadata(_Model):
    """Facts from the photo's EXIF; `gps` only when it was asked for."""

    time: Annotated[str, Field(max_length=64)] | None = None
    gps: GpsRow | None = None


class Row(_Model):
    """What was read on one photo, as in docs/output-schema.md."""

    schema_: Annotated[Literal["signboard/1"], Field(alias="schema")]
    source: Annotated[str, Field(max_length=4096)]
    page: Annotated[int, Field(ge=1, le=_FAR)] = 1
    width: Annotated[int, Field(ge=0, le=_FAR)]
    height: Annotated[int, Field(ge=0, le=_FAR)]
    text: Annotated[str, Field(max_length=200_000)] = ""
    signs: list[SignRow]
    error: _Text | None
    warnings: list[_Text]
    metadata: Metadata

    def plain(self) -> dict[str, Any]:
        """The row as `jsonl.from_dict` takes it."""
        return self.model_dump(by_alias=True, exclude_none=True) | {"error": self.error}


class Readings(_Model):
    """Answer of `POST /v1/read`: one row a photo, in the order they were sent."""

    readings: list[Row]


class TranslateRequest(_Model):
    """Hindi texts of signs."""

    texts: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(min_length=1, max_length=200)]
    scheme: Literal["spelled", "iso15919"] = "spelled"
    n_best: Annotated[int, Field(ge=1, le=50)] = 1


class PartRow(_Model):
    """One piece of a text and what became of it."""

    text: str
    english: str
    source: Literal["glossary", "network", "loanword", "place", "transliterated", "kept"]
    confidence: float


class SpellingRow(_Model):
    """One way to spell a word in Latin letters."""

    text: str
    confidence: float


class TranslationRow(_Model):
    """A text in English and in Latin letters, as `signboard translate --json` writes it."""

    text: str
    english: str
    romanized: str
    parts: list[PartRow]
    confidence: float
    spellings: dict[str, list[SpellingRow]] | None = None


class Translations(_Model):
    """Answer of `POST /v1/translate`, in the order of the texts."""

    translations: list[TranslationRow]


class ConvertRequest(_Model):
    """Rows of `POST /v1/read` to be written in another format."""

    readings: Annotated[list[Row], Field(max_length=1000)]
    format: Literal["json", "jsonl", "csv", "text", "geojson", "hocr"] = "jsonl"
    with_position: bool = False


class Health(_Model):
    """Whether photos can be read, and what the service takes."""

    status: Literal["ready", "loading", "stopping"]
    version: str
    token: bool
    limits: dict[str, float]


class Problem(_Model):
    """What went wrong, in one line."""

    detail: str
