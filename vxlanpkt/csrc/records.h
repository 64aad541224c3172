/* Records of capture files: the twin of kernel/python/records.py, which says what is handed out and what is left to the caller.
 */

enum { PCAP_HEAD = 16, BLOCK_HEAD = 12, PACKET_DATA = 28, SIMPLE_DATA = 12 };
enum { LARGEST_BLOCK = (1 << 27) + (1 << 20), MOST_BLOCK_OPTIONS = 1 << 16 };
enum { BLOCK_INTERFACE = 1, BLOCK_OBSOLETE = 2, BLOCK_SIMPLE = 3, BLOCK_ENHANCED = 6, BLOCK_SECTION = 0x0A0D0D0A };
enum { LAST_OPTION = 0, FLAGS_OPTION = 2 };

#define NO_TIMESTAMP INT64_MIN
#define NANOSECONDS 1000000000
#define LARGEST_SECONDS ((uint64_t)INT64_MAX / NANOSECONDS)

/* Columns behind each other, widest items first. */
struct record_columns {
    uint64_t *offset, *raw_timestamp;
    int64_t *timestamp_ns;
    uint32_t *captured_length, *original_length, *length, *frame_length, *interface, *options_length;
    uint8_t *fcs_length, *timed;
};

enum { RECORD_ROW = 3 * 8 + 6 * 4 + 2 };

INLINE struct record_columns lay_out_records(uint8_t *at, uint64_t rows)
{
    struct record_columns to;
    to.offset = take(&at, rows, 8);
    to.raw_timestamp = take(&at, rows, 8);
    to.timestamp_ns = take(&at, rows, 8);
    to.captured_length = take(&at, rows, 4);
    to.original_length = take(&at, rows, 4);
    to.length = take(&at, rows, 4);
    to.frame_length = take(&at, rows, 4);
    to.interface = take(&at, rows, 4);
    to.options_length = take(&at, rows, 4);
    to.fcs_length = take(&at, rows, 1);
    to.timed = take(&at, rows, 1);
    return to;
}

/* One packet, as its container says. */
struct captured {
    uint64_t offset, raw_timestamp;
    uint32_t captured, original, index, options_length, fcs_length;
    bool timed;
};

/* Numbers in a file's byte order; of the shifts compilers make one load. */
INLINE uint32_t file16(const uint8_t *at, bool big_endian)
{
    return big_endian ? load16(at) : (uint32_t)at[0] | (uint32_t)at[1] << 8;
}

INLINE uint32_t file32(const uint8_t *at, bool big_endian)
{
    return big_endian ? load32(at) : file16(at, false) | file16(at + 2, false) << 16;
}

/* floor(fraction * 10^9 / units), for a fraction below units, which are at most 10^18: digit by digit, as the product may
 * not fit 64 bits. */
INLINE int64_t scaled(uint64_t fraction, uint64_t units)
{
    uint64_t scaled = 0;
    for (int digit = 0; digit < 9; digit++) {
        fraction *= 10;
        scaled = 10 * scaled + fraction / units;
        fraction %= units;
    }
    return (int64_t)scaled;
}

/* Nanoseconds since 1970, rounded down; NO_TIMESTAMP where 64 bits do not hold them. */
INLINE int64_t in_nanoseconds(uint64_t raw, const struct vxlanpkt_interface *interface)
{
    uint64_t units = interface->units;
    int64_t offset = interface->offset;
    if (!units)
        return NO_TIMESTAMP;
    if (LIKELY(offset == 0 && units == 1000000 && raw < LARGEST_SECONDS * 1000000))
        return (int64_t)raw * 1000;
    if (LIKELY(offset == 0 && units == NANOSECONDS && raw < LARGEST_SECONDS * NANOSECONDS))
        return (int64_t)raw;
    uint64_t seconds = raw / units, ahead = (uint64_t)offset, behind = 0 - ahead;
    if (offset >= 0 ? ahead >= LARGEST_SECONDS || seconds >= LARGEST_SECONDS - ahead : seconds >= LARGEST_SECONDS + behind)
        return NO_TIMESTAMP;
    int64_t sum = offset >= 0 || seconds >= behind ? (int64_t)(seconds + ahead) : -(int64_t)(behind - seconds - 1) - 1;
    if (sum <= -(int64_t)LARGEST_SECONDS)
        return NO_TIMESTAMP;
    return sum * NANOSECONDS + scaled(raw % units, units);
}

INLINE void put_packet(const struct record_columns *to, uint64_t row, const struct captured *packet,
                       const struct vxlanpkt_interface *interface, uint32_t first)
{
    uint32_t whole = packet->original > packet->captured ? packet->original : packet->captured;
    uint32_t frame = whole > packet->fcs_length ? whole - packet->fcs_length : 0;
    to->offset[row] = packet->offset;
    to->raw_timestamp[row] = packet->raw_timestamp;
    to->timestamp_ns[row] = packet->timed ? in_nanoseconds(packet->raw_timestamp, interface) : NO_TIMESTAMP;
    to->captured_length[row] = packet->captured;
    to->original_length[row] = packet->original;
    to->length[row] = packet->captured < frame ? packet->captured : frame;
    to->frame_length[row] = frame;
    to->interface[row] = first + packet->index;
    to->options_length[row] = packet->options_length;
    to->fcs_length[row] = (uint8_t)packet->fcs_length;
    to->timed[row] = packet->timed;
}

/* -- pcap */

INLINE struct vxlanpkt_stretch read_pcap(const uint8_t *data, uint64_t at, uint64_t end,
                                         const struct vxlanpkt_section *section, const struct record_columns *to,
                                         uint64_t rows, bool big_endian)
{
    const struct vxlanpkt_interface interface = section->interfaces[0];
    struct vxlanpkt_stretch found = {0, at, PCAP_HEAD, STOP_CUT, interface.link_type};
    while (found.rows < rows) {
        uint64_t left = end - found.position;
        const uint8_t *head = data + found.position;
        found.needed = PCAP_HEAD;
        if (left < PCAP_HEAD)
            return found;
        struct captured packet = {
            .offset = found.position + PCAP_HEAD,
            .raw_timestamp = file32(head, big_endian) * interface.units + file32(head + 4, big_endian),
            .captured = file32(head + 8, big_endian),
            .original = file32(head + 12, big_endian),
            .fcs_length = interface.fcslen,
            .timed = true,
        };
        found.needed = PCAP_HEAD + (uint64_t)packet.captured;
        if (packet.captured > section->limit) {
            found.stop = STOP_LOOK;
            return found;
        }
        if (left < found.needed)
            return found;
        put_packet(to, found.rows++, &packet, &interface, section->first);
        found.position += found.needed;
    }
    found.stop = STOP_FULL;
    found.needed = 0;
    return found;
}

/* -- pcapng */

INLINE bool is_packet(uint32_t kind) { return kind == BLOCK_ENHANCED || kind == BLOCK_SIMPLE || kind == BLOCK_OBSOLETE; }

INLINE bool is_sound_size(uint32_t kind, uint32_t size)
{
    uint32_t least = kind == BLOCK_SIMPLE ? 16 : is_packet(kind) ? 32 : kind == BLOCK_INTERFACE ? 20 : BLOCK_HEAD;
    return size >= least && size % 4 == 0 && size <= LARGEST_BLOCK;
}

/* Read the options from `at` to the end; false if they overrun, or are too many. */
static bool read_options(const uint8_t *at, uint64_t size, bool big_endian, struct captured *packet)
{
    bool told = false;
    uint32_t count = 0;
    while (size >= 4) {
        uint32_t code = file16(at, big_endian), length = file16(at + 2, big_endian);
        if (code == LAST_OPTION)
            break;
        if (length > size - 4 || ++count > MOST_BLOCK_OPTIONS)
            return false;
        if (code == FLAGS_OPTION && length == 4 && !told) {
            uint32_t fcs_length = file32(at + 4, big_endian) >> 5 & 15;
            told = true;
            if (fcs_length)
                packet->fcs_length = fcs_length;
        }
        uint64_t whole = smaller(4 + ((uint64_t)length + 3) / 4 * 4, size);
        at += whole;
        size -= whole;
    }
    return true;
}

INLINE bool read_simple(const uint8_t *block, uint32_t size, const struct vxlanpkt_section *section,
                        struct captured *packet)
{
    if (!section->count)
        return false;
    uint32_t snaplen = section->interfaces[0].snaplen;
    packet->original = file32(block + 8, section->big_endian);
    packet->captured = snaplen && snaplen < packet->original ? snaplen : packet->original;
    packet->fcs_length = section->interfaces[0].fcslen;
    packet->offset = SIMPLE_DATA;
    return packet->captured <= size - SIMPLE_DATA - 4;
}

/* Read an enhanced packet block, or an obsolete one, whose interface number is shorter. */
INLINE bool read_enhanced(const uint8_t *block, uint32_t size, const struct vxlanpkt_section *section, bool big_endian,
                          uint32_t kind, struct captured *packet)
{
    uint32_t room = size - PACKET_DATA - 4;
    packet->index = kind == BLOCK_ENHANCED ? file32(block + 8, big_endian) : file16(block + 8, big_endian);
    packet->raw_timestamp = (uint64_t)file32(block + 12, big_endian) << 32 | file32(block + 16, big_endian);
    packet->captured = file32(block + 20, big_endian);
    packet->original = file32(block + 24, big_endian);
    packet->offset = PACKET_DATA;
    packet->timed = true;
    if (packet->index >= section->count || packet->captured > room)
        return false;
    packet->fcs_length = section->interfaces[packet->index].fcslen;
    uint32_t padded = (packet->captured + 3) / 4 * 4;
    packet->options_length = room - padded;
    return !packet->options_length
           || read_options(block + PACKET_DATA + padded, packet->options_length, big_endian, packet);
}

INLINE struct vxlanpkt_stretch read_pcapng(const uint8_t *data, uint64_t at, uint64_t end,
                                           const struct vxlanpkt_section *section, const struct record_columns *to,
                                           uint64_t rows, bool big_endian)
{
    struct vxlanpkt_stretch found = {0, at, BLOCK_HEAD, STOP_CUT, 0};
    while (found.rows < rows) {
        uint64_t left = end - found.position;
        const uint8_t *block = data + found.position;
        struct captured packet = {0};
        found.stop = STOP_CUT;
        found.needed = BLOCK_HEAD;
        if (left < BLOCK_HEAD)
            return found;
        uint32_t kind = file32(block, big_endian), size = file32(block + 4, big_endian);
        found.stop = STOP_LOOK;
        if (kind == BLOCK_SECTION || !is_sound_size(kind, size))
            return found;
        found.needed = size;
        if (left < size) {
            found.stop = STOP_CUT;
            return found;
        }
        if (file32(block + size - 4, big_endian) != size || kind == BLOCK_INTERFACE)
            return found;
        if (is_packet(kind)) {
            bool sound = kind == BLOCK_SIMPLE ? read_simple(block, size, section, &packet)
                                              : read_enhanced(block, size, section, big_endian, kind, &packet);
            if (!sound)
                return found;
            const struct vxlanpkt_interface *interface = section->interfaces + packet.index;
            if (found.rows && interface->link_type != found.link_type)
                break;
            found.link_type = interface->link_type;
            packet.offset += found.position;
            put_packet(to, found.rows++, &packet, interface, section->first);
        }
        found.position += size;
    }
    found.stop = STOP_FULL;
    found.needed = 0;
    return found;
}

/* What is the same for all records is a constant in each of these. */
INLINE struct vxlanpkt_stretch read_records(const uint8_t *data, uint64_t begin, uint64_t end,
                                            const struct vxlanpkt_section *section, uint8_t *out, uint64_t rows)
{
    const struct record_columns to = lay_out_records(out, rows);
    if (section->pcapng)
        return section->big_endian ? read_pcapng(data, begin, end, section, &to, rows, true)
                                   : read_pcapng(data, begin, end, section, &to, rows, false);
    return section->big_endian ? read_pcap(data, begin, end, section, &to, rows, true)
                               : read_pcap(data, begin, end, section, &to, rows, false);
}
