"""What starting MediaPipe and drawing pictures leave out: imports that take seconds and that nothing here needs."""

import subprocess
import sys

SCRIPT = """
import sys
import numpy as np
from likeness.portrait.detectors import segment_selfie
assert segment_selfie(np.zeros((256, 256, 3), np.uint8)).shape == (256, 256)
assert not [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]
import matplotlib.pyplot
assert matplotlib.pyplot.figure
"""


def test_mediapipe_starts_without_matplotlib_and_leaves_it_to_others():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
