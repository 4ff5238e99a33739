"""Where the one-file program begins: `scrutin` without the demo and the benchmarks."""

import ctypes
import multiprocessing
import signal
import sys

from edge.cli import main

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    multiprocessing.freeze_support()  # a process that is spawned starts here too
    if sys.platform == "linux":
        # The file unpacks itself in a process of its own, which passes signals on to us. When that
        # one is killed, nobody is to be left behind.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    main(left_out=("demo", "bench"))
