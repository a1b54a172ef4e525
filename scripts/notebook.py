"""Execute the notebooks of docs/examples again, against a local stack of their own (make notebook).

What is stored holds no port and no path of this machine, so that it changes only when an answer
or the look of one does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from gridwell.local_stack.memcached import free_port

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "examples"
URL = "http://127.0.0.1:8080"  #: as readers see it


def main() -> None:
    """Start a stack, execute every notebook, end the stack."""
    with tempfile.TemporaryDirectory(prefix="gridwell-notebook-") as folder:
        state = f"--state={folder}/stack"
        try:
            up = gridwell("local", "up", "--detach", "--json", f"--port={free_port()}", state)
            url = json.loads(up.stdout)["url"]
            os.environ["GRIDWELL_URL"] = url
            os.environ.pop("GRIDWELL_KEY", None)
            for path in sorted(FOLDER.glob("*.ipynb")):
                execute(path, url)
                print(path.name)
        finally:
            gridwell("local", "down", state)


def gridwell(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the command `gridwell`."""
    command = [sys.executable, "-m", "gridwell", *arguments]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE)


def execute(path: Path, url: str) -> None:
    """Execute a notebook, and store it with what its cells showed."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=120, record_timing=False, resources={"metadata": {"path": str(FOLDER)}}
    )
    client.execute()
    notebook.metadata["language_info"] = {"name": "python"}  # versions would change for nothing
    path.write_text(nbformat.writes(notebook).replace(url, URL) + "\n")


if __name__ == "__main__":
    main()
