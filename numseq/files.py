"""Writing files so that a crash at any moment leaves the old one or the new one, never half of one."""

import contextlib
import errno
import os
from os import PathLike
from pathlib import Path


def write_atomically(path: str | PathLike, data: bytes) -> None:
    """Write bytes so that `path` holds either what it held or all of `data`, whatever happens meanwhile.

    The bytes go to another name first, are forced to the disk, and then take their place in one step.

    Raises: OSError, naming `path`.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        path.write_bytes(data)  # a pipe or a device, such as /dev/stdout, must not be replaced by a file
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None
    if os.name == "posix":  # only there can a folder be opened, to make the new name, too, outlive a power cut
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
