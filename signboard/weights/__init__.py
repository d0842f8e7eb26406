"""Weights that travel with the package: fp16 safetensors, each with a JSON card that says all that loading needs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from signboard.errors import WeightsError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")
Built = TypeVar("Built")

WEIGHTS_FOLDER = Path(__file__).parent


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_card(path: str | Path, kind: str) -> dict[str, Any]:
    """The card (a JSON object) at `path`, checked to be of `kind` ("detector", "recognizer", ...).

    Raises:
        WeightsError: no such file, not JSON, another kind.
    """
    path = Path(path)
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such card; reinstall signboard or name an existing card") from None
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: not a readable card ({error})") from None
    if not isinstance(card, dict) or card.get("kind") != kind:
        found = card.get("kind") if isinstance(card, dict) else type(card).__name__
        raise WeightsError(f"{path}: is the card of a {found}, a {kind} is needed")
    return card


def load_state(path: str | Path, card: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors that the card at `path` names, as float32, after their checksum was compared with the card's.

    Raises:
        WeightsError: the file is missing, or is not the one that the card describes.
    """
    import torch
    from safetensors.torch import load_file

    state = _read(path, card, load_file)
    return {k: v.float() if v.dtype in (torch.float16, torch.bfloat16) else v for k, v in state.items()}


def load_arrays(path: str | Path, kind: str, build: Callable[[dict[str, np.ndarray], dict[str, Any]], Built]) -> Built:
    """What `build` makes of the weights that the card at `path` names, as float32 arrays, and of the card; no torch.

    Raises:
        WeightsError: card or weights missing, damaged, or of another architecture.
    """
    from safetensors.numpy import load_file

    card = load_card(path, kind)
    state = {name: value.astype("float32") for name, value in _read(path, card, load_file).items()}
    try:
        return build(state, card)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unfit(path, error) from None


def _read(path: str | Path, card: dict[str, Any], load_file: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The file that a card names, as `load_file` reads it, after its checksum was compared with the card's."""
    file = Path(path).with_name(str(card.get("file", "")))
    if not file.is_file():
        raise WeightsError(f"{file}: the weights that {path} names are missing")
    if sha256(file) != card.get("sha256"):
        raise WeightsError(f"{file}: damaged, its checksum is not the one on its card {path}")
    try:
        return load_file(file)
    except Exception as error:  # safetensors has its own error types, all of them mean a bad file
        raise WeightsError(f"{file}: not a readable safetensors file ({error})") from None


def _unfit(path: str | Path, error: Exception) -> WeightsError:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return WeightsError(f"{path}: the weights do not fit the card's architecture ({reason})")


def load_network(
    path: str | Path, kind: str, build: Callable[[dict[str, Any]], Network]
) -> tuple[Network, dict[str, Any]]:
    """The network that `build` makes from the card at `path`, with the weights that the card names, and the card.

    Raises:
        WeightsError: card or weights missing, damaged, or of another architecture.
    """
    card = load_card(path, kind)
    try:
        network = build(card)
        network.load_state_dict(load_state(path, card))
    except (KeyError, TypeError, RuntimeError) as error:
        raise _unfit(path, error) from None
    return network, card


def numbers_of(section: Any, names: Sequence[str], where: str) -> dict[str, float]:
    """The numbers of a card's section, by `names`.

    Args:
        section: the section as it was read.
        names: the entries that it must have, and no others.
        where: which section of which card, for the message.

    Raises:
        WeightsError: `section` is no table of these, or one of them is no finite number.
    """
    try:
        numbers = {name: float(section[name]) for name in names}
    except KeyError as error:
        raise WeightsError(f"{where}: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{where}: {error}") from None
    unknown = sorted(set(section) - set(names))
    if unknown:
        raise WeightsError(f"{where}: {', '.join(map(repr, unknown))} is unknown")
    if not all(map(math.isfinite, numbers.values())):
        raise WeightsError(f"{where}: a number is not finite")
    return numbers


def save_weights(path: str | Path, state: dict[str, Tensor], card: dict[str, Any]) -> Path:
    """Write `state` as fp16 safetensors and `card`, completed with file name and checksum, as `path` (ending in .json).

    Both files are replaced at once at the end, so a reader never sees half of them.

    Raises:
        WeightsError: a tensor holds a value that is not finite.
    """
    import torch
    from safetensors.torch import save_file

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_suffix(".safetensors")
    stored = {}
    for name, value in state.items():
        tensor = value.detach().cpu().contiguous()
        if tensor.is_floating_point():
            if not bool(torch.isfinite(tensor).all()):
                raise WeightsError(f"{file}: tensor {name} is not finite; not saved")
            half = tensor.half()
            # What is too large for fp16, such as the variance of wide activations, stays float32.
            tensor = half if bool(torch.isfinite(half).all()) else tensor.float()
        stored[name] = tensor
    temporary = file.with_suffix(".tmp")
    save_file(stored, temporary)
    full_card = {**card, "file": file.name, "sha256": sha256(temporary)}
    temporary_card = _card_beside(path, full_card)
    temporary.replace(file)
    temporary_card.replace(path)
    return path


def save_card(path: str | Path, card: dict[str, Any]) -> None:
    """Replace the card at `path` at once; the weights beside it stay as they are."""
    _card_beside(Path(path), card).replace(path)


def _card_beside(path: Path, card: dict[str, Any]) -> Path:
    """Write `card` into a file of its own, to be moved to `path`."""
    temporary = path.with_suffix(".json.tmp")
    temporary.write_text(json.dumps(card, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return temporary
