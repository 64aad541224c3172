"""The Python kernel: the specification that any other must equal, status by status and byte by byte.

Callers have a kernel hold what it is to use again and again (`hold_...`): it turns that into a form of
its own, which nobody else looks into. Functions over batches write every element of every column,
return the number of rows that are OK, never raise on content, and check each row against the buffer
themselves.
"""

from vxlanpkt._names import loaded_on_use
from vxlanpkt.kernel.contract.functions import FUNCTIONS

__getattr__ = loaded_on_use(__name__, FUNCTIONS)
