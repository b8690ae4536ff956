"""A long list as a JSON file: written while its elements come, and at its place when all have come."""

import json
import mmap
import tempfile
from contextlib import contextmanager


@contextmanager
def json_list(path):
    """A function that takes the elements one by one. They wait on the disk, and not in memory, until the end of the
    `with`; an error within it leaves no file. Args: path, None for no file.
    """
    if path is None:
        yield lambda element: None
        return
    from numseq.files import write_atomically

    beside = path.parent if path.is_file() or not path.exists() else None  # not where devices are
    with tempfile.TemporaryFile(dir=beside) as file:
        before = b"["

        def keep(element):
            nonlocal before
            file.write(before + json.dumps(element).encode())
            before = b", "

        yield keep
        file.write(b"[]\n" if before == b"[" else b"]\n")
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            write_atomically(path, data)
