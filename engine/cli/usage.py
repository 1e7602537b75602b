"""The rules of usage, and the settings that the options name; light, since they come before anything is loaded."""

from collections.abc import Mapping
from typing import Any

import click

from ..settings import EngineSettings


def check_usage(given: Mapping[str, Any]) -> None:
    """Refuse options that exclude each other.

    Raises
    ------
    click.UsageError
    """
    if given["overwrite"] and given["skip_existing"]:
        raise click.UsageError("--overwrite and --skip-existing exclude each other")
    sources = {"--box": given["boxes"], "--boxes": given["boxes_file"], "--boxes-from": given["mask"]}
    named = [name for name, value in sources.items() if value]
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join(named)} exclude each other")
    if bool(given["cases"]) == bool(given["folder"]):
        raise click.UsageError("give either case files or a folder with -i")
    if (given["pieces"] or given["margin"]) and not given["mask"]:
        raise click.UsageError("--pieces and --margin go with --boxes-from")
    if (given["slice_index"] is not None or given["extend"]) and not given["boxes"]:
        raise click.UsageError('--slice and --extend go with --box; a JSON file has "slice" and "z": "auto" instead')
    if given["slice_index"] is not None and given["box_space"] == "world":
        raise click.UsageError("--slice goes with boxes in voxels")
    if given["merge"] and (given["check"] or not given["part"].whole):
        raise click.UsageError("--merge goes with all parts, and without --check, since it also lists what is missing")
    if given["merge"] and not given["report"] and (given["page"] or not given["table"]):
        raise click.UsageError("--merge goes with --report, or for a table alone with --csv, as the parts were run")
    if given["cluster"] is not None and given["workers"] > 1:
        raise click.UsageError("--workers is for this machine alone; with --cluster, local:N starts N workers here")
    if given["cluster_tls"] and given["cluster"] is None:
        raise click.UsageError("--cluster-tls goes with --cluster")
    if given["box_space"] == "world" and given["clip"]:
        raise click.UsageError("--clip goes with boxes in voxels")
    if given["box_space"] == "world" and given["mask"]:
        raise click.UsageError("--box-space world goes with --box or --boxes")


def settings_of(given: Mapping[str, Any]) -> EngineSettings:
    """The settings of the predictor; raises as `EngineSettings`."""
    names = ("backend", "precision", "protocol", "threads", "seed", "cache_mb")
    return EngineSettings(given["model"], **{name: given[name] for name in names})
