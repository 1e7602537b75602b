"""An orderly end when the process is told to stop."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def orderly_stop() -> Iterator[None]:
    """Within, SIGTERM and SIGINT end the main thread by `SystemExit` with the code 128 + signal.

    What is half done is cleaned up on the way, as after any exception. As the first process of a container, Python
    would otherwise not see SIGTERM at all. To be used in the main thread.
    """
    before = {number: signal.signal(number, _stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame) -> None:
    # A second signal must not interrupt the cleaning up.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    # Not print: the signal may have come in the middle of one.
    os.write(2, f"Stopped by {signal.Signals(number).name}\n".encode())
    raise SystemExit(128 + number)
