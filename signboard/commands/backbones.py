"""`signboard backbones`: the architectures in one table, or one of them layer by layer, counted on the real modules."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signboard.errors import ConfigError, SignboardError

if TYPE_CHECKING:
    from torch import nn

    from signboard.backbones.arithmetic import LayerRow, Summary

app = typer.Typer(help="List the CNN architectures and count their layers.", no_args_is_help=False)

# Layers that neither move a window nor carry weights nor change the shape are left out of the text table.
_QUIET = {"ReLU", "Dropout", "Identity"}

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Csv = Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")]


def _fail(error: Exception) -> typer.Exit:
    typer.echo(f"signboard backbones: {error}", err=True)
    return typer.Exit(2)


@app.callback(invoke_without_command=True)
def list_backbones(context: typer.Context, as_json: Json = False, as_csv: Csv = False) -> None:
    """List the architectures in the papers' forms: depth, parameters, multiply-adds, receptive field, errors."""
    if context.invoked_subcommand is not None:
        return
    try:
        _one_format(as_json, as_csv)
        entries = [_list_entry(name) for name in _listed_names()]
    except SignboardError as error:
        raise _fail(error) from error
    if as_json:
        typer.echo(json.dumps(entries, indent=2))
    elif as_csv:
        typer.echo(_csv(entries), nl=False)
    else:
        typer.echo(_list_text(entries))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Architecture, e.g. alexnet, zfnet, vgg16, googlenet, resnet50.")],
    size: Annotated[
        str | None,
        typer.Option("--input", help="Picture size: one side, or HEIGHTxWIDTH. The network's own by default."),
    ] = None,
    form: Annotated[
        str,
        typer.Option(help="paper, course, torchvision, narrow; or features, text: the backbones of the two stages."),
    ] = "paper",
    width: Annotated[float | None, typer.Option(help="Width factor of narrow, features and text.")] = None,
    classes: Annotated[int, typer.Option(help="Classes of a classifier.")] = 1000,
    every: Annotated[bool, typer.Option("--all", help="Also activations, dropout and identities.")] = False,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Print an architecture layer by layer: kernel, stride, padding, shape, parameters, multiply-adds, field, jump."""
    from signboard.backbones.arithmetic import measure

    try:
        _one_format(as_json, as_csv)
        model, own_size = _build(name, form, width, classes)
        shape = (3, *(_parse_size(size) if size is not None else own_size))
        rows, summary = measure(model, shape)
    except SignboardError as error:
        raise _fail(error) from error
    rows = [row for row in rows if every or row.kind not in _QUIET]
    if as_json:
        document = {
            "name": name,
            "form": form,
            "summary": _summary_entry(summary),
            "layers": [_layer_entry(row) for row in rows],
        }
        typer.echo(json.dumps(document, indent=2))
    elif as_csv:
        typer.echo(_csv([_layer_entry(row) for row in rows]), nl=False)
    else:
        typer.echo(_layers_text(name, form, rows, summary))


def _one_format(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise ConfigError("give --json or --csv, not both")


def _listed_names() -> list[str]:
    from signboard.backbones.published import PUBLISHED

    return list(PUBLISHED)


def _parse_size(text: str) -> tuple[int, int]:
    """ "227" or "48x320" as (height, width) in pixels."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise ConfigError(f"--input {text!r} is no size: give one side (227) or HEIGHTxWIDTH (48x320), in pixels")
    return int(sides[0]), int(sides[-1])


def _build(name: str, form: str, width: float | None, classes: int) -> tuple[nn.Module, tuple[int, int]]:
    """The network on the meta device (no memory for numbers), and the (height, width) it was made for."""
    import torch

    from signboard.backbones import build_backbone
    from signboard.backbones.classifier import CLASSIFIERS, build_classifier

    with torch.device("meta"):
        if form in ("features", "text"):
            backbone = build_backbone(name, width=1.0 if width is None else width, text=form == "text")
            return backbone, (32, 128) if form == "text" else (640, 640)
        if name in CLASSIFIERS and form not in CLASSIFIERS[name]:
            raise ConfigError(f"{name} has no form {form!r}; there are: {', '.join(CLASSIFIERS[name])}, features, text")
        model = build_classifier(name, classes, form=form, width=width)
        return model, (model.input_size, model.input_size)


def _list_entry(name: str) -> dict[str, Any]:
    """One architecture of the list, at the paper's size."""
    from signboard.backbones.arithmetic import summarise
    from signboard.backbones.classifier import CLASSIFIERS
    from signboard.backbones.published import PUBLISHED

    model, size = _build(name, "paper", None, 1000)
    figures = PUBLISHED[name]
    return {
        "name": name,
        **_summary_entry(summarise(model, (3, *size))),
        "top1_error": figures.top1,
        "top5_error": figures.top5,
        "crops": figures.crops,
        "source": figures.source,
        "forms": list(CLASSIFIERS[name]),
    }


def _summary_entry(summary: Summary) -> dict[str, Any]:
    return {
        "input": list(summary.input_shape),
        "layers_with_weights": summary.depth,
        "convolution_parameters": summary.convolution_parameters,
        "fully_connected_parameters": summary.fully_connected_parameters,
        "other_parameters": summary.other_parameters,
        "parameters": summary.parameters,
        "training_only_parameters": summary.training_parameters,
        "multiply_adds": summary.multiply_adds,
        "receptive_field": list(summary.receptive_field),
    }


def _layer_entry(row: LayerRow) -> dict[str, Any]:
    """A layer as plain values; pairs are (vertical, horizontal) lists."""
    from dataclasses import fields

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [int(item) if item == int(item) else item for item in value]
        return value

    entry = {field.name: plain(getattr(row, field.name)) for field in fields(row)}
    return entry | {"parameters": row.parameters, "dense_weights": row.dense_weights}


def _csv(entries: list[dict[str, Any]]) -> str:
    """Comma-separated values; lists are joined by "x", e.g. 96x55x55."""

    def plain(value: Any) -> Any:
        return "x".join(str(item) for item in value) if isinstance(value, list) else value

    sink = io.StringIO()
    writer = csv.DictWriter(sink, fieldnames=list(entries[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: plain(value) for key, value in entry.items()} for entry in entries)
    return sink.getvalue()


def _pair_text(pair: tuple[float, ...] | None) -> str:
    """(3, 3) as "3", (2, 1) as "2x1", None as "-"."""
    if pair is None:
        return "-"
    texts = [f"{value:g}" for value in pair]
    return texts[0] if len(set(texts)) == 1 else "x".join(texts)


def _table(header: list[str], rows: list[list[str]], left: int) -> list[str]:
    """Aligned lines; the first `left` columns are flush left, the others flush right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: list[str]) -> str:
        parts = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(parts).rstrip()

    return [line(header), "  ".join("-" * width for width in widths), *(line(row) for row in rows)]


def _list_text(entries: list[dict[str, Any]]) -> str:
    header = ["name", "input", "layers", "conv params", "fc params", "multiply-adds", "field", "top-1", "top-5"]
    rows = [
        [
            entry["name"],
            "x".join(str(side) for side in entry["input"][1:]),
            str(entry["layers_with_weights"]),
            f"{entry['convolution_parameters']:,}",
            f"{entry['fully_connected_parameters']:,}",
            f"{entry['multiply_adds']:,}",
            _pair_text(tuple(entry["receptive_field"])),
            "-" if entry["top1_error"] is None else f"{entry['top1_error']:.2f}",
            "-" if entry["top5_error"] is None else f"{entry['top5_error']:.2f}",
        ]
        for entry in entries
    ]
    lines = _table(header, rows, left=2)
    lines += [
        "",
        "layers: with weights, on the longest way through. field: pixels that one unit of the last map sees.",
        "top-1, top-5: published errors in % on ILSVRC-2012 validation, one network; the sources test differently:",
    ]
    lines += [f"  {entry['name']}: {entry['crops']}; {entry['source']}" for entry in entries]
    lines += ["Forms of each (signboard backbones show NAME --form FORM):"]
    lines += [f"  {entry['name']}: {', '.join(entry['forms'])}, features, text" for entry in entries]
    return "\n".join(lines)


def _layers_text(name: str, form: str, rows: list[LayerRow], summary: Summary) -> str:
    header = [
        "layer",
        "kind",
        "kernel",
        "stride",
        "pad",
        "output",
        "weights",
        "biases",
        "multiply-adds",
        "field",
        "jump",
    ]
    body = [
        [
            row.name,
            row.kind if row.groups in (None, 1) else f"{row.kind}, {row.groups} groups",
            _pair_text(row.kernel),
            _pair_text(row.stride),
            _pair_text(row.padding),
            "x".join(str(side) for side in row.output_shape),
            f"{row.weights:,}",
            f"{row.biases:,}",
            f"{row.multiply_adds:,}",
            _pair_text(row.receptive_field),
            _pair_text(row.jump),
        ]
        for row in rows
    ]
    lines = [f"{name}, form {form}, input {'x'.join(str(side) for side in summary.input_shape)}", ""]
    lines += _table(header, body, left=2)
    lines += [
        "",
        f"layers with weights  {summary.depth}",
        f"parameters           {summary.parameters:,}: convolutions {summary.convolution_parameters:,}, "
        f"fully connected {summary.fully_connected_parameters:,}, other {summary.other_parameters:,}",
    ]
    if summary.training_parameters:
        lines.append(f"in training only     {summary.training_parameters:,}")
    lines += [
        f"multiply-adds        {summary.multiply_adds:,}",
        f"receptive field      {_pair_text(summary.receptive_field)} px",
    ]
    return "\n".join(lines)
