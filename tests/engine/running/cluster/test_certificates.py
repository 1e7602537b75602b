"""Own certificates: what goes over the wire is encrypted, and nobody else is let in."""

import re
import shutil
import subprocess
import sys

import pytest
from cluster_parts import Machines, contents, tls_options, wait_until, write_cases, write_certificates
from litemedsam.engine.running.cluster.certificates import Certificates
from litemedsam.engine.running.cluster.connection import connected
from litemedsam.engine.running.cluster.site import Running
from places import ROOT

from litemedsam.errors import LiteMedSamError

pytest.importorskip("distributed")


def test_only_members_take_part(tiny_bundle, tmp_path):
    own, others = write_certificates(tmp_path / "own"), write_certificates(tmp_path / "others")
    write_cases(tmp_path / "cases", [f"{k:02}" for k in range(8)])

    def infer(*words):
        command = [sys.executable, "-m", "litemedsam", "-i", "cases", "--model", tiny_bundle, *words]
        return subprocess.run(list(map(str, command)), cwd=tmp_path, capture_output=True, text=True, timeout=60)

    with Machines(tmp_path, options=tls_options(own)) as machines:
        machines.scheduler()
        machines.worker()
        done = infer("-o", "tls", "--cluster", machines.address, "--cluster-tls", *own)
        assert done.returncode == 0, done.stderr
        assert infer("-o", "one", "-q", "--threads", "1").returncode == 0
        assert contents(tmp_path / "tls") == contents(tmp_path / "one")
        plain = machines.address.replace("tls:", "tcp:")
        for site, certificates in ((Running(machines.address), Certificates(*others)), (Running(plain), None)):
            with pytest.raises(LiteMedSamError, match="no scheduler answers"):
                open_for(site, certificates)
        # A worker with another authority's certificate is not let in either.
        machines.options = tls_options(others)
        machines.worker("stranger")
        log = tmp_path / "stranger.log"
        wait_until(lambda: "SSL" in log.read_text() or "certificate" in log.read_text())
        with connected(Running(machines.address), Certificates(*own)) as connection:
            assert len(connection.workers()) == 1


def open_for(site, certificates):
    """Try to reach a scheduler for a second."""
    from litemedsam.engine.running.cluster.connection import Connection

    Connection(site.address, certificates, 1.0).open(1.0)


def test_addresses_and_certificates_go_together(tmp_path):
    own = Certificates(*write_certificates(tmp_path))
    with (
        pytest.raises(LiteMedSamError, match="needs certificates; add --cluster-tls"),
        connected(Running("tls://a:1"), None),
    ):
        pass
    with pytest.raises(LiteMedSamError, match="give the address as tls://"), connected(Running("tcp://a:1"), own):
        pass


def test_files_that_are_no_certificates(tmp_path):
    authority, certificate, key = write_certificates(tmp_path / "a")
    other = write_certificates(tmp_path / "b")[2]
    with pytest.raises(LiteMedSamError, match=r"absent\.pem: cannot be read"):
        Certificates(authority, certificate, tmp_path / "absent.pem").security()
    with pytest.raises(LiteMedSamError, match="does not go with"):
        Certificates(authority, certificate, other).security()
    other.write_text("no key")
    with pytest.raises(LiteMedSamError, match="does not go with"):
        Certificates(authority, certificate, other).security()
    assert Certificates(authority, certificate, key).security().require_encryption


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the command openssl")
def test_the_documents_make_certificates(tmp_path):
    text = re.search(r"<!-- certificates -->\n```sh\n(.*?)```", (ROOT / "docs" / "cohorts.md").read_text(), re.DOTALL)[
        1
    ]
    subprocess.run(["bash", "-ec", text], cwd=tmp_path, check=True, capture_output=True)
    own = Certificates(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
    assert own.security().require_encryption
