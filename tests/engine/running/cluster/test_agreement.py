"""What unlike workers agree on."""

from dataclasses import replace
from pathlib import Path

import pytest
from litemedsam.engine.bundle.packaged import bundle_folder
from litemedsam.engine.running.cluster.agreement import Abilities, Agreement
from litemedsam.engine.settings import EngineSettings

from litemedsam.errors import LiteMedSamError

NEW = Abilities("new", "1.0", "w", frozenset({"f32", "bf16", "int8"}))
OLD = Abilities("old", "1.0", "w", frozenset({"f32"}))
NO_BF16 = Abilities("middle", "1.0", "w", frozenset({"f32", "int8"}))


def agreed(*workers, precision="auto", bundle=None):
    settings = EngineSettings(precision=precision)
    own = Abilities("client", "1.0", "w")
    found = {f"tcp://{k}": worker for k, worker in enumerate(workers)}
    return Agreement.between(found, own, settings, bundle or Path("absent"))


def test_like_workers_take_what_one_machine_takes(tiny_bundle):
    agreement, notes = agreed(OLD, OLD, bundle=tiny_bundle)
    assert agreement.choice.precision == "f32"
    assert notes == ()
    assert agreement.objection(OLD) == ""


def test_unlike_workers_take_the_precision_that_all_have():
    bundle = bundle_folder(None)
    alone, notes = agreed(NEW, NEW, bundle=bundle)
    assert notes == ()
    both, notes = agreed(NEW, OLD, bundle=bundle)
    assert both.choice.precision == "f32"
    if alone.choice.precision == "f32":
        assert notes == ()
        return
    assert notes == (
        f"the workers' processors differ (fastest: new {alone.choice.precision}, old f32), so all compute in f32",
    )
    assert both.choice.reason == notes[0]
    assert "computes" in alone.objection(OLD)
    assert both.objection(NEW) == ""


def test_a_precision_that_was_asked_for_is_computed_alike_or_not_at_all():
    assert agreed(NEW, OLD, precision="f32")[0].choice.precision == "f32"
    assert agreed(NEW, NEW, precision="bf16")[0].computed == ("bf16", True)
    # int8 graphs compute their floats in bf16 where there is bf16.
    for other, precision in ((OLD, "bf16"), (NO_BF16, "int8")):
        with pytest.raises(LiteMedSamError, match=f"compute {precision} differently; give --precision f32"):
            agreed(NEW, other, precision=precision)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "0.9"}, "has litemedsam 0.9, expected 1.0"),
        ({"weights": "v"}, "has another model of this name"),
        ({"problem": "does not see the folder /out; all machines must share it"}, "does not see the folder /out"),
    ],
)
def test_workers_that_are_not_fit(change, said, tiny_bundle):
    agreement, _ = agreed(replace(OLD, **change), OLD, bundle=tiny_bundle)
    assert said in agreement.objection(replace(OLD, **change))
    with pytest.raises(LiteMedSamError, match=f"no worker can work on the cases: the one at tcp://0 on old {said}"):
        agreed(replace(OLD, **change), bundle=tiny_bundle)


def test_abilities_of_this_process(tiny_bundle, tmp_path):
    found = Abilities.of_process(EngineSettings(tiny_bundle), tmp_path)
    assert found.weights == "0" * 64
    assert "f32" in found.native
    assert found.problem == ""
    assert "does not see" in Abilities.of_process(EngineSettings(tiny_bundle), tmp_path / "absent").problem
    assert "absent" in Abilities.of_process(EngineSettings(tmp_path / "absent"), tmp_path).problem
