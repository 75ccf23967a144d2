"""LPIPS (Zhang et al. 2018), version 0.1 on AlexNet, where the package lpips and AlexNet's weights can be had.

lpips brings its own few weights; torchvision fetches AlexNet's (244 MB) at the first use and keeps them in torch's
cache, so on a machine without the network they must lie there beforehand.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import UInt8

Distance = Callable[[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"]], float]


def load_lpips() -> Distance | str:
    """Return the distance of two 8-bit sRGB pictures of one size, or why there is none."""
    missing = [name for name in ("lpips", "torchvision") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    import lpips

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's own, about its arguments
            network = lpips.LPIPS(net="alex", verbose=False).eval()
    except OSError:  # urllib's URLError is one
        return "AlexNet's weights cannot be fetched"

    def distance(one: UInt8[np.ndarray, "H W 3"], other: UInt8[np.ndarray, "H W 3"]) -> float:
        with torch.no_grad():
            return float(network(to_lpips(one), to_lpips(other)))

    return distance


def to_lpips(picture: UInt8[np.ndarray, "H W 3"]) -> torch.Tensor:
    """Return a picture as LPIPS wants it: (1, 3, H, W), -1 to 1."""
    return torch.from_numpy(picture.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
