"""Parameters of the command line: lists of numbers, parts of a cohort, an overlay without a value."""

import re

import click
import pytest
from click.testing import CliRunner
from litemedsam.engine.cli.parameters import BOX, SPACING, ClusterSite, OverlayCommand, PartOfCohort
from litemedsam.engine.running.parts import Part


def test_numbers_are_told_by_their_count():
    assert BOX.convert("1,2,3,4", None, None) == (1, 2, 3, 4)
    assert BOX.convert("1,2,3,4,5,6.5", None, None) == (1, 2, 3, 4, 5, 6.5)
    assert SPACING.convert("0.5,0.5,3", None, None) == (0.5, 0.5, 3)


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        (BOX, "1,2,3", "'1,2,3' has 3 numbers, expected x0,y0,x1,y1 or x0,y0,z0,x1,y1,z1"),
        (BOX, "1,2,a,4", "is not a list of numbers with commas between, as in 10,20,60,80"),
        (SPACING, "", "is not a list of numbers"),
        (PartOfCohort(), "3/2", "3/2"),
    ],
)
def test_other_values_are_refused_with_an_example(kind, value, words):
    with pytest.raises(click.BadParameter, match=re.escape(words)):
        kind.convert(value, None, None)


def test_a_part_of_a_cohort():
    part = PartOfCohort().convert("2/5", None, None)
    assert isinstance(part, Part)
    assert PartOfCohort().convert(part, None, None) is part


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--overlay", "a.npz"], ("png", ("a.npz",))),
        (["--overlay", "gif", "a.npz"], ("gif", ("a.npz",))),
        (["a.npz", "--overlay=mp4"], ("mp4", ("a.npz",))),
        (["a.npz"], (None, ("a.npz",))),
    ],
)
def test_an_overlay_may_stand_without_a_value(arguments, found):
    seen = []

    @click.command(cls=OverlayCommand)
    @click.option("--overlay")
    @click.argument("cases", nargs=-1)
    def command(overlay, cases):
        seen.append((overlay, cases))

    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert seen == [found]


def test_a_cluster_that_is_found_already_stays():
    site = ClusterSite().convert("local:2", None, None)
    assert ClusterSite().convert(site, None, None) is site
