"""How numbers are written as text, and how many digits they may have.

Twelve digits and six decimals are as much as every database here can tell apart without rounding; zeros
behind the decimals say nothing and may stand there.
"""

from __future__ import annotations

from typing import Final

WHOLE_DIGITS: Final = 18
DIGITS: Final = 12
DECIMALS: Final = 6
ZEROS: Final = 14

WHOLE: Final = rf"\A[+-]?[0-9]{{1,{WHOLE_DIGITS}}}(?:[.]0{{1,{DECIMALS + ZEROS}}})?\Z"
NUMBER: Final = rf"\A[+-]?[0-9]{{1,{DIGITS}}}(?:[.][0-9]{{1,{DECIMALS}}}0{{0,{ZEROS}}})?\Z"
