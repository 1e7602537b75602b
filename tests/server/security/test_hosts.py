"""Names of hosts and origins, whatever a client writes there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litemedsam.server.security.hosts import HostRule, OriginRule, host_name, is_loopback

from litemedsam import LiteMedSamError

OWN = HostRule("127.0.0.1")


@pytest.mark.parametrize(
    "header", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]:8000", "localhost."]
)
def test_this_machine_s_own_names_are_let_in(header):
    assert OWN.allows([header])


@pytest.mark.parametrize(
    "header",
    ["", "evil", "127.0.0.1.evil", "evil#127.0.0.1", "127.0.0.1/evil", "u@127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999",
     "127.0.0.1:0", "127.0.0.1 evil", "::1", "[::1", "0.0.0.0", "localhost\\@evil", "127.1", "2130706433"],
)  # fmt: skip
def test_other_names_are_not(header):
    assert not OWN.allows([header])


def test_exactly_one_host_is_expected():
    assert not OWN.allows([])
    assert not OWN.allows(["127.0.0.1", "127.0.0.1"])


def test_an_address_to_listen_on_and_further_names_are_let_in():
    rule = HostRule("192.168.0.7", ["Work.Example", "[fd00::7]"])
    assert all(rule.allows([header]) for header in ("192.168.0.7:8000", "work.example", "[fd00::7]:80"))
    assert not HostRule("0.0.0.0").allows(["0.0.0.0:8000"])
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")


@given(st.text(max_size=60))
def test_any_text_is_a_known_name_or_none(text):
    name = host_name(text)
    assert name is None or (name and "@" not in name and "/" not in name)
    if OWN.allows([text]):
        assert text.lower().startswith(("127.0.0.1", "localhost", "[::1]"))


@given(st.text(max_size=60))
def test_no_other_origin_is_let_in(text):
    rule = OriginRule(["https://viewer.example.org"])
    allowed = text in ("https://viewer.example.org", "http://127.0.0.1:8000", "https://127.0.0.1:8000")
    assert rule.allows([text], "127.0.0.1:8000") == allowed
    assert rule.allows([], "127.0.0.1:8000")
    assert not rule.allows(["http://127.0.0.1:8000"] * 2, "127.0.0.1:8000")


@pytest.mark.parametrize("origin", ["*", "https://*.example.org", "viewer.example.org", "https://a.org/page", "null"])
def test_no_wildcard_and_no_other_text_is_an_origin(origin):
    with pytest.raises(LiteMedSamError, match="--allow-origin"):
        OriginRule((origin,))
