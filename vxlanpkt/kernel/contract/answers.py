"""What functions over batches return in place of a count, when nothing was done.

Of several things that are wrong the first one is said, in this order: OVERLAP, WRONG_COLUMNS, NO_SPACE, UNSOUND. The C
kernel also says NO_SPACE of a table that somebody wrote over.
"""

from __future__ import annotations

# The output is too small, or overlaps the input; columns are not as wide or as long as they have to be; a filter's
# program asks for what is not there.
NO_SPACE, OVERLAP, WRONG_COLUMNS, UNSOUND = -1, -2, -3, -4
