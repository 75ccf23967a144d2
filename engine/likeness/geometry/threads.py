"""One rule for threads: nobody spins, and work is handed out in small pieces.

numba's and torch's thread pools wait for each other's cores by spinning; beside two busy processes that made a
refinement 25 times slower. So our kernels run on plain threads that sleep while they wait and take the next piece of
work when they are free, and torch's pool is told to sleep at once. NumPy's BLAS keeps to one thread: our matrices are
small, and its own threads made a fit of many frames take four times the processor time.
"""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

ResultT = TypeVar("ResultT")


def configure_threads() -> None:
    """Let thread pools sleep instead of spin, and make sure that numba can keep compiled kernels somewhere.

    Call it first of all: it has no effect on what is already imported. What the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    homes = Path(__file__).parent, Path.home()
    if "NUMBA_CACHE_DIR" not in os.environ and not any(os.access(home, os.W_OK) for home in homes):
        # numba refuses to import cached functions it cannot store; a private folder, for a cache is executable code.
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="likeness-numba-")
        atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_for(kernel: Callable[..., None], count: int, chunk: int, *args: object) -> None:
    """Call kernel(begin, end, *args) for pieces of range(count), `chunk` long, on every core.

    The kernel must release the GIL (numba's `nogil=True`), and what it writes for an index must not depend on the
    piece the index falls into: then the result has the same bits however the threads run.
    """
    begins = itertools.count(0, chunk)

    def drain() -> None:
        while (begin := next(begins)) < count:
            kernel(begin, min(begin + chunk, count), *args)

    helpers = min(core_count() - 1, (count - 1) // chunk)
    waiting = [_pool(os.getpid()).submit(drain) for _ in range(helpers)]
    drain()
    for helper in waiting:
        helper.result()


def in_background(work: Callable[[], ResultT]) -> Callable[[], ResultT]:
    """Start the work on a thread of its own; return what waits for it and gives its result, or raises its error."""
    future: Future[ResultT] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="likeness-background").start()
    return future.result


@lru_cache(maxsize=1)
def _pool(_process: int) -> ThreadPoolExecutor:
    """Return the helper threads; keyed by the process, for threads do not survive a fork."""
    return ThreadPoolExecutor(max(core_count() - 1, 1), thread_name_prefix="likeness-kernel")
