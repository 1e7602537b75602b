"""``litemedsam-infer``: cases in, label maps out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ... import __version__
from ...errors import LiteMedSamError, broken_installation
from ...standard_streams import StandardStreams
from ..settings import MOST_THREADS
from ..system.stopping import orderly_stop
from .parameters import BOX, SPACING, ClusterSite, OverlayCommand, PartOfCohort
from .usage import check_usage, settings_of

if TYPE_CHECKING:
    from .selection import Selection


@click.command(cls=OverlayCommand, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("cases", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-i",
    "--input",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder of npz cases, or of scans, instead of files.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default="outputs", show_default=True, help="Folder for results."
)
@click.option("--box", "boxes", type=BOX, multiple=True, help="A box, ends included; may be repeated.")
@click.option("--slice", "slice_index", type=click.IntRange(0), help="With --box: the slice of x0,y0,x1,y1.")
@click.option("--extend", is_flag=True, help="With --box: follow the object from its one slice to where it ends.")
@click.option("--boxes", "boxes_file", type=click.Path(path_type=Path), help="JSON file of boxes, or a folder of them.")
@click.option("--boxes-from", "mask", type=click.Path(path_type=Path), help="Mask whose labels are boxed, or a folder.")
@click.option("--pieces", is_flag=True, help="With --boxes-from: each connected piece is an object.")
@click.option(
    "--margin", type=click.IntRange(0, 1_000_000), default=0, help="With --boxes-from: voxels to grow boxes by."
)
@click.option(
    "--scribbles",
    type=click.Path(path_type=Path),
    help="Mask with strokes; the value is the object's label in the result.",
)
@click.option(
    "--box-space",
    type=click.Choice(["voxel", "world"]),
    default="voxel",
    show_default=True,
    help="Boxes count voxels along the file's own axes, or are millimetres (RAS).",
)
@click.option("--window", help="abdomen, lung, brain, bone, mediastinum, LEVEL,WIDTH, percentiles or none.")
@click.option("--stack", is_flag=True, help="A folder of pictures is one volume, each picture a slice.")
@click.option("--spacing", type=SPACING, help="In mm, of pictures and stacks, which do not tell their own.")
@click.option("--frame", "time_point", type=click.IntRange(0), help="Time point or echo of a scan, page of a TIFF.")
@click.option("--series", help="Number, UID or part of the description of one DICOM series in a mixed folder.")
@click.option("--allow-uneven", is_flag=True, help="Accept DICOM slices at uneven distances, or with some lost.")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["npz", "nifti", "dicom", "nrrd", "mha", "png", "slices"]),
    help="Kind of the results; that of the scan when absent.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Bundle folder, or the name of a bundle in the package; the default model when absent.",
)
@click.option(
    "--backend", type=click.Choice(["openvino", "onnxruntime"]), default="openvino", show_default=True, help="Runtime."
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "f32", "bf16", "int8"]),
    default="auto",
    show_default=True,
    help="Arithmetic; `f32` gives the same masks on every machine, `auto` takes the fastest that loses nearly nothing.",
)
@click.option(
    "--protocol",
    type=click.Choice(["corrected", "published"]),
    default="corrected",
    show_default=True,
    help="How boxes and slices are treated; `published` repeats the model's published script.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Cases to work on at once.")
@click.option(
    "--threads", type=click.IntRange(1, MOST_THREADS), help="Threads to compute with; all that may be used when absent."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the automatic prompts.")
@click.option(
    "--cache-mb", type=click.FloatRange(0), default=512, show_default=True, help="Most memory for embeddings."
)
@click.option(
    "--overlay",
    type=click.Choice(["png", "gif", "mp4"]),
    metavar="[png|gif|mp4]",
    help="Also write a PNG of image, boxes and masks beside each result, and a way through the slices on request.",
)
@click.option("--separate", is_flag=True, help="Also write a mask of each object, in a folder beside the result.")
@click.option("--clip", is_flag=True, help="Cut boxes off at the image's edges instead of failing the case.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what was done, with seconds per stage, as JSON.")
@click.option("--csv", "table", type=click.Path(path_type=Path), help="Write one line per object: volume, score, box.")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write one page with all of it; adds --overlay.")
@click.option("--overwrite", is_flag=True, help="Replace results that exist.")
@click.option("--skip-existing", is_flag=True, help="Leave out cases whose result exists.")
@click.option(
    "--part",
    type=PartOfCohort(),
    default="all",
    show_default=True,
    help="Take one of N parts of the cases, chosen by their names; `auto` is the task of a SLURM job array.",
)
@click.option(
    "--cluster", type=ClusterSite(), help="Work on the cases on a Dask cluster; all machines share the folders."
)
@click.option(
    "--cluster-tls",
    nargs=3,
    type=click.Path(path_type=Path),
    metavar="CA CERT KEY",
    help="PEM files that prove who takes part in the cluster, and encrypt.",
)
@click.option("--check", is_flag=True, help="Only list the cases without a result; exit code 1 where there are any.")
@click.option("--merge", is_flag=True, help="Only put the records of all parts together, into --report, --csv, --html.")
@click.option("-v", "--verbose", is_flag=True, help="Show seconds per stage.")
@click.option("-q", "--quiet", is_flag=True, help="Show errors only.")
@click.version_option(__version__, prog_name="litemedsam-infer")
def main(**given: Any) -> None:
    """Segment CASES into OUTPUT/<name of the case>, in the case's own format.

    A case is an npz file with imgs and boxes, a NIfTI, NRRD or MetaImage file, a DICOM series (folder or file), or
    a PNG, JPEG, TIFF or BMP, or with --stack a folder of them; its kind is told by its content. A folder stands for
    the scans in it and below. In npz files an image is (H, W) or (H, W, 3) with boxes (N, 4), a volume (D, H, W) or
    (D, H, W, 3) with boxes (N, 6). All boxes are in voxels, ends included, along the file's own axes: x, y, z are
    the first, second and third of NIfTI, NRRD and MetaImage; column, row and slice otherwise. The first box's
    object gets the label 1, the second's 2. A case that fails is reported; the others go on, and the exit code is
    1. Stopped by a signal, it leaves no half-written file and ends with 128 + signal.
    """
    # NumPy's threads would spin for a tenth of a second after its import; nothing here multiplies matrices with it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    click.get_current_context().with_resource(orderly_stop())
    check_usage(given)
    try:
        if given["check"] or given["merge"]:
            sys.exit(0 if _look_back(given) else 1)
        _segment(given)
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error
    except (ImportError, AttributeError) as error:
        broken = broken_installation(error)
        if broken is None:
            raise
        raise click.ClickException(str(broken)) from error


def _segment(given: Mapping[str, Any]) -> NoReturn:
    """Segment the cases and exit, with 1 when any went wrong."""
    settings, start, graphs = settings_of(given), perf_counter(), None
    if given["workers"] == 1 and given["cluster"] is None:
        # Before the other imports, because the graphs load beside them: that saves a seventh of a short run.
        from .preload import graphs_ahead

        graphs = graphs_ahead(settings, given["cases"], given["folder"], given["boxes"])
    seconds_to_load = perf_counter() - start
    from .invocation import Invocation

    invocation = Invocation.of(given, _selection(given), settings, graphs, seconds_to_load)
    failed = any(report.error for report in invocation.run())
    # From this frame, which holds the graphs until the process has ended: to free them takes a tenth of a short run.
    sys.exit(1 if failed else 0)


def _look_back(given: Mapping[str, Any]) -> bool:
    """List or merge what earlier runs did; whether nothing is missing."""
    from .completion import list_missing, merge_records

    selection = _selection(given)
    return merge_records(given, selection) if given["merge"] else list_missing(selection, given["quiet"])


def _selection(given: Mapping[str, Any]) -> Selection:
    from ..running.cohort import NameClash
    from .selection import Selection

    try:
        return Selection.of(given)
    except NameClash as error:
        raise click.UsageError(str(error)) from error


def command() -> None:
    """`main` as a process of its own, which ends at once: the system frees its memory faster than Python does."""
    streams = StandardStreams()
    try:
        main()
    except SystemExit as left:
        lost = streams.finish()
        # Here, where what `main` held is not freed yet.
        os._exit(left.code if isinstance(left.code, int) and left.code else lost)
