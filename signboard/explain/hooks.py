"""Borrowing a network: evaluation mode and hooks that are always given back, whatever happens inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from signboard.backbones.arithmetic import LayerRow, layer_table
from signboard.errors import ConfigError


@contextmanager
def recording(module: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """A dict that holds, after a forward inside the body, the output of each of `layers` by name.

    A layer that runs twice leaves its last output. The hooks are gone when the body is left, also after an error.

    Args:
        module: the network.
        layers: dotted names of submodules.

    Raises:
        ConfigError: no such layer; the message lists those there are.
    """
    parts = dict(module.named_modules())
    for name in layers:
        if name not in parts or not name:
            raise unknown_layer(name, [known for known in parts if known])
    outputs: dict[str, Tensor] = {}
    handles = []

    def keeper(name: str) -> Any:
        def keep(part: nn.Module, inputs: Any, output: Any) -> None:
            first = output[0] if isinstance(output, list | tuple) else output
            if isinstance(first, Tensor):
                outputs[name] = first

        return keep

    try:
        for name in layers:
            handles.append(parts[name].register_forward_hook(keeper(name)))
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def unknown_layer(name: str, known: Sequence[str]) -> ConfigError:
    """The error for a layer that is not there, which lists those that are."""
    return ConfigError(f"unknown layer {name!r}; there are: {', '.join(known)}")


def map_layers(module: nn.Module, input_shape: Sequence[int]) -> dict[str, LayerRow]:
    """Every submodule whose output is a feature map (channels, height, width), with its geometry, in order of running.

    Blocks and stages are listed beside the layers inside them; of a module that runs twice the last call is taken.

    Args:
        module: the network; it runs once on the meta device and is left as it was.
        input_shape: (channels, height, width), pixels.

    Raises:
        ConfigError: the picture is too small for the network; the message names the smallest.
    """
    found: dict[str, LayerRow] = {}
    for row in layer_table(module, input_shape, keep=lambda part: part is not module):
        if len(row.output_shape) == 3 and row.receptive_field is not None and row.start is not None:
            found.pop(row.name, None)
            found[row.name] = row
    return found


def choose_layers(module: nn.Module, maps: dict[str, LayerRow], layers: Sequence[str], *, count: int = 4) -> list[str]:
    """The layers a person asked for, or when they asked for none, stages of the backbone or convolutions spread evenly.

    Raises:
        ConfigError: one of `layers` gives no feature map; the message lists those that do.
    """
    for name in layers:
        if name not in maps:
            raise unknown_layer(name, list(maps))
    if layers:
        return list(dict.fromkeys(layers))
    stages = [name for name in maps if name.rpartition(".")[2] in {"layer1", "layer2", "layer3", "layer4"}]
    if len(stages) >= 2:
        return stages[:count]
    convolutions = [name for name in maps if isinstance(module.get_submodule(name), nn.Conv2d)]
    names = convolutions or list(maps)
    if len(names) <= count:
        return names
    return [names[round(i * (len(names) - 1) / (count - 1))] for i in range(count)] if count > 1 else names[-1:]


def unit_at(row: LayerRow, x: float, y: float) -> tuple[int, int]:
    """(row, column) of the unit of a map whose field's centre lies nearest to (x, y), pixels of the input."""
    assert row.start is not None and row.jump is not None and row.receptive_field is not None
    unit = []
    for axis, at in ((0, y), (1, x)):
        index = round((at - row.start[axis] - row.receptive_field[axis] / 2) / row.jump[axis])
        unit.append(min(max(index, 0), row.output_shape[1 + axis] - 1))
    return unit[0], unit[1]


def unit_box(row: LayerRow, unit: tuple[int, int]) -> tuple[float, float, float, float]:
    """(x0, y0, x1, y1), pixels of the input, of what `unit` (row, column) of a map can depend on; not clipped."""
    assert row.start is not None and row.jump is not None and row.receptive_field is not None
    y = row.start[0] + unit[0] * row.jump[0]
    x = row.start[1] + unit[1] * row.jump[1]
    return (x, y, x + row.receptive_field[1], y + row.receptive_field[0])


def parameters_device(module: nn.Module) -> torch.device:
    """Where the network's parameters lie; the CPU for one without any."""
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device
