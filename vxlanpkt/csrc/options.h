/* Outer IPv4 options and IPv6 extension headers, as a host judges them: the twin of kernel/python/options.py.
 *
 * Each length is read once, as another thread may write into the buffer.
 */

enum { OPTION_END = 0, OPTION_NOP = 1, RECORD_ROUTE = 7, TIMESTAMP = 68, ROUTER_ALERT = 148 };
enum { LOOSE_SOURCE_ROUTE = 131, LABEL = 134, STRICT_SOURCE_ROUTE = 137 };
enum { WITH_ADDRESSES = 1, PRESPECIFIED = 3, OVERFLOWED = 15 };
enum { PAD1 = 0, PADN = 1, ROUTER_ALERT6 = 5, LABEL6 = 7, TRACE = 49, MULTICAST = 0xFF };
enum { MOST_PADDING = 7, MOST_OPTIONS = 8 };

/* Whether the pointer of a recording option is behind its header, and leads to a whole slot or to the end. */
COLD bool has_room(const uint8_t *option, uint64_t length, uint32_t kind)
{
    uint32_t header = kind == RECORD_ROUTE ? 3 : 4;
    if (length < header || option[2] <= header)
        return false;
    uint32_t pointer = option[2], marks = kind == TIMESTAMP ? option[3] : 0, flag = marks & 0xF;
    if (pointer <= length)
        return pointer + (flag == WITH_ADDRESSES || flag == PRESPECIFIED ? 7 : 3) <= length;
    return kind == RECORD_ROUTE || flag == PRESPECIFIED || marks >> 4 < OVERFLOWED;
}

/* Whether a host accepts IPv4 options (RFC 791 section 3.1). */
COLD bool are_sound_options(const uint8_t *options, uint64_t size)
{
    bool recorded = false, stamped = false;
    for (uint64_t at = 0; at < size && options[at] != OPTION_END;) {
        uint32_t kind = options[at];
        if (kind == OPTION_NOP) {
            at++;
            continue;
        }
        uint64_t length = size - at >= 2 ? options[at + 1] : 0;
        if (length < 2 || length > size - at)
            return false;
        if (kind == LOOSE_SOURCE_ROUTE || kind == STRICT_SOURCE_ROUTE || kind == LABEL)
            return false;
        if (kind == ROUTER_ALERT && length < 4)
            return false;
        if (kind == RECORD_ROUTE || kind == TIMESTAMP) {
            bool *seen = kind == RECORD_ROUTE ? &recorded : &stamped;
            if (*seen || !has_room(options + at, length, kind))
                return false;
            *seen = true;
        }
        at += length;
    }
    return true;
}

COLD bool is_zero(const uint8_t *bytes, uint64_t size)
{
    uint8_t found = 0;
    for (uint64_t at = 0; at < size; at++)
        found |= bytes[at];
    return found == 0;
}

/* RFC 8200 section 4.2: the two high bits of an unknown option say what becomes of the packet. */
COLD bool is_sound_option6(uint32_t kind, uint64_t length, uint64_t offset, bool hop_by_hop)
{
    if (hop_by_hop && kind == ROUTER_ALERT6)
        return length == 4;
    if (hop_by_hop && kind == TRACE)
        return offset % 4 == 0;
    return !(kind >> 6) && !(hop_by_hop && kind == LABEL6);
}

COLD bool are_sound_options6(const uint8_t *options, uint64_t size, bool hop_by_hop)
{
    uint64_t count = 0, padding = 0;
    for (uint64_t at = 0; at < size;) {
        uint32_t kind = options[at];
        uint64_t left = size - at;
        uint64_t length = kind == PAD1 ? 1 : left >= 2 ? options[at + 1] + 2u : left + 1;
        if (length > left)
            return false;
        if (kind == PAD1 || kind == PADN) {
            padding += length;
            if (padding > MOST_PADDING || (kind == PADN && !is_zero(options + at + 2, length - 2)))
                return false;
        } else {
            padding = 0;
            /* The options begin two bytes into their header. */
            if (++count > MOST_OPTIONS || !is_sound_option6(kind, length, at + 2, hop_by_hop))
                return false;
        }
        at += length;
    }
    return true;
}

/* Whether Open vSwitch finds its way through the extension headers of a sound IPv6 packet. To it only a fragment header
 * without any bit set is that of an atomic fragment. */
COLD bool are_known_extensions(const uint8_t *header, uint64_t size)
{
    uint32_t key = header[6];
    for (uint64_t at = 40; size - at >= 8;) {
        uint64_t length = extension_length(key, header[at + 1]);
        if (length > size - at || key == MOBILITY || key == HIP || key == SHIM6)
            return false;
        if (key == FRAGMENT && load16(header + at + 2))
            return false;
        key = header[at];
        at += length;
    }
    return true;
}

/* Whether a host accepts the extension headers of a sound IPv6 packet (RFC 8200 section 4). */
COLD bool are_sound_extensions(const uint8_t *header, uint64_t size)
{
    uint32_t key = header[6];
    for (uint64_t at = 40; size - at >= 8;) {
        const uint8_t *extension = header + at;
        uint64_t length = extension_length(key, extension[1]);
        if (length > size - at || key == MOBILITY || key == HIP || key == SHIM6)
            return false;
        bool for_routers = extension[2] == RPL_ROUTING || extension[2] == SEGMENT_ROUTING || header[24] == MULTICAST;
        if (key == ROUTING && (extension[3] || for_routers))
            return false;
        bool has_options = key == HOP_BY_HOP || key == DESTINATION;
        if (has_options && !are_sound_options6(extension + 2, length - 2, key == HOP_BY_HOP))
            return false;
        key = extension[0];
        at += length;
    }
    return true;
}
