"""The settings of a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..engine.settings import EngineSettings


@dataclass(frozen=True)
class ServerSettings:
    """Everything that a server is started with.

    Attributes
    ----------
    engine : EngineSettings
    host : str
        The address to listen on.
    port : int
        0 for a free one.
    token : str
        Asked of every request but ``/healthz``; empty for none.
    data : sequence of Path
        Files and folders that may be opened.
    max_upload : int
        Bytes of one upload.
    max_sessions : int
        Scans that are open at once.
    memory : int
        Bytes of all open scans; embeddings have a budget of their own, ``engine.cache_mb``.
    idle_seconds : float
        Sessions that nobody uses or watches for so long end.
    allow_hosts : sequence of str
        Further names under which the server is reached.
    allow_origins : sequence of str
        Origins of other pages that may use the API, such as ``https://viewer.example.org``.
    """

    engine: EngineSettings = field(default_factory=EngineSettings)
    host: str = "127.0.0.1"
    port: int = 8000
    token: str = ""
    data: Sequence[Path] = ()
    max_upload: int = 2_000_000_000
    max_sessions: int = 8
    memory: int = 4_000_000_000
    idle_seconds: float = 3600.0
    allow_hosts: Sequence[str] = ()
    allow_origins: Sequence[str] = ()

    @property
    def arguments(self) -> list[str]:
        """The engine's settings that decide the bytes of a result, as arguments of ``litemedsam-infer``."""
        engine, usual = self.engine, EngineSettings()
        given = [("--model", engine.bundle)]
        given += [(f"--{name}", getattr(engine, name)) for name in ("backend", "precision", "protocol", "seed")]
        unusual = {
            "--model": None,
            **{f"--{n}": getattr(usual, n) for n in ("backend", "precision", "protocol", "seed")},
        }
        return [word for name, value in given if value != unusual[name] for word in (name, str(value))]
