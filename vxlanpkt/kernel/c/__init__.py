"""The C kernel: the names of `contract.functions`, over the compiled `_fastlib`.

What is held is a `Held`: a pointer to a struct of csrc/contract.h, and all that has to live as long.
"""

from vxlanpkt._fastlib import lib as lib  # without which there is no such kernel
from vxlanpkt._names import loaded_on_use
from vxlanpkt.kernel.contract.functions import FUNCTIONS

__getattr__ = loaded_on_use(__name__, FUNCTIONS)
