"""What the server says of itself."""

from litemedsam.engine.scan.intensity import PRESETS
from litemedsam.server.routes.about import NOTICE, description
from tiny_bundle import INFO

from litemedsam import __version__


def test_the_model_and_the_limits_are_named(module_client):
    told = module_client.get("/api/about").json()
    assert (told["version"], told["notice"]) == (__version__, NOTICE)
    model = told["model"]
    assert (model["name"], model["weights"]) == (INFO.model, INFO.weights_sha256[:12])
    assert model["card"] == []
    # Only the package's own models have a known licence.
    assert "its weights" in model["licence"]
    assert told["prompts"] == ["boxes", "points"]
    assert not told["corrections"]
    assert told["limits"]["sessions"] == module_client.services.settings.max_sessions
    assert told["windows"] == {name: [window.level, window.width] for name, window in PRESETS.items()}


def test_health_says_nothing_else(module_client):
    assert module_client.get("/healthz").json() == {"ok": True}


def test_the_description_is_of_this_version(module_client):
    assert module_client.get("/api/openapi.json").json() == description()
    assert description()["info"]["version"] == __version__
