"""The numbers of slices and objects computed at once.

A graph is loaded for a number of concurrent runs, its streams, which share the threads. One image is fastest with a
single stream of all threads; a volume's slices, many objects and many images are fastest with several streams.
"""

from dataclasses import dataclass
from typing import Protocol

# Each stream needs memory of its own.
_MOST_STREAMS = 4


@dataclass(frozen=True)
class Streams:
    """Numbers of concurrent runs.

    Attributes
    ----------
    encoding, decoding : int
        Concurrent runs of the encoder and of the decoder, each at least 1.
    """

    encoding: int
    decoding: int


class StreamPolicy(Protocol):
    """Chooses the streams that graphs are loaded for."""

    def wanted(self, volume: bool, objects: int, held: Streams | None) -> Streams:
        """The streams for the next case.

        Parameters
        ----------
        volume : bool
            Whether the case is a volume; an image otherwise.
        objects : int
            At least 1.
        held : Streams or None
            The streams that the graphs are loaded for; None before they are loaded.
        """
        ...


def streams_of(threads: int) -> int:
    """The number of a volume's slices to encode at once, at least 1.

    Parameters
    ----------
    threads : int
        At least 1.
    """
    return min(threads, _MOST_STREAMS)


@dataclass(frozen=True)
class Growing:
    """The streams that suit the case, but never fewer than are loaded, because loading takes as long as encoding.

    A volume after an image loads the encoder a second time. Loading it for several streams at first would avoid this,
    but a run uses the threads of one stream only, so that the first image would take longer. One stream for all slices
    would make every volume take longer.

    Attributes
    ----------
    threads : int
        At least 1.
    many : bool
        Whether many cases will come. If so, the decoder loads for many objects at once, so that no case reloads it.
    images : int
        How many images are worked on at once, at least 1; see `litemedsam.engine.running.side_by_side`.
    """

    threads: int
    many: bool = False
    images: int = 1

    def wanted(self, volume: bool, objects: int, held: Streams | None) -> Streams:
        """See `StreamPolicy.wanted`."""
        most = streams_of(self.threads)
        encoding = most if volume else min(most, self.images)
        suited = Streams(encoding, most if volume or self.many else min(most, objects))
        if held is None:
            return suited
        return Streams(max(suited.encoding, held.encoding), max(suited.decoding, held.decoding))
