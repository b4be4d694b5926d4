"""Loaded by a worker process as it starts: Ctrl-C is the driver's, heavy imports are done early."""

import contextlib
import signal

import nas.short_run.training  # noqa: F401  a worker is ready once it could train

with contextlib.suppress(ValueError):  # signals can be set from the main thread only
    signal.signal(signal.SIGINT, signal.SIG_IGN)
