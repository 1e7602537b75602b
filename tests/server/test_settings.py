"""A server's settings: of this machine alone by default, and the engine's as arguments of the command."""

from pathlib import Path

from litemedsam.engine.settings import EngineSettings
from litemedsam.server.settings import ServerSettings


def test_the_settings_listen_on_this_machine_alone_unless_told():
    settings = ServerSettings()
    assert settings.host == "127.0.0.1"
    assert (list(settings.data), list(settings.allow_hosts), list(settings.allow_origins)) == ([], [], [])


def test_only_what_is_unusual_and_decides_bytes_becomes_an_argument():
    assert ServerSettings().arguments == []
    engine = EngineSettings(Path("b"), "onnxruntime", "f32", "published", threads=3, seed=7, cache_mb=1)
    assert ServerSettings(engine).arguments == [
        *("--model", "b", "--backend", "onnxruntime", "--precision", "f32"),
        *("--protocol", "published", "--seed", "7"),
    ]
    assert ServerSettings(EngineSettings(seed=7, threads=1)).arguments == ["--seed", "7"]
