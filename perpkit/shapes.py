"""The types of arrays: dtype and axes, named in short as they stand in every annotation.

The letters of an axis are told in :mod:`perpkit.arrays`.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from perpkit.layout import Axes

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I8 = NDArray[np.int8]
B8 = NDArray[np.bool_]
Records = Any  # a structured array; rules reach its fields as attributes, compiled or not

FT = Annotated[F64, Axes("f8", ("T",))]
FA = Annotated[F64, Axes("f8", ("A",))]
FM = Annotated[F64, Axes("f8", ("M",))]
FK = Annotated[F64, Axes("f8", ("K",))]
FN = Annotated[F64, Axes("f8", ("N",))]
FJ = Annotated[F64, Axes("f8", ("J",))]
FCK = Annotated[F64, Axes("f8", ("C", "K"))]
FCKT = Annotated[F64, Axes("f8", ("C", "K", "T"))]
FW = Annotated[F64, Axes("f8", ("W",))]
FD = Annotated[F64, Axes("f8", ("D",))]
FTD = Annotated[F64, Axes("f8", ("T", "D"))]
FTA = Annotated[F64, Axes("f8", ("T", "A"))]
FTM = Annotated[F64, Axes("f8", ("T", "M"))]
FTX = Annotated[F64, Axes("f8", ("T", "X"))]
FPI = Annotated[F64, Axes("f8", ("P", "I"))]
FTK = Annotated[F64, Axes("f8", ("T", "K"))]
FTS = Annotated[F64, Axes("f8", ("T", "S"))]
FTZ = Annotated[F64, Axes("f8", ("T", "Z"))]
FTU = Annotated[F64, Axes("f8", ("T", "U"))]
IT = Annotated[I64, Axes("i8", ("T",))]
IA = Annotated[I64, Axes("i8", ("A",))]
IM = Annotated[I64, Axes("i8", ("M",))]
IK = Annotated[I64, Axes("i8", ("K",))]
IN = Annotated[I64, Axes("i8", ("N",))]
IC = Annotated[I64, Axes("i8", ("C",))]
IW = Annotated[I64, Axes("i8", ("W",))]
IJ = Annotated[I64, Axes("i8", ("J",))]
I1 = Annotated[I64, Axes("i8", ("one",))]
I3 = Annotated[I64, Axes("i8", ("three",))]
CTU = Annotated[I8, Axes("i1", ("T", "U"))]
BA = Annotated[B8, Axes("?", ("A",))]
BM = Annotated[B8, Axes("?", ("M",))]
BK = Annotated[B8, Axes("?", ("K",))]
BCK = Annotated[B8, Axes("?", ("C", "K"))]
BTQ = Annotated[B8, Axes("?", ("T", "Q"))]
BTW = Annotated[B8, Axes("?", ("T", "W"))]
BW = Annotated[B8, Axes("?", ("W",))]
ITG = Annotated[I64, Axes("i8", ("T", "G"))]
CTG = Annotated[I8, Axes("i1", ("T", "G"))]
FTG = Annotated[F64, Axes("f8", ("T", "G"))]
ITW = Annotated[I64, Axes("i8", ("T", "W"))]
BTY = Annotated[B8, Axes("?", ("T", "Y"))]
BTM = Annotated[B8, Axes("?", ("T", "M"))]
BTK = Annotated[B8, Axes("?", ("T", "K"))]
BTS = Annotated[B8, Axes("?", ("T", "S"))]
CTL = Annotated[I8, Axes("i1", ("T", "L"))]
CL = Annotated[I8, Axes("i1", ("L",))]
FTV = Annotated[F64, Axes("f8", ("T", "V"))]
FTB = Annotated[F64, Axes("f8", ("T", "B"))]
ITO = Annotated[I64, Axes("i8", ("T", "O"))]
FTR = Annotated[F64, Axes("f8", ("T", "R"))]
FR = Annotated[F64, Axes("f8", ("R",))]
FH = Annotated[F64, Axes("f8", ("H",))]
IH = Annotated[I64, Axes("i8", ("H",))]
BH = Annotated[B8, Axes("?", ("H",))]
