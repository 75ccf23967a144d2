"""An OpenEXR file's channels as arrays; run by the engine's Python: `python exr_channels.py IN.exr OUT.npz`."""

from __future__ import annotations

import sys

import numpy as np
import OpenEXR


def main(source: str, target: str) -> None:
    """Write all channels of all parts by their full names."""
    file = OpenEXR.File(source, separate_channels=True)
    np.savez(target, **{name: channel.pixels for part in file.parts for name, channel in part.channels.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
