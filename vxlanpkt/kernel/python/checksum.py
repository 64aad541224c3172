"""The Internet checksum: the core's own functions."""

from vxlanpkt.checksum import internet_checksum as internet_checksum
from vxlanpkt.checksum import ones_complement_sum as ones_complement_sum
from vxlanpkt.checksum import transport_checksum as transport_checksum
