"""A pretend CUDA device: tensors that say `cuda:0`, compute on the processor, and log what a GPU would be asked to do.

It finds tensors of two devices in one operation, casts, copies that wait, and the shapes that networks meet. It says
nothing of speed, and computes in float32 what the processor has no half precision for.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("cuda:0")


@dataclass
class Log:
    """What was asked of the device, in order: (thread, stream, what, detail).

    `what` is an operation's name, or "H2D" and "D2H" for copies, "RECORD" and "WAIT" for events, "SYNC" for whatever
    else makes the processor wait. `copies` has (what, type, number of values) of the copies, `forwards` (name, input
    shape, begin, end) of the passes of watched networks, begin and end as places in `calls`.
    """

    calls: list[tuple[str, int, str, Any]] = field(default_factory=list)
    copies: list[tuple[str, torch.dtype, int]] = field(default_factory=list)
    forwards: list[tuple[str, tuple[int, ...], int, int]] = field(default_factory=list)

    def add(self, what: str, detail: Any = None) -> None:
        self.calls.append((threading.current_thread().name, _stream(), what, detail))

    def add_copy(self, what: str, tensor: torch.Tensor, waits: bool) -> None:
        self.add(what, "waits" if waits else "goes on")
        self.copies.append((what, tensor.dtype, tensor.numel()))

    def count(self, what: str) -> int:
        """How often something was asked."""
        return sum(call[2] == what for call in self.calls)

    def within_forwards(self) -> Iterator[tuple[str, int, str, Any]]:
        """The calls of the watched networks' passes."""
        for _, _, begin, end in self.forwards:
            yield from self.calls[begin:end]


LOG = Log()
_local = threading.local()


def _stream() -> int:
    return getattr(_local, "stream", 0)


class Fake(torch.Tensor):
    """A tensor that says it is on the GPU."""

    @staticmethod
    def __new__(cls, real: torch.Tensor) -> Fake:
        with torch.inference_mode(False):
            fake = torch.Tensor._make_wrapper_subclass(
                cls, real.shape, strides=real.stride(), dtype=real.dtype, device=DEVICE
            )
        fake.real_ = real
        return fake  # type: ignore[no-any-return]

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})

    def __repr__(self, **_: Any) -> str:
        return f"Fake({self.real_!r})"

    def __getitem__(self, index: Any) -> Fake:
        # A list, or an array, of indices is copied to the device first, and the processor waits for that.
        indices = index if isinstance(index, tuple) else (index,)
        lists = [i for i in indices if isinstance(i, list) or (hasattr(i, "__array__") and not isinstance(i, Fake))]
        LOG.add("SYNC" if lists else "index", tuple(self.shape))
        return Fake(self.real_[tree_map(_real, index)])

    def contiguous(self, **options: Any) -> Fake:  # type: ignore[override]
        LOG.add("contiguous", tuple(self.shape))
        return Fake(self.real_.contiguous(**options))

    def item(self) -> Any:
        LOG.add("SYNC", "item")
        return self.real_.item()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __bool__(self) -> bool:
        return bool(self.item())

    def tolist(self) -> Any:
        LOG.add("SYNC", "tolist")
        return self.real_.tolist()

    def numpy(self, **_: Any) -> Any:
        raise TypeError("a tensor on the GPU has no array")

    def copy_(self, source: torch.Tensor, non_blocking: bool = False) -> Fake:
        if not isinstance(source, Fake):
            LOG.add_copy("H2D", source, not non_blocking)
        self.real_.copy_(_real(source))
        return self

    def record_stream(self, stream: Any) -> None:
        LOG.add("record_stream", stream.number)

    def __deepcopy__(self, memo: Any) -> Fake:
        copy = Fake(self.real_.detach().clone())
        return torch.nn.Parameter(copy, self.requires_grad) if getattr(self, "_is_param", False) else copy


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


def _real(value: Any) -> Any:
    return value.real_ if isinstance(value, Fake) else value


def _on_cuda(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    if function._schema.name in ("aten::to", "aten::type_as"):
        with _Mode():  # in inference mode these arrive whole, and what they do, a copy or a cast, would stay unseen
            return function.decompose(*args, **kwargs)
    name = function._schema.name.removeprefix("aten::")
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    fakes = [t for t in tensors if isinstance(t, Fake)]
    copies = name in ("copy_", "_to_copy")
    if fakes and not copies and any(not isinstance(t, Fake) and t.dim() > 0 for t in tensors):
        raise RuntimeError(f"{name}: tensors on cuda:0 and on the processor in one operation")
    device = kwargs.get("device")
    wrapped = bool(fakes) if device is None else _on_cuda(device)
    kwargs = {key: value for key, value in kwargs.items() if key not in ("device", "pin_memory")}
    if name == "copy_":
        target, source = args[0], args[1]
        wrapped = isinstance(target, Fake)
        if wrapped != isinstance(source, Fake):
            waits = not (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
            LOG.add_copy("H2D" if wrapped else "D2H", source, waits)
        _real(target).copy_(_real(source))
        return target
    if name == "_to_copy" and fakes and not wrapped:
        LOG.add_copy("D2H", fakes[0], True)
        kwargs.pop("non_blocking", None)
    elif name == "_to_copy" and not fakes and wrapped:
        LOG.add_copy("H2D", tensors[0], not kwargs.pop("non_blocking", False))
    elif name == "_to_copy" and fakes and kwargs.get("dtype") not in (None, fakes[0].dtype):
        LOG.add("CAST", (fakes[0].dtype, kwargs["dtype"]))
    elif fakes and name in ("_local_scalar_dense", "nonzero", "equal", "is_nonzero"):
        LOG.add("SYNC", name)
        wrapped = name == "nonzero"
    elif fakes:
        LOG.add(name, tuple(fakes[0].shape))
    if name == "_fused_sdp_choice":
        return 0  # the plain form, which every device has
    dtypes = {t.dtype for t in fakes if t.is_floating_point()}
    if name in ("convolution", "addmm", "mm", "bmm", "linear") and len(dtypes) > 1:
        raise RuntimeError(f"{name}: of two types, {dtypes}")
    real_args, real_kwargs = tree_map(_real, (args, kwargs))
    try:
        result = function(*real_args, **real_kwargs)
    except RuntimeError as error:
        if torch.float16 not in dtypes or "Half" not in str(error):
            raise
        float_args, float_kwargs = tree_map(_floats, (real_args, real_kwargs))
        result = tree_map(_halves, function(*float_args, **float_kwargs))
    if function._schema.is_mutable and args and isinstance(args[0], Fake):
        return args[0]
    return tree_map(lambda r: Fake(r) if isinstance(r, torch.Tensor) and wrapped else r, result)


def _floats(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) and value.dtype == torch.float16 else value


def _halves(value: Any) -> Any:
    return value.half() if isinstance(value, torch.Tensor) and value.dtype == torch.float32 else value


class _Stream:
    numbers = iter(range(1, 1_000_000))

    def __init__(self, *_: Any, number: int | None = None) -> None:
        self.number = next(self.numbers) if number is None else number

    def wait_event(self, event: _Event) -> None:
        assert event.recorded
        LOG.add("wait_event", event.number)


class _Event:
    """Notes where it was recorded, and that somebody waits for it."""

    numbers = iter(range(1, 1_000_000))

    def __init__(self, **_: Any) -> None:
        self.number = next(self.numbers)
        self.recorded = False

    def record(self, stream: Any = None) -> None:
        assert stream is not None, "recorded on the current device's stream, and the device in use may be another"
        self.recorded = True
        LOG.add("RECORD", self.number)

    def synchronize(self) -> None:
        LOG.add("WAIT", self.number)


def _current_stream(device: Any = None) -> _Stream:
    assert device is not None, "asked for the current device's stream, and the device in use may be another"
    return _Stream(number=_stream())


@contextlib.contextmanager
def pretend_cuda(patch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A machine with one GPU, in this thread and in those that `in_every_thread` wraps."""
    LOG.calls.clear()
    LOG.copies.clear()
    LOG.forwards.clear()
    patch.setattr(torch.cuda, "is_available", lambda: True)
    patch.setattr(torch.cuda, "device_count", lambda: 1)
    patch.setattr(torch.cuda, "_lazy_init", lambda: None)
    patch.setattr(torch.cuda, "empty_cache", lambda: None)
    patch.setattr(torch.cuda, "Stream", _Stream)
    patch.setattr(torch.cuda, "set_stream", lambda stream: setattr(_local, "stream", stream.number))
    patch.setattr(torch.cuda, "current_stream", _current_stream)
    patch.setattr(torch.cuda, "Event", _Event)
    tensor = torch.tensor

    def made(*args: Any, device: Any = None, **options: Any) -> torch.Tensor:
        result = tensor(*args, **options)
        return result if device is None else result.to(device)

    def joined(join: Any) -> Any:
        def together(tensors: Sequence[torch.Tensor], *args: Any, **options: Any) -> torch.Tensor:
            if not any(isinstance(t, Fake) for t in tensors):
                return join(tensors, *args, **options)  # type: ignore[no-any-return]
            if not all(isinstance(t, Fake) for t in tensors):
                raise RuntimeError("tensors on cuda:0 and on the processor in one operation")
            LOG.add("cat", tuple(tensors[0].shape))
            return Fake(join([_real(t) for t in tensors], *args, **options))

        return together

    # These ask the driver before any operation.
    patch.setattr(torch, "tensor", made)
    patch.setattr(torch, "cat", joined(torch.cat))
    patch.setattr(torch, "stack", joined(torch.stack))
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    start = threading.Thread.run

    def run_in_mode(thread: threading.Thread) -> None:
        with _Mode(), torch.no_grad():
            start(thread)

    patch.setattr(threading.Thread, "run", run_in_mode)
    try:
        with _Mode(), torch.no_grad():  # gradients would ask the driver
            yield LOG
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def watch(network: torch.nn.Module, name: str) -> None:
    """Notes the passes of `network` in `Log.forwards`."""
    begins: list[tuple[tuple[int, ...], int]] = []

    def before(module: Any, args: Sequence[Any]) -> None:
        begins.append((tuple(args[0].shape), len(LOG.calls)))

    def after(module: Any, args: Sequence[Any], result: Any) -> None:
        shape, begin = begins.pop()
        LOG.forwards.append((name, shape, begin, len(LOG.calls)))

    network.register_forward_pre_hook(before)
    network.register_forward_hook(after)


__all__ = ["DEVICE", "LOG", "Fake", "Log", "pretend_cuda", "watch"]
