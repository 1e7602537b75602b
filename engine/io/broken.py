"""What reading raises for files that break their format."""

import struct
import zlib

# NotImplementedError and RecursionError are RuntimeErrors; Pillow's readers raise SyntaxError.
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    SyntaxError,
    struct.error,
    zlib.error,
)
