"""The environment of the peers: made when it is missing or not what ``requirements.txt`` says."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".venv"
REQUIREMENTS = HERE / "requirements.txt"


def prepare() -> None:
    """Make it, with uv where that is installed, else with venv and pip.

    Raises:
        CalledProcessError: a package cannot be had; the installer has said why.
    """
    stamp = FOLDER / "requirements.sha256"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing the peers into benchmarks/.venv", flush=True)
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    python = FOLDER / "bin" / "python"
    if uv:
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, FOLDER], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, "-r", REQUIREMENTS], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
    stamp.write_text(wanted)
