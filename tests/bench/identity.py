"""Identity similarity by a face-recognition embedding, where one is installed: `pip install 'likeness[bench]'`.

The embedding is dlib's (King 2017: dlib_face_recognition_resnet_model_v1, 128 numbers, 99.38 % on LFW, public domain)
of a face that MediaPipe found, aligned by five landmarks. dlib itself judges by the Euclidean distance, under 0.6
for the same person; the literature's CSIM is the cosine. dlib's embeddings lie in one corner of their space, where
strangers have a cosine of 0.83, so that the cosine alone calls everything alike. What is given here is
(cosine - 0.83) / (1 - 0.83): 0 for the average pair of strangers, 1 for the same picture.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from measures import GREY, SIZE, detect, face_of_portrait

from likeness.avatar.animate import DrivenAvatar, portrait_expression, render_avatar
from likeness.avatar.pictures import decode_png, over
from likeness.avatar.views import orbit_camera
from likeness.portrait.types import DetectedFace

STRANGERS = 0.83
"""Mean cosine of dlib's embeddings of two people, over the 91 pairs of 14 portraits."""
TURNED = 30.0
BOX = (-0.45, -0.40, 0.45, 0.50)
"""Left, top, right, bottom of the box that dlib's own detector would draw, about the middle of MediaPipe's landmarks,
in their larger extent: from the brows to the chin."""
MODELS = ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_5_face_landmarks.dat")

Embed = Callable[[UInt8[np.ndarray, "H W 3"], DetectedFace], Float[np.ndarray, "128"]]


@dataclass(frozen=True)
class Likenesses:
    """How much renders are the person of the photograph; NaN where no face was found."""

    front: float
    """Of the render at yaw 0 to the photograph."""
    turned: float
    """Mean of yaw 30 and -30."""

    @property
    def share(self) -> float:
        """What of the similarity is left when the head turns."""
        return self.turned / self.front


def load_embedding() -> Embed | None:
    """Return the embedding, or None where it is not installed."""
    models = _model_files()
    if models is None or importlib.util.find_spec("dlib") is None:
        return None
    import dlib

    recognizer, landmarks = dlib.face_recognition_model_v1(models[0]), dlib.shape_predictor(models[1])

    def embed(rgb: UInt8[np.ndarray, "H W 3"], face: DetectedFace) -> Float[np.ndarray, "128"]:
        rgb = np.ascontiguousarray(rgb[..., :3])
        return np.array(recognizer.compute_face_descriptor(rgb, landmarks(rgb, dlib.rectangle(*_box(face)))))

    return embed


def similarity(one: Float[np.ndarray, "128"], other: Float[np.ndarray, "128"]) -> float:
    """Return the cosine, rescaled so that strangers have 0 and the same picture 1."""
    cosine = float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
    return (cosine - STRANGERS) / (1 - STRANGERS)


def likenesses(driven: DrivenAvatar, embed: Embed) -> Likenesses:
    """Compare renders with the photograph's expression, over grey, with the photograph."""
    photo = decode_png(driven.avatar.portrait_png)
    face = face_of_portrait(driven.avatar, photo)
    if face is None:
        return Likenesses(float("nan"), float("nan"))
    wanted = embed(photo, face)
    front, *turned = (_similarity_from(driven, yaw, embed, wanted) for yaw in (0.0, TURNED, -TURNED))
    found = [value for value in turned if not np.isnan(value)]
    return Likenesses(front, float(np.mean(found)) if found else float("nan"))


def _similarity_from(driven: DrivenAvatar, yaw: float, embed: Embed, wanted: Float[np.ndarray, "128"]) -> float:
    camera = orbit_camera(driven.avatar, yaw, 0, SIZE, SIZE)
    picture = over(render_avatar(driven, camera, portrait_expression(driven.avatar)), GREY)
    faces = detect(picture)
    return similarity(wanted, embed(picture, faces[0])) if faces else float("nan")


def _box(face: DetectedFace) -> list[int]:
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    middle, extent = (low + high) / 2, float((high - low).max())
    return [round(float(middle[k % 2] + extent * BOX[k])) for k in range(4)]


def _model_files() -> list[str] | None:
    """Find the weights without importing their package, which asks for the removed pkg_resources."""
    found: Any = importlib.util.find_spec("face_recognition_models")
    if found is None or not found.submodule_search_locations:
        return None
    paths = [Path(found.submodule_search_locations[0]) / "models" / name for name in MODELS]
    return [str(path) for path in paths] if all(path.is_file() for path in paths) else None
