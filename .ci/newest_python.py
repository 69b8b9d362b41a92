"""Prints the path of the newest released CPython that this machine has, found by name on PATH and among pyenv's."""

import glob
import json
import os
import subprocess
import sys

ASK = (
    "import json, sys; v = sys.version_info; "
    "print(json.dumps([sys.implementation.name, v.releaselevel, *v[:3], sys.executable]))"
)


def answer(python: str) -> list:
    """[implementation, release level, major, minor, micro, path]; [] of a shim that leads nowhere."""
    done = subprocess.run([python, "-c", ASK], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else []


names = [f"python3.{minor}" for minor in range(11, 40)]
folders = os.environ["PATH"].split(os.pathsep)
found = [os.path.join(folder, name) for folder in folders for name in names]
found += glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python"))
answers = [answer(python) for python in [sys.executable, *filter(os.path.exists, found)]]
print(max((a for a in answers if a[:2] == ["cpython", "final"]), key=lambda a: a[2:5])[5])
