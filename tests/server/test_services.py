"""What routes share: a predictor that loads meanwhile, and an end that leaves nothing."""

from dataclasses import replace

import pytest
from litemedsam.engine.settings import EngineSettings
from litemedsam.server.services import Services
from litemedsam.server.settings import ServerSettings

from litemedsam import LiteMedSamError


def test_everything_ends_with_the_services(engine, scans):
    services = Services.start(ServerSettings(engine, data=(scans,)))
    predictor = services.predictor()
    assert predictor is services.predictor()
    assert "slice.png" in {scan.name for scan in services.data.scans()}
    upload = services.uploads.begin()
    services.tidy()
    assert upload.folder.is_dir()
    services.close()
    assert not upload.folder.exists()
    assert services.store.all() == []
    assert predictor.network.streams is None


def test_a_bundle_that_is_not_there_is_refused_at_once(tmp_path):
    with pytest.raises(LiteMedSamError, match=r"holds no encoder\.onnx; give a folder made by litemedsam-export"):
        Services.start(ServerSettings(EngineSettings(tmp_path)))


def test_a_predictor_that_cannot_be_made_is_an_error_where_it_is_asked_for(engine):
    services = Services.start(ServerSettings(replace(engine, backend="other")))
    with pytest.raises(LiteMedSamError, match="unknown back end 'other'"):
        services.predictor()
    services.close()
