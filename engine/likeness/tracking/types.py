"""What a fit of the head to a picture consists of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from likeness.geometry.cameras import Camera


@dataclass(frozen=True)
class HeadFit:
    """A head model fitted to one portrait. Joints stay at rest: the head's pose is the camera's."""

    camera: Camera
    """Of the working square (S x S)."""
    betas: Float[np.ndarray, "S"]
    controls: Float[np.ndarray, "E"]
    """Expression in the rig's controls (52 ARKit shapes on Open Head), 0..1."""
    offsets: Float[np.ndarray, "V 3"]
    """Personal offsets on the neutral head, metres, head space."""
    v_neutral: Float[np.ndarray, "V 3"]
    """v_template + shapedirs @ betas + offsets."""
    v_portrait: Float[np.ndarray, "V 3"]
    """The same with the portrait's expression: v_neutral + shapes @ controls."""
    landmark_error: float
    """Mean distance of the fitted landmarks to the detected ones after offsets, in interocular distances."""
