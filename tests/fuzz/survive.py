"""Reads files as one process of the tests: ``python survive.py READER [--damaged COUNT --seed SEED] FILE...``.

Every file, then COUNT damaged copies of them, must end in a result or a refusal, each within twenty seconds of
computing and one gigabyte beyond what the process takes without any. The first that does not is named, and the exit
code is 1.
"""

import argparse
import faulthandler
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
os.environ["LITEMEDSAM_CACHE"] = ""

import readers  # noqa: E402
from mutate import mutated  # noqa: E402

# Hangs are looked for; a file is read up to seven times, and one machine is half as fast as another.
SECONDS = 20
# Of waiting, too; a busy machine is no hang.
PATIENCE = 60
MEMORY = 1_000_000_000


def _status(key: str) -> int:
    """A figure of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def _limit_memory(read, path: Path, known_good: bytes) -> None:
    # Once before, so that libraries and their threads are there.
    path.write_bytes(known_good)
    read(path)
    limit = _status("VmSize") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("reader", choices=readers.READERS)
    arguments.add_argument("files", nargs="+", type=Path)
    arguments.add_argument("--damaged", type=int, default=0)
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    read, suffix = readers.READERS[given.reader]
    warnings.simplefilter("ignore")
    contents = [file.read_bytes() for file in given.files]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"input{suffix}"
        _limit_memory(read, path, contents[0])
        for number in range(len(contents) + given.damaged):
            name = given.files[number % len(contents)].name
            content = contents[number % len(contents)]
            if number >= len(contents):
                name, content = f"{name}, damaged by {given.seed + number}", mutated(content, given.seed + number)
            path.write_bytes(content)
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            start = time.process_time()
            try:
                read(path)
            except Exception:  # noqa: BLE001 - whatever is no refusal is what is looked for
                print(f"{name}: raised\n{traceback.format_exc()}")
                return 1
            seconds = time.process_time() - start
            faulthandler.cancel_dump_traceback_later()
            if seconds > SECONDS:
                print(f"{name}: took {seconds:.1f} s")
                return 1
    print(f"{len(contents) + given.damaged} inputs, {len(readers.refusals())} refusals")
    return 0


if __name__ == "__main__":
    sys.exit(main())
