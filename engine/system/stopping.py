"""Ends the process in an orderly way on SIGTERM and SIGINT."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# A runtime's step cannot be interrupted; on a busy machine it may take longer than this.
_PATIENCE_SECONDS = 3


@contextmanager
def orderly_stop() -> Iterator[None]:
    """Inside the with-block, SIGTERM and SIGINT raise `SystemExit` with the code 128 + signal in the main thread.

    Unfinished work is cleaned up, as after any exception. If the block has not ended three seconds later, the process
    ends at once with the same code. No result is half written even then, because results are renamed into place.
    Without a handler, Python as the first process of a container would ignore SIGTERM. Use this in the main thread.
    """
    before = {number: signal.signal(number, _stop) for number in _SIGNALS}
    receiving, sending = socket.socketpair()
    sending.setblocking(False)
    wakeup = signal.set_wakeup_fd(sending.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_late, args=(receiving,), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        sending.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    # A second signal must not interrupt the cleaning up.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    _report(number)
    # A library interrupted during its import raises an error of its own; its traceback would not help the user.
    sys.excepthook = lambda *_: os._exit(128 + number)
    raise SystemExit(128 + number)


def _end_late(receiving: socket.socket) -> None:
    with receiving:
        number = receiving.recv(1)
        if not number:
            return
        receiving.settimeout(_PATIENCE_SECONDS)
        try:
            while receiving.recv(1):
                pass
        except TimeoutError:
            _report(number[0])
            os._exit(128 + number[0])


def _report(number: int) -> None:
    # Not print: the signal may have come in the middle of one. Standard error may be full.
    with suppress(OSError):
        os.write(2, f"Stopped by {signal.Signals(number).name}\n".encode())
