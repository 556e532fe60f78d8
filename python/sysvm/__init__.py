# SPDX-License-Identifier: MIT
"""sysvm in Python: recordings as pandas DataFrames, what repeats in them, and procedure files.

    >>> import sysvm
    >>> t = sysvm.open("grep.trace")
    >>> t.df().groupby("call").dur_ns.sum().sort_values()

The work is done in C++; this package gives it its shape. Nothing here makes a Python object for each event.
"""
from ._sysvm import Error
from .arrow_in import frame as from_arrow
from .compared import Diff, diff
from .mining import Mined, Part, Sequence, merge, mine, mine_part
from .procs import Procedure, ProcedureFile, load
from .trace import FLAGS, Trace, chunks, open

__all__ = ["FLAGS", "Diff", "Error", "Mined", "Part", "Procedure", "ProcedureFile", "Sequence", "Trace",
           "chunks", "diff", "from_arrow", "load", "merge",
           "mine", "mine_part", "open"]
