"""Finding words: photos in, word polygons out."""

from __future__ import annotations

from signboard.detection.detector import Detections, Detector
from signboard.detection.network import DetectorConfig, DetectorNetwork

__all__ = ["Detections", "Detector", "DetectorConfig", "DetectorNetwork"]
