"""The file formats that data sets are published in, read from verified bytes into arrays."""

import math
import struct

import numpy as np
import numpy.typing as npt


def idx(content: bytes, dimensions: int) -> npt.NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes, read-only.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions; each dimension's
    size as a big-endian 32-bit integer; the bytes, the last dimension running fastest.

    Raises ValueError that says what is wrong, as what follows a file's name.
    """
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, 8, dimensions)):
        raise ValueError(f"doesn't begin as an IDX file of bytes in {dimensions} dimensions")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    size = header + math.prod(shape)
    if len(content) != size:
        raise ValueError(f"has {len(content)} bytes where its header announces {size}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
