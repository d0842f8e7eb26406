"""Starting a larger network from the weights of a smaller one, so that what those have learned is not learned anew."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from signboard.errors import ConfigError, WeightsError
from signboard.recognition.network import MixerLayer, RowMerge
from signboard.weights import load_card, load_state


def widened(state: dict[str, Tensor], fresh: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights for a wider network that computes, at first, what the narrower one does.

    What is there already keeps its weights and hears nothing of the new channels (weights of zero); the new channels
    begin as `fresh` has them and hear everything. Right for networks whose channels are added up or normalised one by
    one (batch norm), not for those that concatenate. Where a kernel has more rows or columns than before, the old one
    is stretched over them. After Chen et al. 2016, "Net2Net: accelerating learning via knowledge transfer".

    Args:
        state: the weights of the narrower network.
        fresh: the state of the wider one as it was built, with the same names.

    Raises:
        WeightsError: the names differ, or a tensor would have to shrink.
    """
    if state.keys() != fresh.keys():
        odd = sorted(state.keys() ^ fresh.keys())
        raise WeightsError(f"of another architecture: {', '.join(odd[:3])}{', ...' if len(odd) > 3 else ''}")
    result = {}
    for key, new in fresh.items():
        old = state[key]
        if old.ndim == 4 and new.ndim == 4 and old.shape[2:] != new.shape[2:]:
            size = (int(new.shape[2]), int(new.shape[3]))
            share = old.shape[2] * old.shape[3] / (size[0] * size[1])
            old = F.interpolate(old, size=size, mode="bilinear", align_corners=False) * share
        if old.ndim != new.ndim or any(a > b for a, b in zip(old.shape, new.shape, strict=True)):
            raise WeightsError(f"{key}: has shape {tuple(old.shape)}, wanted {tuple(new.shape)} or less")
        new = new.clone()
        if new.ndim > 1:
            new[: old.shape[0]] = 0
        new[tuple(slice(n) for n in old.shape)] = old
        result[key] = new
    return result


def with_layers(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """`state` and the layers of attention that `network` has beyond it, as layers that change nothing at first.

    The weights that such a layer adds its results with are zero, in `network` too; it learns from there.
    """
    have = state.keys()
    for name, layer in network.named_modules():
        if isinstance(layer, MixerLayer | RowMerge) and not any(key.startswith(f"{name}.") for key in have):
            layer.silence()
            state = state | {f"{name}.{key}": value for key, value in layer.state_dict().items()}
    return state


def start_network(network: nn.Module, card_path: Path, kind: str) -> None:
    """Give `network` the weights of the card at `card_path`, widened where it is wider (see `widened`), taller or has
    more mixer layers (see `with_layers`).

    Args:
        kind: of the card, such as "recognizer".

    Raises:
        WeightsError: card or weights are missing, damaged, or of another architecture.
    """
    state = load_state(card_path, load_card(card_path, kind))
    try:
        network.load_state_dict(widened(with_layers(state, network), network.state_dict()))
    except WeightsError as error:
        raise WeightsError(f"{card_path}: {error}") from None


def freeze(network: nn.Module, name: str) -> None:
    """Keeps a part of `network` as it is: no gradients, and norms that use their running statistics.

    Raises:
        ConfigError: the network has no part of that name.
    """
    try:
        part = network.get_submodule(name)
    except AttributeError:
        raise ConfigError(f"frozen: {name}: the network has no such part") from None
    for parameter in part.parameters():
        parameter.requires_grad_(False)
    for layer in part.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.forward = partial(_as_in_evaluation, layer)  # type: ignore[method-assign]


def _as_in_evaluation(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)


def start_backbone(network: nn.Module, card_path: Path) -> None:
    """Give `network.backbone` the weights of a classifier's backbone: how a stage begins with what pictures taught.

    Args:
        network: the detector's or the recogniser's, with its backbone at `backbone`.
        card_path: of a classifier of the same architecture in its narrow form, and of the same width.

    Raises:
        WeightsError: card or weights are missing or damaged, or the backbone is of another architecture or width.
    """
    card = load_card(card_path, "classifier")
    state = load_state(card_path, card)
    taught = {name: value for name, value in state.items() if name.startswith("backbone.")}
    wanted = {name: value for name, value in network.state_dict().items() if name.startswith("backbone.")}
    odd = [n for n, value in wanted.items() if n not in taught or taught[n].shape != value.shape]
    if odd:
        made = ", ".join(f"{key} {card.get('config', {}).get(key)}" for key in ("name", "form", "width"))
        raise WeightsError(f"{card_path}: its backbone does not fit at {odd[0]} ({made}); train one of the same width")
    network.load_state_dict({name: taught[name] for name in wanted}, strict=False)
