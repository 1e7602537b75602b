"""A scheduler that somebody else runs: nothing is started, and its address says whether it is encrypted."""

from pathlib import Path

import pytest
from litemedsam.engine.running.cluster.certificates import Certificates
from litemedsam.engine.running.cluster.site import Running
from litemedsam.engine.settings import EngineSettings

from litemedsam import LiteMedSamError

CERTIFICATES = Certificates(Path("ca.pem"), Path("cert.pem"), Path("key.pem"))


@pytest.mark.parametrize(
    ("address", "certificates"), [("tcp://10.0.0.1:8786", None), ("tls://10.0.0.1:8786", CERTIFICATES)]
)
def test_its_address_is_what_is_opened(address, certificates):
    site = Running(address)
    with site.open(certificates) as opened:
        assert opened.address == address
        # Its workers are not ours to start again.
        assert opened.revive() is None
    assert site.first(100) == 1
    assert site.settings(EngineSettings(threads=3)) == EngineSettings(threads=3)


@pytest.mark.parametrize(
    ("address", "certificates", "words"),
    [
        ("tls://a:1", None, "needs certificates; add --cluster-tls"),
        ("tcp://a:1", CERTIFICATES, "is not encrypted, .*; give the address as tls://"),
    ],
)
def test_certificates_and_encryption_go_together(address, certificates, words):
    with pytest.raises(LiteMedSamError, match=words), Running(address).open(certificates):
        pass
