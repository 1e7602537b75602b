"""A stand-in for SLURM's `sbatch` and `scancel`: runs the tasks of a job at once, with SLURM's variables."""

import stat
import sys
from pathlib import Path

_SBATCH = """#!{python}
import os, re, subprocess, sys

arguments, script, wrapped, given = sys.argv[1:], None, None, []
while arguments:
    word = arguments.pop(0)
    if word.startswith("--wrap="):
        wrapped = word.partition("=")[2]
    elif word.startswith("-"):
        given.append(word)
    else:
        script = word
text = "#!/bin/sh\\n" + wrapped if wrapped is not None else open(script).read()
options = re.findall(r"^#SBATCH (\\S+)", text, re.MULTILINE) + given
counter = os.path.join(os.path.dirname(sys.argv[0]), "jobs")
with open(counter, "a+") as file:
    file.seek(0)
    job = len(file.read()) + 1
    file.write("x")
array = [option.partition("=")[2] for option in options if option.startswith("--array=")]
environment = {{**os.environ, "SLURM_JOB_ID": str(job)}}
tasks = [{{}}]
if array:
    first, _, last = array[-1].partition("-")
    last, _, step = (last or first).partition(":")
    indices = range(int(first), int(last) + 1, int(step or 1))
    tasks = [
        {{
            "SLURM_ARRAY_JOB_ID": str(job), "SLURM_ARRAY_TASK_ID": str(index),
            "SLURM_ARRAY_TASK_COUNT": str(len(indices)), "SLURM_ARRAY_TASK_MIN": str(indices[0]),
            "SLURM_ARRAY_TASK_MAX": str(indices[-1]), "SLURM_ARRAY_TASK_STEP": str(indices.step),
        }}
        for index in indices
    ]
for number, task in enumerate(tasks):
    with open(f"slurm-{{job}}_{{number}}.out", "w") as output:
        done = subprocess.{start}(
            ["bash", "-c", text], env={{**environment, **task}}, stdout=output, stderr=output, {apart}
        )
    with open(f"{{counter}}.{{job}}", "a") as file:
        file.write(f"{{getattr(done, 'pid', '')}}\\n")
print(job if "--parsable" in options else f"Submitted batch job {{job}}")
"""

_SCANCEL = """#!{python}
import os, signal, sys

for job in sys.argv[1:]:
    for pid in open(os.path.join(os.path.dirname(sys.argv[0]), f"jobs.{{job}}")).read().split():
        try:
            os.killpg(int(pid), signal.SIGTERM)
        except ProcessLookupError:
            pass
"""


def write_command(path: Path, text: str) -> None:
    """Write a script that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def write_sbatch(folder: Path, in_background: bool = False) -> None:
    """Write `sbatch` and `scancel` into a folder for PATH; in the background, it returns before the job ends."""
    start, apart = ("Popen", "start_new_session=True") if in_background else ("run", "stdin=subprocess.DEVNULL")
    write_command(folder / "sbatch", _SBATCH.format(python=sys.executable, start=start, apart=apart))
    write_command(folder / "scancel", _SCANCEL.format(python=sys.executable))
