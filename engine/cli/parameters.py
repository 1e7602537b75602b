"""Kinds of parameters that click does not have."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from ...errors import LiteMedSamError
from ..running.parts import Part

if TYPE_CHECKING:
    from ..running.cluster.site import Site

    _SiteParamType = click.ParamType[Site]
    _NumbersParamType = click.ParamType[tuple[float, ...]]
    _PartParamType = click.ParamType[Part]
else:
    # Older versions of click do not know what the parameter is of.
    _NumbersParamType = _PartParamType = _SiteParamType = click.ParamType


class Numbers(_NumbersParamType):
    """One of some forms of numbers with commas between, such as ``x,y``.

    Parameters
    ----------
    name : str
        In the help.
    forms : tuple of str
        The forms that are accepted.
    example : str
        For messages.
    """

    def __init__(self, name: str, forms: tuple[str, ...], example: str):
        self.name = name
        self.forms = forms
        self.example = example

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """See `click.ParamType.convert`."""
        try:
            numbers = tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers with commas between, as in {self.example}", param, ctx)
        if len(numbers) not in [form.count(",") + 1 for form in self.forms]:
            self.fail(f"{value!r} has {len(numbers)} numbers, expected {' or '.join(self.forms)}", param, ctx)
        return numbers


BOX = Numbers("x0,y0[,z0],x1,y1[,z1]", ("x0,y0,x1,y1", "x0,y0,z0,x1,y1,z1"), "10,20,60,80")
SPACING = Numbers("x,y[,z]", ("x,y", "x,y,z"), "0.5,0.5,3")


class PartOfCohort(_PartParamType):
    """One part of the cases; see `Part.of`."""

    name = "K/N|auto|all"

    def convert(self, value: str | Part, param: click.Parameter | None, ctx: click.Context | None) -> Part:
        """See `click.ParamType.convert`."""
        if isinstance(value, Part):
            return value
        try:
            return Part.of(value, os.environ)
        except LiteMedSamError as error:
            self.fail(str(error), param, ctx)


class ClusterSite(_SiteParamType):
    """Where a cluster's workers come from; see `site_named`."""

    name = "tcp://HOST:PORT|local:N|FILE.yaml"

    def convert(self, value: str | Site, param: click.Parameter | None, ctx: click.Context | None) -> Site:
        """See `click.ParamType.convert`."""
        if not isinstance(value, str):
            return value
        # Late, because few runs need it.
        from ..running.cluster.sites import site_named

        try:
            return site_named(value)
        except LiteMedSamError as error:
            self.fail(str(error), param, ctx)


class OverlayCommand(click.Command):
    """A command whose ``--overlay`` may stand without a value, even before a case."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See `click.Command.parse_args`."""
        given: list[str] = []
        for argument in args:
            if given[-1:] == ["--overlay=png"] and argument in ("png", "gif", "mp4"):
                given[-1] = f"--overlay={argument}"
            else:
                given.append("--overlay=png" if argument == "--overlay" else argument)
        return super().parse_args(ctx, given)
