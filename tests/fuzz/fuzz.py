"""Coverage-guided fuzzing of one reader.

    pip install atheris
    python tests/fuzz/fuzz.py READER WORK_FOLDER -max_total_time=600

READER is a key of `readers.READERS`. WORK_FOLDER keeps what reaches new code; it begins with what earlier runs kept in
``reached/READER.zip``. Under ``findings`` lies one input for
each place at which a reader raised anything but `LiteMedSamError`; inputs that crash the process, take longer than
five seconds or more than 1 GB are left in ``findings`` by libFuzzer. What was found goes to ``corpus/READER`` once
it is fixed. Other arguments go to libFuzzer.
"""

import hashlib
import os
import sys
import tempfile
import traceback
import warnings
import zipfile
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ["LITEMEDSAM_CACHE"] = ""

with atheris.instrument_imports(
    include=[
        "litemedsam",
        "nibabel",
        "pydicom",
        "nrrd",
        "PIL",
        "zipfile",
        "gzip",
        "json",
        "numpy.lib",
        "torch.serialization",
    ]
):
    from mutate import mutated
    from readers import READERS


def main() -> None:
    reader, work, *options = sys.argv[1:]
    read, suffix = READERS[reader]
    findings = Path(work) / "findings"
    findings.mkdir(parents=True, exist_ok=True)
    reached = HERE / "reached" / f"{reader}.zip"
    if reached.is_file():
        zipfile.ZipFile(reached).extractall(work)
    path = Path(tempfile.mkdtemp()) / f"input{suffix}"
    warnings.simplefilter("ignore")
    seen = set()

    def one(data: bytes) -> None:
        path.write_bytes(data)
        try:
            read(path)
        except Exception as error:  # noqa: BLE001 - every other exception is what is looked for
            places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
            key = hashlib.sha256("\n".join([type(error).__name__, *places[-3:]]).encode()).hexdigest()[:12]
            if key not in seen and not (findings / key).exists():
                seen.add(key)
                (findings / key).write_bytes(data)
                (findings / f"{key}.txt").write_text("".join(traceback.format_exception(error)))
                print(f"finding {key}: {type(error).__name__}: {error} at {places[-1]}", flush=True)

    def mutate(data: bytes, limit: int, seed: int) -> bytes:
        changed = mutated(data, seed) if seed % 2 and data else atheris.Mutate(data, limit)
        return changed[:limit]

    arguments = [
        sys.argv[0],
        "-timeout=5",
        "-rss_limit_mb=1500",
        "-malloc_limit_mb=1000",
        "-max_len=20000",
        f"-artifact_prefix={findings}/",
        *options,
        work,
        str(HERE / "corpus" / reader),
    ]
    atheris.Setup(arguments, one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
