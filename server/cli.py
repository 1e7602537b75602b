"""``litemedsam-serve``: draw a box in the browser, see the mask."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..engine.settings import MOST_THREADS
from ..errors import LiteMedSamError, readable
from ..standard_streams import run_command

_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([kMGT]?)B?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_TOKEN_BYTES = 24
_SHORTEST_TOKEN = 8


class _Size(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A number of bytes, such as ``500MB`` or ``2GB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType.convert`."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no size, expected a number of bytes such as 500MB or 2GB", param, ctx)
        return int(float(found[1]) * _UNITS[found[2].lower()])


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("scans", nargs=-1, type=click.Path(path_type=Path))
@click.option("--data", multiple=True, type=click.Path(path_type=Path), help="Folder whose scans the page offers.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--token", envvar="LITEMEDSAM_TOKEN", help="Asked of every client; a random one when absent.")
@click.option("--no-token", is_flag=True, help="Ask for no token; on this machine's own address only.")
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@click.option("--max-upload", type=_Size(), default="2GB", show_default=True, help="Largest upload of one scan.")
@click.option("--max-sessions", type=click.IntRange(1, 1000), default=8, show_default=True, help="Most open scans.")
@click.option("--memory", type=_Size(), default="4GB", show_default=True, help="Most memory of all open scans.")
@click.option(
    "--idle-minutes", type=click.FloatRange(0.01), default=60, show_default=True, help="Unused sessions end after it."
)
@click.option("--allow-host", "allow_hosts", multiple=True, help="Another name under which the server is reached.")
@click.option("--allow-origin", "allow_origins", multiple=True, help="Origin of another page that may use the API.")
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Bundle folder, or the name of a bundle in the package; the default model when absent.",
)
@click.option(
    "--backend", type=click.Choice(["openvino", "onnxruntime"]), default="openvino", show_default=True, help="Runtime."
)
@click.option(
    "--precision", type=click.Choice(["auto", "f32", "bf16", "int8"]), default="auto", show_default=True,
    help="Arithmetic, see litemedsam-infer.",
)  # fmt: skip
@click.option(
    "--threads", type=click.IntRange(1, MOST_THREADS), help="Threads to compute with; all that may be used when absent."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the automatic prompts.")
@click.option(
    "--cache-mb", type=click.FloatRange(0), default=512, show_default=True, help="Most memory for embeddings."
)
@click.version_option(__version__, prog_name="litemedsam-serve")
def main(**given: Any) -> None:
    """Serve a page to draw boxes and see masks, and an API for programs.

    SCANS are files and folders that the page offers, as those of --data. Everything stays on this machine: the server
    listens on 127.0.0.1, asks for a token, which the printed address contains, and fetches nothing from the network.
    """
    token = _token(given)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        from ..engine.settings import EngineSettings
        from .settings import ServerSettings

        engine = EngineSettings(
            given["model"], given["backend"], given["precision"], "corrected", given["threads"], given["seed"],
            given["cache_mb"],
        )  # fmt: skip
        settings = ServerSettings(
            engine,
            given["host"],
            given["port"],
            token,
            (*given["scans"], *given["data"]),
            given["max_upload"],
            given["max_sessions"],
            given["memory"],
            60 * given["idle_minutes"],
            given["allow_hosts"],
            given["allow_origins"],
        )
        _serve(settings, not given["no_browser"])
    except LiteMedSamError as error:
        raise click.ClickException(str(error)) from error


def _token(given: dict[str, Any]) -> str:
    from .security.hosts import is_loopback

    if given["no_token"]:
        if given["token"]:
            raise click.UsageError("--token and --no-token exclude each other")
        if not is_loopback(given["host"]):
            raise click.UsageError(f"--no-token goes with --host 127.0.0.1 alone, not with {given['host']}")
        return ""
    token: str = given["token"] or secrets.token_urlsafe(_TOKEN_BYTES)
    if len(token) < _SHORTEST_TOKEN or re.fullmatch(r"[A-Za-z0-9._~-]+", token) is None:
        raise click.UsageError(
            f"--token has {len(token)} characters, expected at least {_SHORTEST_TOKEN} of A-Z a-z 0-9 . _ ~ -"
        )
    return token


def _serve(settings: Any, browse: bool) -> None:
    try:
        from .launch import serve
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "anyio"):
            raise
        raise LiteMedSamError(f"{error.name} is not installed", 'pip install "litemedsam[serve]"') from error
    serve(settings, browse, lambda line: click.echo(readable(line)))


def command() -> None:
    """`main` as a process of its own."""
    run_command(main)
