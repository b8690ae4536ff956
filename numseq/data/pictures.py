"""Pictures of files, of whatever kind, as numbers of one size: (rows, columns, 3), red, green and blue from 0 to 1.

A picture is turned as its EXIF orientation says, what is transparent is laid on white, and grey is put into all three
colours. Then it is made smaller or larger until it just covers the size that is wanted, and its middle is cut out: what
is shown keeps its proportions, and what sticks out at two sides is lost. So do Xu et al. 2015, who scale the short side
to 256 and take the 224 x 224 in the middle.
"""

import warnings
from os import PathLike
from typing import Any

import numpy as np

from numseq import arguments
from numseq.data.reading import DataError
from numseq.errors import ConfigError

MOST = 1 << 26  # pixels: what is larger would take gigabytes, and is rarely meant
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # grey of 16 bits, which pillow would cut off at 255
Size = tuple[int, int]  # rows, columns


def read_picture(path: str | PathLike, size: Size) -> np.ndarray:
    """Read a picture that pillow knows (PNG, JPEG, GIF, WebP, TIFF and others); of one that moves, its first frame.

    Args: path. size, (rows, columns).
    Returns: (rows, columns, 3) float32, from 0 to 1.
    Raises: DataError, one line that names the file and says what to do, when it is missing, no picture, cut short or
        larger than MOST pixels; ConfigError, without pillow.
    """
    size = as_size(size)
    image_module, operations = pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; and what pillow finds too large is MOST's affair
            with _opened(image_module, path) as image:
                if image.width * image.height > MOST:
                    raise DataError(
                        f"{path}: {image.height:,} x {image.width:,} pixels, and at most {MOST:,} are read: make it "
                        "smaller, or leave it out"
                    )
                return _numbers(path, operations.exif_transpose(image), size)
    except (DataError, MemoryError):
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except image_module.UnidentifiedImageError:
        raise DataError(f"{path}: not a picture that pillow can read: convert it to PNG, or leave it out") from None
    except image_module.DecompressionBombError:
        raise DataError(f"{path}: more than {MOST:,} pixels: make it smaller, or leave it out") from None
    except OSError as error:
        if error.errno:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from None
        raise DataError(_damaged(path)) from None
    except Exception:  # each kind of picture has its own, as SyntaxError
        raise DataError(_damaged(path)) from None


def as_size(size: Size) -> Size:
    """(rows, columns), checked. Raises: ArgumentError."""
    rows, columns = arguments.pair(size, "size", "(rows, columns)")
    return arguments.whole(rows, "size[0]", least=1), arguments.whole(columns, "size[1]", least=1)


def pillow() -> tuple[Any, Any]:
    """Its modules Image and ImageOps. Raises: ConfigError, where it is not installed."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ConfigError(f"pictures are read with pillow ({error}): pip install 'numseq[pictures]'") from None
    return Image, ImageOps


def _opened(image_module, path):
    if arguments.path(path, "path").is_dir():
        raise DataError(f"{path}: a folder, and no picture")
    return image_module.open(path)


def _damaged(path):
    return f"{path}: damaged or cut short: fetch it again, or leave it out"


def _numbers(path, image, size):
    image_module, operations = pillow()
    rows, columns = size
    how = {"size": (columns, rows), "method": image_module.Resampling.BILINEAR}
    if image.mode in (*DEEP, "F"):
        grey, most = np.asarray(image, dtype=np.float32), 1 if image.mode == "F" else 65535
        if not (grey.min() >= 0 and grey.max() <= most):
            raise DataError(
                f"{path}: numbers from {grey.min():g} to {grey.max():g}, and not from 0 to {most}: scale it first, or "
                "leave it out"
            )
        fitted = operations.fit(image_module.fromarray(grey / np.float32(most)), **how)
        return np.repeat(np.asarray(fitted)[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = image_module.alpha_composite(image_module.new("RGBA", image.size, "white"), image)
    return np.asarray(operations.fit(image.convert("RGB"), **how), dtype=np.float32) / np.float32(255)
