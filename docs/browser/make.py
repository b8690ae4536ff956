"""What a site needs to run Python in the reader's browser, in a folder: `python docs/browser/make.py FOLDER`.

Pyodide is CPython for browsers, from npm, without NumPy; @emscripten-forge/numpy, from npm too, is NumPy built by the
same compiler for the same Python. These versions belong together: another Python or Emscripten could not load the
other's libraries. numseq is its own wheel; what it imports and is plain Python comes from PyPI; of what has no build
for browsers there are stand-ins. Needs npm, pip and, while it runs, their registries.
"""

import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PYODIDE = "pyodide@0.27.7"  # Python 3.12, Emscripten 3.1.58
NUMPY = "@emscripten-forge/numpy@2.0.1-py312h4e66579-0"
PYTHON = ["pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"]
PURE = ["threadpoolctl", "tqdm"]
LEFT_OUT = re.compile(
    r"/tests/|_(?:operand_flag|rational|struct_ufunc|umath)_tests\.|/_simd\.|/f2py/|/distutils/|/_pyinstaller/|\.(?:a|pyi)$"
)


def pack(name: str, folder: Path) -> tarfile.TarFile:
    """A package of npm. Raises: CalledProcessError, with what npm said."""
    said = subprocess.run(["npm", "pack", "--json", name], cwd=folder, check=True, capture_output=True, text=True)
    return tarfile.open(folder / json.loads(said.stdout)[0]["filename"])


def zipped(path: Path, files: dict[str, bytes]) -> None:
    """A zip file with these, the same from the same."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)


def python(folder: Path, work: Path) -> None:
    with pack(PYODIDE, work) as package:
        for name in PYTHON:
            (folder / name).write_bytes(package.extractfile(f"package/{name}").read())


def numpy(folder: Path, work: Path) -> None:
    with pack(NUMPY, work) as package:
        [inner] = [name for name in package.getnames() if name.endswith(".tar.gz")]
        content = package.extractfile(inner).read()
    with tarfile.open(fileobj=io.BytesIO(content)) as built:
        start = "lib/python3.12/site-packages/"
        parts = [part for part in built if part.isfile() and part.name.startswith(start + "numpy/")]
        files = {part.name[len(start) :]: built.extractfile(part).read() for part in parts}
    zipped(folder / "numpy.zip", {name: content for name, content in files.items() if not LEFT_OUT.search(name)})


def wheels(folder: Path, work: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet"]
    source = work / "source"  # a copy, since a build leaves traces, which the next would take in
    shutil.copytree(ROOT / "numseq", source / "numseq", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", *(path.name for path in ROOT.glob("LICENSE*"))):
        shutil.copy(ROOT / name, source)
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", work / "own", source], check=True)
    [own] = (work / "own").glob("*.whl")
    shutil.copy(own, folder / "numseq.whl")
    subprocess.run([*pip, "download", "--no-deps", "--dest", work / "pure", *PURE], check=True)
    files = {}
    for path in sorted((work / "pure").glob("*.whl")):
        with zipfile.ZipFile(path) as archive:
            files |= {name: archive.read(name) for name in archive.namelist() if name.endswith(".py")}
    zipped(folder / "pure.zip", files)


def ours(folder: Path) -> None:
    paths = [HERE / "kernel.py", *(HERE / "stand_ins").rglob("*.py")]
    names = {path: path.relative_to(HERE).as_posix().removeprefix("stand_ins/") for path in paths}
    zipped(folder / "kernel.zip", {names[path]: path.read_bytes() for path in paths})
    shutil.copy(HERE / "worker.mjs", folder)


def make(folder: Path) -> None:
    """Fill the folder; what came from registries stays there from one time to the next."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        if not (folder / "numpy.zip").exists():
            python(folder, work)
            numpy(folder, work)
        wheels(folder, work)
    ours(folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
