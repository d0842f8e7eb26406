"""Layer arithmetic: what each layer of a network costs and sees, measured while the real module runs.

The module runs once on the meta device (shapes without numbers), so even VGG19 takes no memory. A dispatch mode sees
every tensor operation, branches and additions included, and carries along which input pixels each unit depends on.
The receptive field follows Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019: for kernel k, stride s, padding p, dilation d

    size' = size + (k - 1) * d * jump,   start' = start - p * jump,   jump' = s * jump

and where branches meet, the field is the smallest box that holds the fields of all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from signboard.errors import ConfigError

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Field:
    """Which input pixels the units of one feature map depend on; every pair is (vertical, horizontal), in pixels.

    Unit (i, j) sees rows `start[0] + i * jump[0]` up to `size[0]` rows further, and columns likewise. Zero padding
    makes a start negative: such a unit looks past the edge of the picture.
    """

    jump: tuple[float, float] = (1.0, 1.0)
    size: tuple[float, float] = (1.0, 1.0)
    start: tuple[float, float] = (0.0, 0.0)

    def slide(self, kernel: Sequence[int], stride: Sequence[float], padding: Sequence[int],
              dilation: Sequence[int] = (1, 1)) -> Field:  # fmt: skip
        """The field after a window of `kernel` moved by `stride` over this map, padded by `padding`."""
        return Field(
            jump=(self.jump[0] * stride[0], self.jump[1] * stride[1]),
            size=(
                self.size[0] + (kernel[0] - 1) * dilation[0] * self.jump[0],
                self.size[1] + (kernel[1] - 1) * dilation[1] * self.jump[1],
            ),
            start=(self.start[0] - padding[0] * self.jump[0], self.start[1] - padding[1] * self.jump[1]),
        )

    def whole(self, shape: Sequence[int]) -> Field:
        """The field of a unit that sees every position of this map of `shape` (height, width)."""
        return self.slide((shape[0], shape[1]), (1, 1), (0, 0))

    def join(self, other: Field) -> Field:
        """The smallest field that holds both; the jump stays this one's."""
        ends = [max(self.start[a] + self.size[a], other.start[a] + other.size[a]) for a in (0, 1)]
        starts = [min(self.start[a], other.start[a]) for a in (0, 1)]
        return Field(self.jump, (ends[0] - starts[0], ends[1] - starts[1]), (starts[0], starts[1]))

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) in pixels of the input, x right and y down, of what unit (row, column) sees; not clipped."""
        y = self.start[0] + row * self.jump[0]
        x = self.start[1] + column * self.jump[1]
        return (x, y, x + self.size[1], y + self.size[0])


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One call of one layer. Pairs are (vertical, horizontal); None where the layer has no such thing.

    Attributes:
        name: dotted module path, e.g. "features.0".
        kind: class name of the module, e.g. "Conv2d".
        kernel, stride, padding, dilation, groups: geometry of convolutions and pools.
        input_shape, output_shape: without the batch dimension, e.g. (3, 227, 227) and (96, 55, 55).
        weights, biases: parameters of the layer's weight tensors and of its bias vectors; 0 when the layer was already
            listed higher up (a layer called twice has its parameters once).
        multiply_adds: of one picture, biases and activation functions not counted.
        receptive_field, jump: pixels of the input; how much one unit sees, and the distance of two neighbours.
        start: the first pixel that unit (0, 0) sees; negative when it looks into the padding.
    """

    name: str
    kind: str
    kernel: Pair | None
    stride: Pair | None
    padding: Pair | None
    dilation: Pair | None
    groups: int | None
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weights: int
    biases: int
    multiply_adds: int
    receptive_field: tuple[int, int] | None
    jump: tuple[float, float] | None
    start: tuple[float, float] | None

    @property
    def parameters(self) -> int:
        """Weights and biases together."""
        return self.weights + self.biases

    @property
    def dense_weights(self) -> int:
        """Weights of the fully connected layer that would join the same input to the same output."""
        return math.prod(self.input_shape) * math.prod(self.output_shape)


def _pair(value: Any) -> Pair:
    """PyTorch's lists of one or two integers as a pair."""
    if isinstance(value, int):
        return (value, value)
    values = list(value)
    return (int(values[0]), int(values[-1]))


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor inside nested lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)


# Operations that apply a layer's weights: convolutions and matrix products (linear layers come down to the latter).
_WEIGHTED = frozenset({"convolution", "_convolution", "addmm", "mm"})


class _Tracer(TorchDispatchMode):
    """Carries a `Field` from each tensor to those computed from it and counts multiply-adds."""

    def __init__(self) -> None:
        super().__init__()
        # Tensors are kept beside their fields: an id is only unique while its tensor lives, and on the meta device
        # they hold no data.
        self._known: dict[int, tuple[Tensor, Field, int]] = {}
        self.multiply_adds = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keeps PyTorch from importing its compiler, which takes seconds, only to switch it off for this mode."""
        return False

    def mark(self, tensor: Tensor, field: Field, depth: int = 0) -> None:
        self._known[id(tensor)] = (tensor, field, depth)

    def field(self, tensor: Tensor) -> Field | None:
        entry = self._known.get(id(tensor))
        return None if entry is None else entry[1]

    def depth(self, tensor: Tensor) -> int:
        """Layers with weights on the longest way from the picture to `tensor`."""
        entry = self._known.get(id(tensor))
        return 0 if entry is None else entry[2]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__.split(".")[0]
        # Inference mode hands over compound operations (conv2d, linear) whole; the rules below are for their parts.
        # Enlarging stays whole: its parts are reads at computed places, which would have to be taken as seeing all.
        if not name.startswith("upsample"):
            with self:
                result = func.decompose(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        result = func(*args, **(kwargs or {}))
        outputs = list(_tensors(result))
        if outputs:
            self.multiply_adds += _multiply_adds(name, args, outputs[0])
            self._propagate(name, args, kwargs or {}, outputs)
        return result

    def _propagate(self, name: str, args: Sequence[Any], kwargs: dict[str, Any], outputs: list[Tensor]) -> None:
        sources = [(tensor, self.field(tensor)) for tensor in _tensors([*args, kwargs])]
        known = [(tensor, field) for tensor, field in sources if field is not None]
        if not known:
            return
        first, field = known[0]
        depth = max(self.depth(tensor) for tensor, _ in known) + (name in _WEIGHTED)
        for output in outputs:
            moved = _slide_over(name, args, first, field, output)
            if moved is None:
                moved = _merge(known, output)
            self.mark(output, moved, depth)


def _slide_over(name: str, args: Sequence[Any], source: Tensor, field: Field, output: Tensor) -> Field | None:
    """The field after an operation that moves a window over a map, or None for any other operation."""
    if name in ("convolution", "_convolution") and source.dim() == 4:
        weight, stride, padding, dilation, transposed = args[1], args[3], args[4], args[5], args[6]
        kernel = (int(weight.shape[2]), int(weight.shape[3]))
        if not transposed:
            return field.slide(kernel, _pair(stride), _pair(padding), _pair(dilation))
        # Output o draws on inputs (o + padding - kernel + 1) / stride to (o + padding) / stride.
        steps, pads = _pair(stride), _pair(padding)
        low = [(pads[a] - (kernel[a] - 1) * _pair(dilation)[a]) / steps[a] for a in (0, 1)]
        return _enlarge(field, steps, low, [pads[a] / steps[a] for a in (0, 1)])
    if name in ("max_pool2d_with_indices", "max_pool2d", "avg_pool2d"):
        kernel = _pair(args[1])
        stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
        padding = _pair(args[3]) if len(args) > 3 else (0, 0)
        dilation = _pair(args[4]) if name != "avg_pool2d" and len(args) > 4 else (1, 1)
        return field.slide(kernel, stride, padding, dilation)
    if "adaptive" in name and source.dim() == 4:
        before, after = source.shape[2:], output.shape[2:]
        # A window of an adaptive pool starts at floor(i * n / m) and is at most ceil(n / m) + 1 long.
        kernel = (_adaptive_kernel(before[0], after[0]), _adaptive_kernel(before[1], after[1]))
        return field.slide(kernel, (before[0] / after[0], before[1] / after[1]), (0, 0))
    if name.startswith("upsample"):
        factor = (output.shape[2] / source.shape[2], output.shape[3] / source.shape[3])
        if "nearest" in name:  # input floor(o / factor)
            return _enlarge(field, factor, [1 / f - 1 for f in factor], (0, 0))
        # Two neighbours (four if cubic) around (o + 1/2) / factor - 1/2.
        reach = 2 if "cubic" in name else 1
        middle = [0.5 / f - 0.5 for f in factor]
        return _enlarge(field, factor, [m - reach for m in middle], [m + reach for m in middle])
    if name == "constant_pad_nd":
        edges = [*args[1], 0, 0, 0, 0]
        return field.slide((1, 1), (1, 1), (int(edges[2]), int(edges[0])))
    return None


def _adaptive_kernel(before: int, after: int) -> int:
    return before // after if before % after == 0 else math.ceil(before / after) + 1


def _enlarge(field: Field, factor: Sequence[float], low: Sequence[float], high: Sequence[float]) -> Field:
    """The field after a map was enlarged: unit o draws on units o / factor + low to o / factor + high.

    Which of them depends on the remainder of o; the box here holds all cases.
    """
    jump = field.jump
    return Field(
        jump=(jump[0] / factor[0], jump[1] / factor[1]),
        size=(field.size[0] + (high[0] - low[0]) * jump[0], field.size[1] + (high[1] - low[1]) * jump[1]),
        start=(field.start[0] + low[0] * jump[0], field.start[1] + low[1] * jump[1]),
    )


def _merge(known: list[tuple[Tensor, Field]], output: Tensor) -> Field:
    """The field of an operation that mixes its inputs position by position, or that gives up positions altogether."""
    beside: list[Field] = []
    behind: list[Field] = []
    for tensor, field in known:
        # More than four dimensions: maps with an axis put in, as local response normalisation does.
        if min(tensor.dim(), output.dim()) >= 4 and tensor.shape[-2:] == output.shape[-2:]:
            beside.append(field)
        elif tensor.dim() < 4 or (output.dim() >= 4 and tuple(tensor.shape[-2:]) == (1, 1)):
            behind.append(field)  # flattened or averaged before: it has the whole map's field already
        else:
            behind.append(field.whole(tensor.shape[-2:]))
    fields = beside + behind  # the jump is that of a map of the output's size, where there is one
    joined = fields[0]
    for field in fields[1:]:
        joined = joined.join(field)
    return joined


def _multiply_adds(name: str, args: Sequence[Any], output: Tensor) -> int:
    """Multiply-adds of one operation on one picture (the batch is 1)."""
    if name in ("convolution", "_convolution"):
        source, weight, transposed = args[0], args[1], args[6]
        # A transposed convolution spreads each input unit; a convolution gathers for each output unit.
        positions = math.prod(source.shape[2:]) if transposed else math.prod(output.shape[2:])
        return math.prod(weight.shape) * positions
    if name == "addmm":
        return args[1].shape[0] * args[1].shape[1] * args[2].shape[1]
    if name in ("mm", "bmm"):
        return math.prod(args[0].shape) * args[1].shape[-1]
    if "scaled_dot_product" in name:
        query, key, value = args[0], args[1], args[2]
        rows = math.prod(query.shape[:-1])
        return rows * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    return 0


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Runs the body in evaluation mode and gives every submodule its own mode back, also after an error."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _meta_state(module: nn.Module) -> dict[str, Tensor]:
    """Stand-ins on the meta device for all parameters and buffers, so that nothing is computed or copied."""
    state = dict(module.named_parameters()) | dict(module.named_buffers())
    return {name: torch.empty_like(tensor, device="meta") for name, tensor in state.items()}


def _run(tracer: _Tracer, module: nn.Module, input_shape: Sequence[int], *, meta: bool = True) -> Any:
    """One forward of `module` on a picture of shape (1, *input_shape) under `tracer`; returns the output.

    `meta` False runs the module's own parameters instead of stand-ins: the meta device pulls in a part of PyTorch that
    takes seconds to import, which nobody who only reads a photo should wait for.
    """
    device = torch.device("meta") if meta else next(module.parameters()).device
    fastpath = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fused encoder would hide its matrix products
    try:
        with torch.inference_mode(), evaluating(module):
            picture = torch.zeros((1, *input_shape), device=device)
            tracer.mark(picture, Field())
            state = _meta_state(module) if meta else {}
            with tracer:
                return torch.func.functional_call(module, state, (picture,))
    finally:
        torch.backends.mha.set_fastpath_enabled(fastpath)


def output_fields(
    module: nn.Module, input_shape: Sequence[int], *, meta: bool = True
) -> list[tuple[tuple[int, ...], Field]]:
    """Shape and field of each tensor that `module` returns for a picture of `input_shape` (channels, height, width).

    The shapes leave out the batch dimension. With `meta` the network runs without numbers, at any size for nothing;
    without it the picture is computed, which is quicker for a tiny one (no part of PyTorch to import).
    """
    tracer = _Tracer()
    outputs = list(_tensors(_run(tracer, module, input_shape, meta=meta)))
    result = []
    for tensor in outputs:
        field = tracer.field(tensor)
        if field is None:
            raise ConfigError("an output of the network does not depend on its input: no receptive field")
        result.append((tuple(int(n) for n in tensor.shape[1:]), field))
    return result


def smallest_input(module: nn.Module, channels: int, *, limit: int = 512) -> int | None:
    """Side in pixels of the smallest square picture that `module` takes in evaluation mode; None if above `limit`."""

    def runs(side: int) -> bool:
        try:
            _run(_Tracer(), module, (channels, side, side))
        except (RuntimeError, ConfigError):
            return False
        return True

    low, high = 1, limit
    if not runs(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if runs(middle) else (middle + 1, high)
    return low


def _run_or_explain(tracer: _Tracer, module: nn.Module, input_shape: Sequence[int]) -> Any:
    """`_run`, with PyTorch's complaint about vanishing maps turned into the smallest size that works."""
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ConfigError(f"input must be (channels, height, width), each at least 1, not {tuple(input_shape)}")
    try:
        return _run(tracer, module, input_shape)
    except RuntimeError as error:
        smallest = smallest_input(module, input_shape[0])
        height, width = input_shape[1:]
        if smallest is not None and min(height, width) < smallest:
            raise ConfigError(
                f"input {height}x{width} is too small for this network: the smallest is {smallest}x{smallest}"
            ) from error
        first_line = str(error).splitlines()[0]
        raise ConfigError(f"the network does not run on input {tuple(input_shape)}: {first_line}") from error


def layer_table(
    module: nn.Module, input_shape: Sequence[int], *, keep: Callable[[nn.Module], bool] | None = None
) -> list[LayerRow]:
    """One row for each layer of `module` that runs, in the order of running.

    Args:
        module: any network; it runs once in evaluation mode on the meta device and is left as it was.
        input_shape: (channels, height, width), pixels.
        keep: which modules get a row; by default all without submodules.

    Raises:
        ConfigError: the picture is too small for the network, or has the wrong number of channels.
    """
    return _measure(module, input_shape, keep)[0]


def _measure(
    module: nn.Module, input_shape: Sequence[int], keep: Callable[[nn.Module], bool] | None = None
) -> tuple[list[LayerRow], int]:
    """The rows of `layer_table` and the depth of the output."""
    tracer = _Tracer()
    rows: list[LayerRow] = []
    began: list[int] = []
    counted: set[int] = set()
    names = {id(part): name for name, part in module.named_modules()}

    def before(part: nn.Module, inputs: Any) -> None:
        began.append(tracer.multiply_adds)

    def after(part: nn.Module, inputs: Any, output: Any) -> None:
        spent = tracer.multiply_adds - began.pop()
        source, tensor = next(_tensors(inputs)), next(_tensors(output))
        rows.append(_row(names[id(part)], part, source, tensor, tracer.field(tensor), spent, counted))

    handles = []
    try:
        for part in module.modules():
            if keep(part) if keep is not None else not list(part.children()):
                handles += [part.register_forward_pre_hook(before), part.register_forward_hook(after)]
        outputs = list(_tensors(_run_or_explain(tracer, module, input_shape)))
    finally:
        for handle in handles:
            handle.remove()
    return rows, max((tracer.depth(tensor) for tensor in outputs), default=0)


def _row(
    name: str, part: nn.Module, source: Tensor, output: Tensor, field: Field | None, spent: int, counted: set[int]
) -> LayerRow:
    weights = biases = 0
    for label, parameter in part.named_parameters():
        if "bias" in label.split(".")[-1]:
            biases += parameter.numel()
        else:
            weights += parameter.numel()
    if id(part) in counted:
        weights = biases = 0
    counted.add(id(part))
    has_window = hasattr(part, "kernel_size") and hasattr(part, "stride")
    padding = getattr(part, "padding", None)
    return LayerRow(
        name=name,
        kind=type(part).__name__,
        kernel=_pair(part.kernel_size) if has_window else None,
        stride=_pair(part.stride) if has_window else None,
        padding=_pair(padding) if has_window and not isinstance(padding, str | None) else None,
        dilation=_pair(getattr(part, "dilation", 1)) if has_window else None,
        groups=int(getattr(part, "groups", 1)) if isinstance(part, nn.Conv2d | nn.ConvTranspose2d) else None,
        input_shape=tuple(int(n) for n in source.shape[1:]),
        output_shape=tuple(int(n) for n in output.shape[1:]),
        weights=weights,
        biases=biases,
        multiply_adds=spent,
        receptive_field=None if field is None else (math.ceil(field.size[0]), math.ceil(field.size[1])),
        jump=None if field is None else field.jump,
        start=None if field is None else field.start,
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """A network in one line, measured for a picture of `input_shape` (channels, height, width).

    Attributes:
        depth: layers with weights on the longest way through; pools and norms do not count (the papers' count).
        convolution_parameters, fully_connected_parameters: weights and biases of the layers that run at inference.
        other_parameters: of batch norms and the like, at inference.
        training_parameters: of parts that run in training only (GoogLeNet's auxiliary heads).
        multiply_adds: of one picture at inference.
        receptive_field: pixels that one unit of the last convolution or pool sees, (vertical, horizontal); pooling of
            the whole map and fully connected layers, which see everything, are left out.
    """

    input_shape: tuple[int, ...]
    depth: int
    convolution_parameters: int
    fully_connected_parameters: int
    other_parameters: int
    training_parameters: int
    multiply_adds: int
    receptive_field: tuple[int, int]

    @property
    def parameters(self) -> int:
        """All that run at inference."""
        return self.convolution_parameters + self.fully_connected_parameters + self.other_parameters


def summarise(module: nn.Module, input_shape: Sequence[int]) -> Summary:
    """Counts `module` on a picture of `input_shape` (channels, height, width). Raises like `layer_table`."""
    return measure(module, input_shape)[1]


def measure(module: nn.Module, input_shape: Sequence[int]) -> tuple[list[LayerRow], Summary]:
    """`layer_table` and `summarise` from one run. Raises like `layer_table`."""
    rows, depth = _measure(module, input_shape)
    convolutions = sum(row.parameters for row in rows if row.kind.startswith("Conv"))
    connected = sum(row.parameters for row in rows if row.kind == "Linear")
    running = sum(row.parameters for row in rows)
    fields = [row.receptive_field for row in rows if row.kernel is not None and row.receptive_field is not None]
    summary = Summary(
        input_shape=tuple(input_shape),
        depth=depth,
        convolution_parameters=convolutions,
        fully_connected_parameters=connected,
        other_parameters=running - convolutions - connected,
        training_parameters=sum(parameter.numel() for parameter in module.parameters()) - running,
        multiply_adds=sum(row.multiply_adds for row in rows),
        receptive_field=(max((f[0] for f in fields), default=1), max((f[1] for f in fields), default=1)),
    )
    return rows, summary
