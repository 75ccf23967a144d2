"""MediaPipe's embedded models, started once, quietly, and called on square pictures.

Every model is one of those inside the mediapipe 0.10.21 wheel; nothing is downloaded.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

MESH_MIN_CONFIDENCE = 0.5
BOX_MIN_CONFIDENCE = 0.35

_stderr = threading.Lock()
"""Two threads that silence standard error at once would leave it silent."""


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send file descriptor 2 to the null device: MediaPipe's C++ side logs there before any log level applies."""
    with _stderr:
        sys.stderr.flush()
        saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(null)


@contextmanager
def _without_plots() -> Iterator[None]:
    """Spare MediaPipe's import matplotlib's, which takes a second: only its plots of landmarks use it."""
    missing = [name for name in ("matplotlib", "matplotlib.pyplot") if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def _started(create: Callable[[Any], Any]) -> Any:
    """Build a MediaPipe solution; the import waits until here because it takes a third of a second.

    The first picture makes sure that the graph's threads have started, and logged, before standard error is back.
    """
    with silenced_stderr():
        with _without_plots():
            import mediapipe

        solution = create(mediapipe.solutions)
        solution.process(np.zeros((256, 256, 3), np.uint8))
    return solution


def _process(model: Any, rgb: UInt8[np.ndarray, "S S 3"]) -> Any:
    with silenced_stderr():
        return model.process(np.ascontiguousarray(rgb))


@lru_cache(maxsize=2)
def _mesh_model(_number: int = 0) -> Any:
    """Return one of the models, all alike: one model works on one picture at a time."""
    return _started(
        lambda mp: mp.face_mesh.FaceMesh(
            static_image_mode=True,
            max_num_faces=1,
            refine_landmarks=True,
            min_detection_confidence=MESH_MIN_CONFIDENCE,
        )
    )


@lru_cache(maxsize=2)
def _box_model(model_selection: int) -> Any:
    return _started(
        lambda mp: mp.face_detection.FaceDetection(
            model_selection=model_selection, min_detection_confidence=BOX_MIN_CONFIDENCE
        )
    )


@lru_cache(maxsize=1)
def _selfie_model() -> Any:
    return _started(lambda mp: mp.selfie_segmentation.SelfieSegmentation(model_selection=0))


@lru_cache(maxsize=1)
def _pose_model() -> Any:
    return _started(
        lambda mp: mp.pose.Pose(
            static_image_mode=True, model_complexity=1, enable_segmentation=True, min_detection_confidence=0.3
        )
    )


def detect_mesh(rgb: UInt8[np.ndarray, "S S 3"]) -> Float[np.ndarray, "478 3"] | None:
    """Find one face's 478 landmarks in a square picture: x and y in its pixels, z (away) likewise; None without one."""
    return _mesh(_process(_mesh_model(), rgb), rgb.shape[0])


def detect_two_meshes(
    first: UInt8[np.ndarray, "S S 3"], second: UInt8[np.ndarray, "S S 3"]
) -> tuple[Float[np.ndarray, "478 3"] | None, Float[np.ndarray, "478 3"] | None]:
    """Do what `detect_mesh` does for two pictures at once, on two cores."""
    models = _mesh_model(0), _mesh_model(1)
    with silenced_stderr():
        other = _helper(os.getpid()).submit(models[1].process, np.ascontiguousarray(second))
        found = models[0].process(np.ascontiguousarray(first)), other.result()
    return _mesh(found[0], first.shape[0]), _mesh(found[1], second.shape[0])


@lru_cache(maxsize=1)
def _helper(_process: int) -> ThreadPoolExecutor:
    """Return one more thread; keyed by the process, for threads do not survive a fork."""
    return ThreadPoolExecutor(1, thread_name_prefix="likeness-mesh")


def _mesh(result: Any, side: int) -> Float[np.ndarray, "478 3"] | None:
    if not result.multi_face_landmarks:
        return None
    return np.array([(point.x, point.y, point.z) for point in result.multi_face_landmarks[0].landmark]) * side


def detect_boxes(rgb: UInt8[np.ndarray, "S S 3"], *, full_range: bool) -> Float[np.ndarray, "N 5"]:
    """Find faces in a square picture: left, top, width, height in its pixels, and the score."""
    found = _process(_box_model(int(full_range)), rgb).detections or []
    rows = [
        (box.xmin, box.ymin, box.width, box.height, detection.score[0] / rgb.shape[0])
        for detection in found
        for box in [detection.location_data.relative_bounding_box]
    ]
    return np.array(rows).reshape(-1, 5) * rgb.shape[0]


def segment_selfie(rgb: UInt8[np.ndarray, "S S 3"]) -> Float[np.ndarray, "S S"]:
    """Estimate how likely each pixel is a person (MediaPipe selfie segmentation, 256² inside)."""
    return np.asarray(_process(_selfie_model(), rgb).segmentation_mask, np.float32)


def segment_pose(rgb: UInt8[np.ndarray, "S S 3"]) -> Float[np.ndarray, "S S"] | None:
    """Estimate how likely each pixel is the main person (MediaPipe Pose's mask); None where it sees no body."""
    mask = _process(_pose_model(), rgb).segmentation_mask
    return None if mask is None else np.asarray(mask, np.float32)
