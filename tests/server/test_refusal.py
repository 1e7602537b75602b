"""Refusals have a status, and every error has its parts."""

from litemedsam.server.refusal import GONE, Refusal, error_body, status_of

from litemedsam import LiteMedSamError


def test_a_refusal_has_its_status_and_other_errors_are_bad_requests():
    assert status_of(Refusal(GONE, "ended")) == GONE
    assert status_of(LiteMedSamError("bad")) == 400
    assert isinstance(Refusal(GONE, "ended"), LiteMedSamError)


def test_an_error_is_taken_apart():
    whole = error_body(LiteMedSamError("slice 9, expected 0 to 4", "give another"))["error"]
    assert whole == {
        "text": "slice 9, expected 0 to 4; give another",
        "what": "slice 9",
        "expected": "0 to 4",
        "remedy": "give another",
    }
    plain = error_body(LiteMedSamError("broken"))["error"]
    assert (plain["what"], plain["expected"], plain["remedy"]) == ("broken", "", "")
