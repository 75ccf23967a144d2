"""Work is handed out once and whole, failures come back, and the surroundings are set up without overruling anyone."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from likeness.geometry.threads import configure_threads, parallel_for


def _count(begin: int, end: int, visits: np.ndarray) -> None:
    visits[begin:end] += 1


@given(count=st.integers(0, 200), chunk=st.integers(1, 70))
def test_every_index_is_visited_once(count, chunk):
    visits = np.zeros(count, int)
    parallel_for(_count, count, chunk, visits)
    assert (visits == 1).all()


def test_a_failing_kernel_fails_the_call():
    def kernel(begin: int, end: int) -> None:
        if begin == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        parallel_for(kernel, 5, 1)


def _count_in_a_child() -> None:
    visits = np.zeros(100, int)
    parallel_for(_count, 100, 10, visits)
    os._exit(0 if (visits == 1).all() else 1)


def test_threads_start_anew_after_a_fork():
    parallel_for(_count, 100, 10, np.zeros(100, int))
    child = multiprocessing.get_context("fork").Process(target=_count_in_a_child)
    child.start()
    child.join(20)
    assert child.exitcode == 0


def test_configure_keeps_what_the_user_set(monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("KMP_BLOCKTIME", "7")
    configure_threads()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE" and os.environ["KMP_BLOCKTIME"] == "7"


def test_the_command_line_configures_threads_before_numpy_is_loaded():
    program = (
        "import os, sys\n"
        "from likeness.cli.program import guarded\n"
        "assert 'numpy' not in sys.modules and 'OPENBLAS_NUM_THREADS' not in os.environ\n"
        "sys.exit(guarded(lambda: print(os.environ['OPENBLAS_NUM_THREADS'])))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout == "1\n", done.stderr


def test_a_machine_without_a_writable_home_gets_a_private_cache(monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "to be restored")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    configure_threads()
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr(os, "access", lambda *_: False)
    configure_threads()
    folder = Path(os.environ["NUMBA_CACHE_DIR"])
    assert folder.stat().st_mode & 0o077 == 0
