"""Where a call's cases are worked on."""

import sys

import pytest
from cluster_parts import write_cases, write_certificates


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cluster", "local:2", "--workers", 2], "with --cluster, local:N starts N workers here"),
        (["--cluster", "nonsense"], "expected tcp://HOST:PORT, tls://HOST:PORT, local:N or FILE.yaml"),
    ],
)
def test_usage(infer, tmp_path, words, said):
    [case] = write_cases(tmp_path / "cases", ["a"])
    assert said in infer(case, *words, code=2).output


def test_encrypted_and_plain_addresses(infer, tmp_path):
    [case] = write_cases(tmp_path / "cases", ["a"])
    said = infer(case, "--cluster", "tls://127.0.0.1:9", code=1).output
    assert said == "Error: tls://127.0.0.1:9: needs certificates; add --cluster-tls CA CERT KEY\n"
    certificates = write_certificates(tmp_path)
    assert "give the address as tls://" in infer(
        case, "--cluster", "tcp://127.0.0.1:9", "--cluster-tls", *certificates, code=1
    ).output  # fmt: skip


def test_a_library_that_is_not_installed(infer, tmp_path, monkeypatch):
    [case] = write_cases(tmp_path / "cases", ["a"])
    monkeypatch.setitem(sys.modules, "distributed", None)
    said = infer(case, "--cluster", "local:2", code=1).output
    assert said == 'Error: distributed is not installed; pip install "litemedsam[cluster]"\n'
