"""Every file operation of this process under a folder, seen as it is made, by whatever name."""

import _pyio
import builtins
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any
from unittest import mock

NO_CALLS = ("fspath", "urandom")  # functions of os whose argument looks like a file


@dataclass
class Operation:
    """One call to the system that is about to be made: its name in `os` or `fcntl`, its arguments, and the path of the
    file, also where it is called by a descriptor."""

    name: str
    path: str
    args: tuple
    call: Callable[..., Any]

    def do(self) -> Any:
        return self.call(*self.args)

    def do_half(self) -> int:
        """Write the first half of the bytes. Returns: how many."""
        number, data = self.args
        return self.call(number, memoryview(data).cast("B")[: len(data) // 2])

    @property
    def writes(self) -> bool:
        return self.name == "write" and len(self.args[1]) > 1

    @property
    def takes_space(self) -> bool:
        return self.name in ("write", "mkdir") or (self.name == "open" and bool(self.args[1] & os.O_CREAT))


@contextmanager
def watched(folder: str | PathLike, meet: Callable[[Operation], Any]) -> Iterator[None]:
    """A block in which each operation on the folder and what is in it is handed to meet(operation), whose result is
    that of the call.

    Functions of `os` and `fcntl` are replaced, and files are those of Python's own implementation in Python, which
    calls these: so nothing goes by unseen, and each operation is one call to the system.
    """
    folder, paths = os.path.abspath(folder), {}  # of descriptors that are open

    def path_of(args):
        for arg in args[:2]:
            if isinstance(arg, int):
                return paths.get(arg)
            if isinstance(arg, str | PathLike) and f"{os.path.abspath(arg)}/".startswith(f"{folder}/"):
                return os.path.abspath(arg)
        return None

    def seen(name, function):
        def call(*args, **kwargs):
            path = path_of(args)
            if path is None:
                return function(*args, **kwargs)
            result = meet(Operation(name, path, args, lambda *args: function(*args, **kwargs)))
            if name == "open":
                paths[result] = path
            elif name == "close":
                del paths[args[0]]
            return result

        return call

    with mock.patch.object(builtins, "open", _pyio.open), mock.patch.object(io, "open", _pyio.open):
        patches = [
            mock.patch.object(module, name, seen(name, function))
            for module in (os, fcntl)
            for name, function in vars(module).items()
            if isinstance(function, BuiltinFunctionType) and name not in NO_CALLS
        ]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


def relative(operation: Operation, folder: str | PathLike) -> str:
    """How an operation is shown: its name and the file, without what differs between two runs."""
    name = os.path.relpath(operation.path, folder)
    return f"{operation.name} {Path(name).name.rsplit('.', 2)[0] + '.part' if name.endswith('.part') else name}"
