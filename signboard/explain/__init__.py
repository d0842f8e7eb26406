"""Looking inside: receptive fields, filters, what fires a neuron, what an output needs. Arrays first, then pictures."""

from __future__ import annotations

from signboard.explain.activations import Activations, strongest_patches
from signboard.explain.filters import Filters, best_patches, layer_filters
from signboard.explain.occlusion import Occlusion, occlude
from signboard.explain.receptive_field import ReceptiveFields, effective_fields, effective_side, receptive_fields
from signboard.explain.subject import Subject, classifier_subject, load_subject

__all__ = [
    "Activations",
    "Filters",
    "Occlusion",
    "ReceptiveFields",
    "Subject",
    "best_patches",
    "classifier_subject",
    "effective_fields",
    "effective_side",
    "layer_filters",
    "load_subject",
    "occlude",
    "receptive_fields",
    "strongest_patches",
]
