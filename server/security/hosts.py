"""Names of hosts and origins: which of them a request may carry (against DNS rebinding and foreign pages)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from ...errors import LiteMedSamError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::", "")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    return host in _LOOPBACK


def host_name(header: str) -> str | None:
    """The name in a ``Host`` header without its port, lower case; None for what is no host."""
    try:
        parts = urlsplit(f"//{header}")
        # Reading the port refuses other than numbers.
        good = parts.netloc == header and parts.port != 0 and not parts.username and "@" not in header
        return (parts.hostname or "").rstrip(".") or None if good else None
    except ValueError:
        return None


class HostRule:
    """The names under which a server answers.

    Parameters
    ----------
    host : str
        The address that it listens on.
    allowed : iterable of str
        Further names.
    """

    def __init__(self, host: str, allowed: Iterable[str] = ()):
        own = [] if host in _EVERYWHERE else [host]
        self._names = frozenset(name.lower().strip("[]") for name in (*_LOOPBACK, *own, *allowed))

    def allows(self, headers: Sequence[str]) -> bool:
        """Whether a request with these ``Host`` headers is meant for this server: exactly one, with a known name."""
        return len(headers) == 1 and host_name(headers[0]) in self._names


class OriginRule:
    """The pages that may send requests.

    Parameters
    ----------
    allowed : sequence of str
        Origins besides the server's own, such as ``https://viewer.example.org``.

    Raises
    ------
    LiteMedSamError
        For what is no origin; ``*`` is none.
    """

    def __init__(self, allowed: Sequence[str] = ()):
        for origin in allowed:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}" or "*" in origin:
                raise LiteMedSamError(
                    f"--allow-origin {origin}, expected scheme and host such as https://viewer.example.org"
                )
        self.allowed = frozenset(allowed)

    def allows(self, origins: Sequence[str], host: str) -> bool:
        """Whether a request with these ``Origin`` headers may be answered.

        Parameters
        ----------
        origins : sequence of str
            None at all for programs other than browsers, and for a browser's own navigation.
        host : str
            The request's ``Host`` header, already found right.
        """
        if not origins:
            return True
        return len(origins) == 1 and (origins[0] in self.allowed or origins[0] in (f"http://{host}", f"https://{host}"))
