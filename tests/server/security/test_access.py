"""The token, whatever a client sends in its place."""

from hypothesis import given
from hypothesis import strategies as st
from litemedsam.server.security.access import Access

ACCESS = Access("a-good-token", 8000)


def test_the_token_is_taken_in_a_header_and_in_the_server_s_own_cookie():
    assert ACCESS.allows({"authorization": "Bearer a-good-token"})
    assert ACCESS.allows({"authorization": "bearer  a-good-token "})
    assert ACCESS.allows({"cookie": "other=1; litemedsam-8000=a-good-token"})
    assert not ACCESS.allows({"cookie": "litemedsam-8001=a-good-token"})
    assert ACCESS.enters("token=a-good-token")
    assert not ACCESS.enters("token=")
    assert "HttpOnly" in ACCESS.set_cookie()


def test_without_a_token_everyone_may_ask_and_no_cookie_is_made():
    access = Access("", 8000)
    assert access.open
    assert access.allows({})
    assert not access.enters("token=")


@given(st.text(max_size=40))
def test_no_other_text_is_the_token(text):
    for headers in (
        {"authorization": text},
        {"authorization": f"Bearer {text}"},
        {"authorization": f"Basic {text}"},
        {"cookie": text},
        {"cookie": f"litemedsam-8000={text}"},
    ):
        assert not ACCESS.allows(headers) or "a-good-token" in text
    assert not ACCESS.enters(text) or "a-good-token" in text
