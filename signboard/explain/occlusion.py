"""What a network needs to see: cover each place of a picture with a grey patch and watch the output drop.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2. The output is a
class's probability for a classifier, a word's (and each letter's) for the recogniser, a text score for the detector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from signboard.backbones.arithmetic import evaluating
from signboard.backbones.heads import Classifier
from signboard.errors import ConfigError
from signboard.explain import pictures
from signboard.explain.result import Result
from signboard.explain.subject import Subject
from signboard.geometry import FloatArray, ImageArray, shrink_polygon

BATCH = {"classifier": 16, "detector": 4, "recognizer": 64}
# Pictures (N, h, w, 3) uint8 -> scores (N, S) float32.
Score = Callable[[ImageArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Occlusion(Result):
    """Heat maps of the drop in each score when a patch covers a place.

    Attributes:
        model: name of the network.
        picture: (h, w, 3) uint8, what the network was shown.
        photo_size: (height, width) of the photo it was made from.
        what: what the scores are of, e.g. a word.
        names: of the S scores; the first is the main one.
        clean: (S,) float32, scores of the picture as it is.
        maps: (S, h, w) float32: clean score less the mean score of all patches that cover the pixel. Above 0 the place
            speaks for the output, below 0 against it.
        scores: (S, rows, columns) float32: the score for each place of the patch, NaN where it was not tried.
        tops, lefts: (rows,), (columns,) int64: where its upper left corner was.
        patch: (height, width) of the patch, pixels of the input.
        stride: (down, across), pixels of the input.
        fill: colour of the patch.
        region: (h, w) bool, where the detector's score was taken; None for the others.
    """

    stem: ClassVar[str] = "occlusion"
    model: str
    picture: ImageArray
    photo_size: tuple[int, int]
    what: str
    names: tuple[str, ...]
    clean: FloatArray
    maps: FloatArray
    scores: FloatArray
    tops: NDArray[np.int64]
    lefts: NDArray[np.int64]
    patch: tuple[int, int]
    stride: tuple[int, int]
    fill: tuple[int, int, int]
    region: NDArray[np.bool_] | None = None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `describe` for the axes."""
        found: dict[str, NDArray[Any]] = {
            "maps": self.maps,
            "clean": self.clean,
            "scores": self.scores,
            "tops": self.tops,
            "lefts": self.lefts,
            "picture": self.picture,
        }
        return found if self.region is None else {**found, "region": self.region}

    def describe(self) -> dict[str, Any]:
        """The manifest."""
        return {
            "model": self.model,
            "input": list(self.picture.shape[:2]),
            "photo": list(self.photo_size),
            "what": self.what,
            "scores_of": list(self.names),
            "clean": [round(float(v), 6) for v in self.clean],
            "largest_drop": [round(float(v), 6) for v in self.maps.max(axis=(1, 2))],
            "patch": list(self.patch),
            "stride": list(self.stride),
            "fill": list(self.fill),
            "places": {"tried": int(np.isfinite(self.scores[0]).sum()), "all": int(self.scores[0].size)},
            "axes": {
                "maps": "score, row, column of the input: clean score less the mean over the patches that cover it",
                "scores": "score, row of patches, column of patches; NaN: not tried",
                "tops": "row of patches: upper edge, pixels of the input",
                "lefts": "column of patches: left edge, pixels of the input",
            },
        }

    def render(self) -> ImageArray:
        """The picture, and each map over it: red where covering costs score, blue where it helps."""
        base, _ = pictures.enlarged(self.picture)
        title = f"{self.model}, {self.what}: drop when a patch of {self.patch[0]}x{self.patch[1]} covers a place"
        panels = [pictures.titled(base, "what the network sees")]
        for name, clean, values in zip(self.names, self.clean, self.maps, strict=True):
            limit = float(np.abs(values).max())
            colours = pictures.resized(values, base.shape[:2])
            share = np.abs(colours) / limit if limit > 0 else np.zeros_like(colours)
            pale = pictures.grey(base)
            over = pictures.laid_over(pale, pictures.signed(np.sign(colours), 1.0), 0.85 * share)
            if self.region is not None:
                _outline(over, self.region)
            panels.append(pictures.titled(over, f"{name}: {clean:.3g}, drops by up to {values.max():.2g}"))
        wide = self.picture.shape[1] > 1.5 * self.picture.shape[0]
        columns = 2 if len(panels) > 3 or not wide else 1
        rows = [pictures.beside(panels[i : i + columns]) for i in range(0, len(panels), columns)]
        return pictures.framed(pictures.titled(pictures.below(rows), title))


def _outline(canvas: ImageArray, region: NDArray[np.bool_]) -> None:
    mask = cv2.resize(region.astype(np.uint8), (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, pictures.INK, 2)


def patch_places(length: int, patch: int, stride: int) -> NDArray[np.int64]:
    """Where a patch begins along an axis of `length` pixels: every `stride`, and flush with the end, so all is covered.

    Raises:
        ConfigError: the patch is larger than the axis, or the stride larger than the patch, which would leave gaps.
    """
    if patch < 1 or stride < 1:
        raise ConfigError(f"patch and stride must be at least 1, not {patch} and {stride}")
    if patch > length:
        raise ConfigError(f"a patch of {patch} is larger than the input of {length}: choose a smaller --patch")
    if stride > patch:
        raise ConfigError(f"stride {stride} is larger than patch {patch}: places between would never be covered")
    places = list(range(0, length - patch + 1, stride))
    if places[-1] != length - patch:
        places.append(length - patch)
    return np.array(places, np.int64)


# A place matters when covering it moves a score by this share of the largest move, or a neighbour's does.
MATTERS = 0.1


def occlusion_scores(
    score: Score,
    picture: ImageArray,
    *,
    patch: tuple[int, int],
    stride: tuple[int, int],
    fill: tuple[int, int, int] = (128, 128, 128),
    batch: int = 16,
    clean: FloatArray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Scores of a picture with a patch at every place, several places a forward.

    Args:
        score: pictures (N, h, w, 3) uint8 -> (N, S) float32; each picture's scores must not depend on its neighbours.
        picture: (h, w, 3) uint8; left as it is.
        patch, stride: (vertical, horizontal), pixels.
        fill: colour of the patch.
        batch: pictures in one call of `score`.
        clean: (S,) scores without a patch. With them the places are first tried a patch apart, and the places between
            only beside those that matter; without, every place is tried.
        progress: called with (places done, places in all); the second grows when the places between are known.

    Returns:
        scores (S, rows, columns) float32, NaN where a place was not tried; upper edges (rows,), left edges (columns,).
    """
    if batch < 1:
        raise ConfigError(f"batch must be at least 1, not {batch}")
    tops = patch_places(picture.shape[0], patch[0], stride[0])
    lefts = patch_places(picture.shape[1], patch[1], stride[1])
    scores: FloatArray = np.zeros((0, len(tops), len(lefts)), np.float32)
    tried = np.zeros((len(tops), len(lefts)), bool)

    def look(wanted: NDArray[np.bool_], total: int) -> None:
        nonlocal scores
        places = np.argwhere(wanted & ~tried)
        for begin in range(0, len(places), batch):
            part = places[begin : begin + batch]
            covered = np.repeat(picture[None], len(part), axis=0)
            for i, (row, column) in enumerate(part):
                top, left = tops[row], lefts[column]
                covered[i, top : top + patch[0], left : left + patch[1]] = fill
            found = score(covered)  # (N, S)
            if not len(scores):
                scores = np.full((found.shape[1], len(tops), len(lefts)), np.nan, np.float32)
            scores[:, part[:, 0], part[:, 1]] = found.T
            tried[part[:, 0], part[:, 1]] = True
            if progress is not None:
                progress(int(tried.sum()), total)

    if clean is None:
        look(~tried, tried.size)
        return scores, tops, lefts
    apart = [_apart(places, length) for places, length in ((tops, patch[0]), (lefts, patch[1]))]
    coarse = apart[0][:, None] & apart[1][None, :]
    look(coarse, int(coarse.sum()))
    moves = np.abs(scores - clean[:, None, None])
    largest = np.nanmax(moves, axis=(1, 2), keepdims=True)
    matters = (np.nan_to_num(moves) >= np.maximum(MATTERS * largest, 1e-12)).any(axis=0)
    # Every place whose patch overlaps one that matters.
    near = np.zeros_like(coarse)
    for row, column in np.argwhere(matters):
        near |= (np.abs(tops - tops[row]) < patch[0])[:, None] & (np.abs(lefts - lefts[column]) < patch[1])[None, :]
    look(near, int((near | coarse).sum()))
    return scores, tops, lefts


def _apart(places: NDArray[np.int64], patch: int) -> NDArray[np.bool_]:
    """Which of the ascending places, a patch apart at most, cover the axis together; the first and the last do."""
    chosen = np.zeros(len(places), bool)
    at = 0
    while at < len(places) - 1:
        chosen[at] = True
        at = max(at + 1, int(np.searchsorted(places, places[at] + patch, side="right")) - 1)
    chosen[-1] = True
    return chosen


def drop_map(
    clean: FloatArray,
    scores: FloatArray,
    tops: NDArray[np.int64],
    lefts: NDArray[np.int64],
    patch: tuple[int, int],
    size: tuple[int, int],
) -> FloatArray:
    """(S, h, w) float32 of `size`: the mean drop over all patches that were tried and cover each pixel.

    Args:
        clean: (S,) scores without a patch.
        scores, tops, lefts: from `occlusion_scores`.
    """
    total = np.zeros((len(clean), *size), np.float64)
    count = np.zeros(size, np.float64)
    for i, top in enumerate(tops.tolist()):
        for j, left in enumerate(lefts.tolist()):
            if np.isnan(scores[0, i, j]):
                continue
            place = np.s_[top : top + patch[0], left : left + patch[1]]
            total[(slice(None), *place)] += (clean - scores[:, i, j])[:, None, None]
            count[place] += 1
    return (total / count).astype(np.float32)


def occlude(
    subject: Subject,
    pixels: ImageArray,
    *,
    patch: tuple[int, int] | None = None,
    stride: tuple[int, int] | None = None,
    fill: int | str = 128,
    batch: int | None = None,
    full: bool = False,
    target: int | None = None,
    text: str | None = None,
    polygon: FloatArray | None = None,
    point: tuple[float, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Occlusion:
    """The heat map of the drop in the network's output when a patch covers each place of a photo.

    Args:
        subject: a classifier, the detector or the recogniser.
        pixels: (H, W, 3) uint8 RGB, the photo; for the recogniser a word's crop.
        patch, stride: (vertical, horizontal), pixels of the input; a fitting size by default.
        fill: a grey level 0 to 255, or "mean" for the picture's mean colour.
        batch: occlusions in one forward.
        full: try every place, also between those that do not matter (see `occlusion_scores`).
        target: a classifier's class; the likeliest by default.
        text: the recogniser's word; what it reads by default.
        polygon: (N, 2) pixels of the photo: where the detector's text score is taken, the mean probability inside.
        point: (x, y) in the photo: take the word that the detector finds there. Without either, the best-scored word.
        progress: called with (places done, places in all).

    Raises:
        ConfigError: an option that does not fit the kind of network, no word there, a class that does not exist, a
            patch larger than the input, a picture too small for the network.
    """
    _check_options(subject.kind, target=target, text=text, polygon=polygon, point=point)
    picture = subject.picture(pixels)
    height, width = picture.shape[:2]
    if subject.kind not in ("detector", "recognizer"):
        subject.check(picture)
    patch = patch or _default_patch(subject.kind, height, width)
    stride = stride or _default_stride(subject.kind, patch)
    for length, p, s in zip((height, width), patch, stride, strict=True):
        patch_places(length, p, s)
    colour = _fill_colour(fill, picture)
    region: NDArray[np.bool_] | None = None
    score: Score
    names: tuple[str, ...]
    with evaluating(subject.network), torch.inference_mode():
        if subject.kind == "detector":
            region, what = _text_region(subject, pixels, picture, polygon, point)
            score, names = _text_score(subject, region), ("text score",)
        elif subject.kind == "recognizer":
            score, names, what = _word_score(subject, picture, text)
        elif isinstance(subject.network, Classifier):
            score, names, what = _class_score(subject, picture, target)
        else:
            raise ConfigError(f"{subject.name} is a {subject.kind} without an output to score: use a classifier")
        clean = score(picture[None])[0]
        scores, tops, lefts = occlusion_scores(
            score,
            picture,
            patch=patch,
            stride=stride,
            fill=colour,
            batch=batch if batch is not None else BATCH.get(subject.kind, 16),
            clean=None if full else clean,
            progress=progress,
        )
    maps = drop_map(clean, scores, tops, lefts, patch, (height, width))
    size = (pixels.shape[0], pixels.shape[1])
    return Occlusion(
        subject.name, picture, size, what, names, clean, maps, scores, tops, lefts, patch, stride, colour, region
    )


def _check_options(kind: str, **options: Any) -> None:
    fitting = {"classifier": {"target"}, "recognizer": {"text"}, "detector": {"polygon", "point"}}.get(kind, set())
    for name, value in options.items():
        if value is not None and name not in fitting:
            raise ConfigError(f"{name} is not for a {kind}: it takes {', '.join(sorted(fitting)) or 'none of these'}")


def _default_patch(kind: str, height: int, width: int) -> tuple[int, int]:
    if kind == "recognizer":
        side = max(height // 4, 1)
    else:
        side = max(1, max(height, width) // (12 if kind == "detector" else 8))
    return min(side, height), min(side, width)


def _default_stride(kind: str, patch: tuple[int, int]) -> tuple[int, int]:
    part = 4 if kind == "recognizer" else 2
    return max(1, patch[0] // part), max(1, patch[1] // part)


def _fill_colour(fill: int | str, picture: ImageArray) -> tuple[int, int, int]:
    if fill == "mean":
        red, green, blue = (round(float(v)) for v in picture.reshape(-1, 3).mean(axis=0))
        return red, green, blue
    if isinstance(fill, str) or not 0 <= fill <= 255:
        raise ConfigError(f"fill must be a grey level 0 to 255, or mean, not {fill!r}")
    return fill, fill, fill


def _class_score(subject: Subject, picture: ImageArray, target: int | None) -> tuple[Score, tuple[str, ...], str]:
    """The probability of one class."""
    network = subject.network
    logits = network(subject.tensor(picture[None]))
    count = int(logits.shape[1])
    if target is not None and not 0 <= target < count:
        raise ConfigError(f"{subject.name} has classes 0 to {count - 1}, not {target}")
    chosen = int(logits[0].argmax()) if target is None else target
    label = subject.classes[chosen] if chosen < len(subject.classes) else str(chosen)

    def score(batch: ImageArray) -> FloatArray:
        answers = network(subject.tensor(batch)).float().softmax(dim=1)
        return answers[:, chosen : chosen + 1].cpu().numpy()  # type: ignore[no-any-return]

    return score, ("class probability",), f"class {label}"


def word_probability(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """The probability (N,) float32 of a word under CTC: the sum over its alignments (Graves et al. 2006, section 4.1).

    Args:
        logits: (N, T, C), class 0 the blank.
        classes: of the word's characters; none is the empty word.
    """
    log_probabilities = functional.log_softmax(logits.float().cpu(), dim=-1).transpose(0, 1)  # (T, N, C)
    frames, number = log_probabilities.shape[:2]
    if not classes:
        return log_probabilities[:, :, 0].sum(dim=0).exp()
    loss = functional.ctc_loss(
        log_probabilities,
        torch.tensor(classes, dtype=torch.long).repeat(number, 1),
        torch.full((number,), frames, dtype=torch.long),
        torch.full((number,), len(classes), dtype=torch.long),
        reduction="none",
    )
    return torch.exp(-loss)


def _letter_frames(best: Sequence[int]) -> list[tuple[int, int, int]]:
    """(class, first frame, end frame) of each letter on the best path, blanks left out."""
    runs: list[tuple[int, int, int]] = []
    begin = 0
    for t in range(1, len(best) + 1):
        if t == len(best) or best[t] != best[begin]:
            if best[begin] != 0:
                runs.append((best[begin], begin, t))
            begin = t
    return runs


def _word_score(subject: Subject, picture: ImageArray, text: str | None) -> tuple[Score, tuple[str, ...], str]:
    """The probability of the word, and for the word that is read, of each letter where it was read."""
    tool, network = subject.recognizer, subject.network
    assert tool is not None
    runs: list[tuple[int, int, int]] = []
    if text is None:
        logits = network(subject.tensor(picture[None]))[0]
        runs = _letter_frames(logits[0].argmax(dim=-1).tolist())
        classes = [c for c, _, _ in runs]
        if not classes:
            raise ConfigError("the recogniser reads nothing here: give the word with --text, or another crop")
        word = tool.charset.decode(classes)
    else:
        unknown = tool.charset.missing(text)
        if unknown or not text.strip():
            listed = ", ".join(repr(c) for c in sorted(unknown))
            raise ConfigError(f"--text: the recogniser does not know {listed}" if unknown else "--text is empty")
        classes, word = tool.charset.encode(text), text

    def score(batch: ImageArray) -> FloatArray:
        answers = network(subject.tensor(batch))[0]
        columns = [word_probability(answers, classes)]
        if runs:
            shares = answers.float().softmax(dim=-1).cpu()
            columns += [shares[:, first:end, c].amax(dim=1) for c, first, end in runs]
        return torch.stack(columns, dim=1).numpy()  # type: ignore[no-any-return]

    letters = [f"letter {tool.charset.characters[c - 1]}" for c, _, _ in runs]
    return score, ("word probability", *letters), f"word {word}"


def _text_region(
    subject: Subject,
    pixels: ImageArray,
    picture: ImageArray,
    polygon: FloatArray | None,
    point: tuple[float, float] | None,
) -> tuple[NDArray[np.bool_], str]:
    """(h, w) bool: where in the input the text score is taken, and what that is called."""
    assert subject.detector is not None
    scale = np.array([picture.shape[1] / pixels.shape[1], picture.shape[0] / pixels.shape[0]], np.float32)
    if polygon is not None:
        if point is not None:
            raise ConfigError("give a polygon or a point, not both")
        if polygon.ndim != 2 or polygon.shape[0] < 3 or polygon.shape[1] != 2:
            raise ConfigError(f"a polygon is at least three points (x, y), not an array of shape {polygon.shape}")
        region = _filled(polygon * scale, picture)
        if not region.any():
            raise ConfigError("the polygon covers no pixel of the photo")
        return region, "text inside the polygon"
    # Detection runs on the picture itself, which is the network's size already.
    found = subject.detector.detect([picture], side=max(picture.shape[:2]))[0]
    if not len(found):
        raise ConfigError("the detector finds no word on this photo: give a polygon")
    if point is None:
        chosen = int(np.argmax(found.scores))
    else:
        x, y = float(point[0] * scale[0]), float(point[1] * scale[1])
        hits = [i for i, p in enumerate(found.polygons) if cv2.pointPolygonTest(p, (x, y), False) >= 0]
        if not hits:
            raise ConfigError(
                f"the detector finds no word at ({point[0]:g}, {point[1]:g}), only {len(found)} elsewhere: "
                "choose another point or give a polygon"
            )
        chosen = max(hits, key=lambda i: found.scores[i])
    word = found.polygons[chosen]
    # The network is taught to mark the word's kernel, so that is where its score is.
    kernels = shrink_polygon(word, subject.detector.shrink_ratio)
    region = _filled(max(kernels, key=len), picture) if kernels else np.zeros(picture.shape[:2], bool)
    if not region.any():
        region = _filled(word, picture)
    x, y = (word.mean(axis=0) / scale).tolist()
    return region, f"the word around ({x:.0f}, {y:.0f})"


def _filled(polygon: FloatArray, picture: ImageArray) -> NDArray[np.bool_]:
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(polygon - 0.5).astype(np.int32)], 1)
    return mask.astype(bool)


def _text_score(subject: Subject, region: NDArray[np.bool_]) -> Score:
    """The mean probability of text inside `region`."""
    network = subject.network
    rows, columns = (torch.from_numpy(a) for a in np.nonzero(region))

    def score(batch: ImageArray) -> FloatArray:
        logits, _ = network(subject.tensor(batch))  # (N, h, w)
        inside = torch.sigmoid(logits.float()).cpu()[:, rows, columns]
        return inside.mean(dim=1, keepdim=True).numpy()  # type: ignore[no-any-return]

    return score
