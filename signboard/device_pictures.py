"""Pictures on a CUDA device: sent there once, resized there for the detector, and cut into crops for the recogniser.

The pixels are those that OpenCV and PyTorch make on a processor (see `geometry.resize_image`, `geometry.rectify`), but
for a step of one of 255 here and there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from signboard.batching import pinned_copy
from signboard.geometry import (
    CropPlan,
    FloatArray,
    ImageArray,
    crop_corners,
    cut_as_planned,
    plan_crop,
    rectify,
    strip_edges,
)

# Larger pictures are resized and cut on the processor: the device would need four times their bytes to resize them,
# and it cannot reduce a side of more pixels far enough.
_MOST_PIXELS, _LONGEST = 50_000_000, 32_000


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """The pixels of some pictures on a device, one picture behind the other.

    Attributes:
        pixels: (P, 3) uint8.
        event: is over when they have arrived.
    """

    pixels: Tensor
    event: Any

    def use(self) -> None:
        """To be called before the pixels are used on the current stream, which may not be the one they came by."""
        stream = torch.cuda.current_stream(self.pixels.device)
        stream.wait_event(self.event)
        self.pixels.record_stream(stream)


class UploadedPicture(np.ndarray[Any, Any]):
    """A picture (H, W, 3) uint8 in the processor's memory that is on a device, too.

    Attributes:
        upload: where it is there; None in whatever is made from this array.
        first: which pixel there is its first.
        across: how many pixels further the first of its next row is.
    """

    upload: Upload | None = None
    first: int = 0
    across: int = 0

    @property
    def on_device(self) -> Tensor:
        """Its pixels (H, W, 3) on the device."""
        assert self.upload is not None
        return self.upload.pixels.as_strided((*self.shape[:2], 3), (3 * self.across, 3, 1), 3 * self.first)


def upload(pictures: Sequence[ImageArray], device: torch.device) -> list[ImageArray]:
    """The pictures (H, W, 3) uint8, sent to `device`; as they are where that is not CUDA, lacks memory, or one is huge.

    Each is copied by page-locked memory, while this thread goes on.
    """
    small = [p for p in pictures if p.shape[0] * p.shape[1] <= _MOST_PIXELS and max(p.shape) <= _LONGEST]
    if device.type != "cuda" or not small:
        return list(pictures)
    try:
        pixels = torch.empty((sum(p.shape[0] * p.shape[1] for p in small), 3), dtype=torch.uint8, device=device)
    except torch.OutOfMemoryError:
        return list(pictures)
    sent = Upload(pixels, torch.cuda.Event())
    first, uploaded = 0, {}
    for picture in small:
        end = first + picture.shape[0] * picture.shape[1]
        pixels[first:end].copy_(pinned_copy(picture.reshape(-1, 3)), non_blocking=True)
        copy = picture.view(UploadedPicture)
        copy.upload, copy.first, copy.across = sent, first, picture.shape[1]
        uploaded[id(picture)] = copy
        first = end
    sent.event.record(torch.cuda.current_stream(pixels.device))
    return [uploaded.get(id(picture), picture) for picture in pictures]


def part_of(picture: ImageArray, left: int, top: int, right: int, bottom: int) -> ImageArray:
    """Columns `left` to `right`, rows `top` to `bottom` of a picture (H, W, 3), on the device if that is there."""
    part = picture[top:bottom, left:right]
    if isinstance(picture, UploadedPicture) and isinstance(part, UploadedPicture):
        part.upload, part.across = picture.upload, picture.across
        part.first = picture.first + top * picture.across + left
    return part


def is_uploaded(picture: ImageArray) -> bool:
    """Whether a picture is on a device, too."""
    return isinstance(picture, UploadedPicture) and picture.upload is not None


def resize_uploaded(picture: ImageArray, size: tuple[int, int]) -> Tensor:
    """An uploaded picture as (size[0], size[1], 3) uint8 on its device: `geometry.resize_image`."""
    assert isinstance(picture, UploadedPicture) and picture.upload is not None
    picture.upload.use()
    return _resize(picture.on_device, size)


def _resize(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """`geometry.resize_image` of pixels (H, W, 3) uint8 on a device."""
    rows, columns = pixels.shape[:2]
    if size == (rows, columns):
        return pixels
    x = pixels.permute(2, 0, 1)[None].float()
    if size[0] * size[1] >= rows * columns:
        x = _whole(F.interpolate(x, size, mode="bilinear", align_corners=False))
    else:
        # One axis after the other, with whole numbers between them, as PyTorch does with bytes on a processor.
        for step in ((rows, size[1]), size):
            if step != x.shape[2:]:
                x = _whole(F.interpolate(x, step, mode="bilinear", antialias=True, align_corners=False))
    return x[0].permute(1, 2, 0).to(torch.uint8)


def _whole(values: Tensor) -> Tensor:
    return values.add_(0.5).floor_().clamp_(0, 255)


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A crop of an uploaded picture that is yet to be cut out, on the device.

    Attributes:
        picture: an `UploadedPicture`.
        plan: see `geometry.plan_crop`.
        rows: of the crop.
    """

    picture: UploadedPicture
    plan: CropPlan
    rows: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the crop: (rows, columns, 3)."""
        return self.rows, self.plan.width, 3


Crop = ImageArray | Cut


def cut(picture: ImageArray, polygon: FloatArray, height: int) -> Crop:
    """`geometry.rectify`: of an uploaded picture on its device, once the recogniser asks for the pixels."""
    if isinstance(picture, UploadedPicture) and picture.upload is not None:
        return Cut(picture, plan_crop(picture.shape, polygon, height), height)
    return rectify(picture, polygon, height)


def kind_of(crop: Crop) -> tuple[int, bool, bool]:
    """Crops of one kind are cut out together: from one upload, reduced first or not, straight or curved."""
    if not isinstance(crop, Cut):
        return 0, False, False
    return id(crop.picture.upload), crop.plan.small is not None, len(crop.plan.polygon) > 4


def pixels_of(crop: Crop) -> ImageArray:
    """A crop (H, W, 3) uint8 to look at on the processor; it is cut out of the picture that is there, too."""
    return cut_as_planned(crop.picture, crop.plan, crop.rows) if isinstance(crop, Cut) else crop


def cut_all(cuts: Sequence[Cut], columns: int, count: int) -> Tensor:
    """Crops as a batch (count, rows, columns, 3) uint8 on their device; black ones fill up what `cuts` lack.

    Each is cut out at its own width and then brought to `columns`, as on a processor. Crops of one kind that stand side
    by side take some fifty short operations together, however many they are. (PyTorch's `grid_sample` would want all
    their pictures in floats, and of one size.)

    Args:
        cuts: all with as many rows.
    """
    parts = [_cut_alike(list(alike), columns) for _, alike in itertools.groupby(cuts, key=kind_of)]
    batch = torch.cat(parts) if len(parts) > 1 else parts[0]
    lack = count - len(cuts)
    return F.pad(batch, (0, 0, 0, 0, 0, 0, 0, lack)) if lack else batch


def _cut_alike(cuts: Sequence[Cut], columns: int) -> Tensor:
    """Crops of one kind, (N, rows, columns, 3) uint8."""
    upload = cuts[0].picture.upload
    assert upload is not None
    upload.use()
    device, rows, plans = upload.pixels.device, cuts[0].rows, [one.plan for one in cuts]
    if plans[0].small is not None:
        parts = list(_reduced(cuts))
        pixels = torch.cat(parts)
        sizes = [plan.small for plan in plans if plan.small is not None]
        firsts = np.cumsum([0, *(len(part) for part in parts[:-1])])
        places = [(first, width, width - 1, height - 1) for first, (height, width) in zip(firsts, sizes, strict=True)]
    else:
        pixels = upload.pixels
        places = [_place(one) for one in cuts]
    # One copy to the device for all that is known of the crops; doubles hold every pixel's number.
    widest = max(plan.width for plan in plans)
    curved = len(plans[0].polygon) > 4
    shapes = [_strip(plan, widest) if curved else _straight(plan, rows) for plan in plans]
    known = np.concatenate([[[plan.width] for plan in plans], places, shapes], axis=1, dtype=np.float64)
    sent = pinned_copy(known).to(device, non_blocking=True)
    numbers, shape = sent[:, :5].long()[:, :, None, None], sent[:, 5:].float()
    at = _along_strips(shape.view(-1, 4, widest), rows) if curved else _through(shape, rows, widest)
    crops = _sample(pixels, numbers[:, 1], numbers[:, 2], numbers[:, 3:], at)
    return _to_columns(crops, numbers[:, 0], columns)


def _reduced(cuts: Sequence[Cut]) -> Iterator[Tensor]:
    """The part of the picture that each crop needs, reduced, as (P, 3) uint8."""
    for one in cuts:
        left, top, right, bottom = one.plan.box
        assert one.plan.small is not None
        yield _resize(one.picture.on_device[top:bottom, left:right], one.plan.small).reshape(-1, 3)


def _place(one: Cut) -> tuple[int, int, int, int]:
    """Where the part that a crop needs is among the pixels of its upload.

    Returns:
        its first pixel; how many further the next row begins; the last x and the last y, from that first pixel.
    """
    left, top, right, bottom = one.plan.box
    across = one.picture.across
    return one.picture.first + top * across + left, across, right - left - 1, bottom - top - 1


def _straight(plan: CropPlan, rows: int) -> FloatArray:
    """(9,): the perspective from pixels of the crop to pixels of the part, by their centres."""
    target = crop_corners(plan.width, rows)
    matrix: FloatArray = cv2.getPerspectiveTransform(target - 0.5, plan.polygon - 0.5).astype(np.float32)
    return matrix.ravel()


def _through(matrices: Tensor, rows: int, columns: int) -> Tensor:
    """(N, 9) perspectives -> (N, 2, rows, columns): the place (x, y) of each pixel."""
    x = torch.arange(columns, device=matrices.device, dtype=torch.float32)
    y = torch.arange(rows, device=matrices.device, dtype=torch.float32)[:, None]
    by_x, by_y, fixed = matrices.view(-1, 3, 3)[..., None, None].unbind(2)  # (N, 3, 1, 1) each
    places = by_x * x + by_y * y + fixed
    return places[:, :2] / places[:, 2:]


def _strip(plan: CropPlan, widest: int) -> FloatArray:
    """(4 * widest,): x and y of a curved crop's columns along its upper edge, then its lower, the last repeated."""
    edges = np.concatenate(strip_edges(plan.polygon, plan.width), axis=1)
    return np.pad(edges.T, ((0, 0), (0, widest - plan.width)), mode="edge").ravel()


def _along_strips(edges: Tensor, rows: int) -> Tensor:
    """(N, 4, W) upper and lower edges -> (N, 2, rows, W): the place (x, y) of each pixel, by their centres."""
    down = ((torch.arange(rows, device=edges.device, dtype=torch.float32) + 0.5) / rows)[:, None]
    upper, lower = edges[:, :, None].split(2, dim=1)
    return torch.lerp(upper, lower, down) - 0.5


def _sample(pixels: Tensor, first: Tensor, across: Tensor, last: Tensor, at: Tensor) -> Tensor:
    """Pictures between four pixels each; what lies outside repeats the border.

    Args:
        pixels: (P, 3) uint8.
        first, across: (N, 1, 1), each part's first pixel, and how many further the next row begins.
        last: (N, 2, 1, 1), the last x and the last y of each part.
        at: (N, 2, H, W) float32, places (x, y) in the part.

    Returns:
        (N, H, W, 3) float32, whole numbers from 0 to 255.
    """
    low = at.floor()
    x_share, y_share = (at - low)[..., None].unbind(1)
    low = low.long()
    near = torch.minimum(torch.stack([low, low + 1]).clamp_(min=0), last)  # (2, N, 2, H, W)
    x, y = near.unbind(2)
    values = pixels[(first + y * across)[:, None] + x].float()  # (upper and lower, left and right, N, H, W, 3)
    upper, lower = torch.lerp(values[:, 0], values[:, 1], x_share).unbind(0)
    return _whole(torch.lerp(upper, lower, y_share))


def _to_columns(crops: Tensor, width: Tensor, columns: int) -> Tensor:
    """Crops (N, H, W, 3) float32, each `width` (N, 1, 1) columns wide, stretched to (N, H, columns, 3) uint8."""
    x = torch.arange(columns, device=crops.device, dtype=torch.float32)
    x = ((x + 0.5) * (width / columns) - 0.5).clamp_(min=0)[..., None]  # (N, 1, columns, 1)
    left = torch.minimum(x.long(), width[..., None] - 1)
    right = torch.minimum(left + 1, width[..., None] - 1)
    share = x - left
    index = (len(crops), crops.shape[1], columns, 3)
    left, right = left.expand(index), right.expand(index)
    return _whole(torch.lerp(crops.gather(2, left), crops.gather(2, right), share)).to(torch.uint8)


__all__ = [
    "Crop", "Cut", "UploadedPicture", "cut", "cut_all", "is_uploaded", "kind_of", "part_of", "pixels_of",
    "resize_uploaded", "upload",
]  # fmt: skip
