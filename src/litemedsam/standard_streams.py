"""Standard output and error that may be closed, full, or a pipe that nobody reads."""

import io
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TextIO


class _Lossy(io.FileIO):
    """A stream that drops what cannot be written, so that a run does not end for want of somebody to report to.

    Attributes
    ----------
    error : OSError or None
        The first that writing raised.
    """

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        """See `io.RawIOBase.write`."""
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        return len(memoryview(data).cast("B"))


class StandardStreams:
    """This process's standard output and error, replaced by streams that never fail.

    A closed one is opened on the null device, since the next file to be opened would take its number otherwise.
    Characters that a stream's encoding lacks are escaped.
    """

    def __init__(self) -> None:
        for number in (0, 1, 2):
            _open_if_closed(number)
        self._output, self._error = _Lossy(1, "w", closefd=False), _Lossy(2, "w", closefd=False)
        sys.stdout = _text(self._output, sys.stdout)
        sys.stderr = _text(self._error, sys.stderr)

    def finish(self) -> int:
        """Flush both, and report in one line on standard error when standard output could not be written.

        Returns
        -------
        int
            0, or 1 when something was lost.
        """
        sys.stdout.flush()
        if self._output.error is not None:
            reason = self._output.error.strerror or self._output.error
            print(f"Error: standard output: cannot be written ({reason})", file=sys.stderr)
        sys.stderr.flush()
        return int(self._output.error is not None or self._error.error is not None)


def run_command(main: Callable[[], Any]) -> NoReturn:
    """Run a command of click with streams that never fail, and exit.

    Parameters
    ----------
    main : callable
        Ends with `SystemExit`, as commands of click do.

    Raises
    ------
    SystemExit
        With the command's own code, or with 1 where that is 0 and something was lost, see `StandardStreams.finish`.
    """
    streams = StandardStreams()
    code: Any = 0
    try:
        main()
    except SystemExit as left:
        code = left.code
    lost = streams.finish()
    sys.exit(code or lost)


def _open_if_closed(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        # The lowest free number is taken, and all below are open.
        os.open(os.devnull, os.O_RDWR)


def _text(raw: _Lossy, before: TextIO | None) -> io.TextIOWrapper:
    encoding = getattr(before, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)
