"""Storage formats of WFDB signal files: bytes to digital samples, and how many bytes they take.

Written from signal(5) of the WFDB Applications Guide, so that the fields of a header are parsed in one place alone
(wfdb_header.py) whatever the format is; wfdb, whose decoders cannot be had without its parser, is the tests' oracle.
"""

import numpy as np
from jaxtyping import Integer

# The digital value that says "no measurement", by storage format; format 8 has none.
INVALID = {
    **{"8": None, "80": -(2**7), "212": -(2**11), "310": -(2**9), "311": -(2**9)},
    **{"16": -(2**15), "61": -(2**15), "160": -(2**15), "24": -(2**23), "32": -(2**31)},
    **{"508": -(2**7), "516": -(2**15), "524": -(2**23)},
}
FLAC_BITS = {"508": 8, "516": 16, "524": 24}  # the compressed formats: their files have no size of their own
# Bytes that the first 0, 1, ... values of a block need; the last is the block.
_BLOCKS = {
    **dict.fromkeys(("8", "80"), (0, 1)),
    **dict.fromkeys(("16", "61", "160"), (0, 2)),
    **{"24": (0, 3), "32": (0, 4), "212": (0, 2, 3), "310": (0, 2, 4, 4), "311": (0, 2, 3, 4)},
}
_DTYPES = {"8": "i1", "80": "u1", "16": "<i2", "61": ">i2", "160": "<u2", "32": "<i4"}
PACKED = {storage for storage, block in _BLOCKS.items() if len(block) > 2}  # may end in padding
LARGEST_PADDING = 3  # bytes: less than a block


def n_bytes(storage: str, n_values: int) -> int:
    """Bytes that so many samples need, signals together; of a format with a size of its own."""
    block = _BLOCKS[storage]
    whole, rest = divmod(n_values, len(block) - 1)
    return whole * block[-1] + block[rest]


def n_values(storage: str, size: int) -> int:
    """Number of whole samples in so many bytes, signals together."""
    block = _BLOCKS[storage]
    whole, rest = divmod(size, block[-1])
    return whole * (len(block) - 1) + sum(needed <= rest for needed in block[1:])


def decode(storage: str, content: bytes, count: int) -> Integer[np.ndarray, " value"]:
    """The first `count` samples of `content`, which begins with a whole block; format 8 gives its differences."""
    if storage in _DTYPES:
        values = np.frombuffer(content, _DTYPES[storage], count)
        return values - np.int32(INVALID[storage] * -1) if storage in ("80", "160") else values
    block = _BLOCKS[storage]
    n_blocks = -(-count // (len(block) - 1))
    padded = np.frombuffer(content.ljust(n_blocks * block[-1], b"\0"), np.uint8)[: n_blocks * block[-1]]
    bytes_ = padded.reshape(n_blocks, block[-1]).astype(np.int32)
    return _UNPACK[storage](*bytes_.T).T.reshape(-1)[:count]


def _signed(values: Integer[np.ndarray, "*shape"], bits: int) -> Integer[np.ndarray, "*shape"]:
    """Two's complement of so many bits."""
    sign = 1 << (bits - 1)
    return (values & ((1 << bits) - 1) ^ sign) - sign


def _unpack_24(low, middle, high) -> Integer[np.ndarray, "value block"]:
    return _signed(np.stack([low | middle << 8 | high << 16]), 24)


def _unpack_212(low, both, high) -> Integer[np.ndarray, "value block"]:
    """The middle byte holds the upper bits of two samples."""
    return _signed(np.stack([low | both << 8, high | both >> 4 << 8]), 12)


def _unpack_310(a, b, c, d) -> Integer[np.ndarray, "value block"]:
    """Two 16-bit words, each with a sample above its lowest bit; their upper five bits are the third."""
    first, second = a | b << 8, c | d << 8
    return _signed(np.stack([first >> 1, second >> 1, first >> 11 | second >> 11 << 5]), 10)


def _unpack_311(a, b, c, d) -> Integer[np.ndarray, "value block"]:
    """Three samples in the lower 30 bits of a word."""
    return _signed(np.stack([a | b << 8, b >> 2 | c << 6, c >> 4 | d << 4]), 10)


_UNPACK = {"24": _unpack_24, "212": _unpack_212, "310": _unpack_310, "311": _unpack_311}
