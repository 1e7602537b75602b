"""The default bundle is compiled ahead, for the container."""

from litemedsam.engine.backends import precompile


def test_the_default_bundle_is_compiled_into_a_folder(tmp_path, own_bundle, monkeypatch):
    monkeypatch.setattr(precompile, "bundle_folder", lambda: own_bundle)
    precompile.main(tmp_path / "ready")
    assert len(list((tmp_path / "ready").glob("*.blob"))) == 2
