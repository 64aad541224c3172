/* Packets put into capture files: the twin of kernel/python/writing.py, which says what is left to the caller.
 */

enum { ENHANCED_FRAME = PACKET_DATA + 4, LARGEST_FRAME = ENHANCED_FRAME + 3 + 4 };

/* What is said of a packet as it was captured: its hash, whether there is a frame check sequence; and what pcapng says is
 * not to be copied to another file. */
enum { HASH_OPTION = 3, CUSTOM_NOT_COPIED = 19372, BINARY_NOT_COPIED = 19373, FCS_FLAGS = 0x1E0 };

/* A number in a little-endian file: of the shifts compilers make one store. */
INLINE void put32(uint8_t *at, uint32_t value)
{
    for (uint32_t byte = 0; byte < 4; byte++)
        at[byte] = (uint8_t)(value >> 8 * byte);
}

/* The rows that are OK, and wanted if anybody says which those are. */
INLINE uint64_t put_chosen(const uint8_t *status, const uint8_t *wanted, uint64_t rows, uint8_t *out)
{
    uint64_t count = 0;
    for (uint64_t row = 0; row < rows; row++) {
        ((item32 *)out)[count] = (uint32_t)row;
        count += status[row] == REASON_OK && (!wanted || wanted[row]);
    }
    return count;
}

/* 12 bits of the VNI of a row that may not be there. */
INLINE uint32_t digit_of(const uint32_t *vnis, uint64_t rows, uint32_t row, uint32_t shift)
{
    return row < rows ? ((const volatile item32 *)vnis)[row] >> shift & 4095 : 0;
}

/* Sort rows by 12 bits of their VNI, those that are equal in the order in which they are. A column that changes meanwhile
 * leaves them in any order. */
static void sort_by(const uint32_t *vnis, uint64_t rows, const uint32_t *from, uint32_t *to, uint64_t count,
                    uint32_t shift)
{
    uint32_t ends[4096] = {0};
    uint32_t end = 0;
    for (uint64_t at = 0; at < count; at++)
        ends[digit_of(vnis, rows, from[at], shift)]++;
    for (uint32_t digit = 0; digit < 4096; digit++) {
        uint32_t begin = end;
        end += ends[digit];
        ends[digit] = begin;
    }
    for (uint64_t at = 0; at < count; at++) {
        uint32_t place = ends[digit_of(vnis, rows, from[at], shift)]++;
        if (place < count)
            to[place] = from[at];
    }
}

/* One packet to be written: where it is, and what its record says. */
struct outgoing {
    const uint8_t *data;
    uint64_t timestamp;
    const uint8_t *options;
    uint32_t length, original, interface, options_length;
};

/* Find the options of a packet; false if they are not to be copied here. */
INLINE bool find_options(const struct vxlanpkt_packets *packets, uint64_t row, struct outgoing *packet)
{
    uint32_t length = packets->options_lengths ? ((const item32 *)packets->options_lengths)[row] : 0;
    packet->options_length = length;
    if (!length)
        return true;
    if (!packets->source)
        return false;
    uint64_t offset = ((const item64 *)packets->record_offsets)[row];
    uint64_t captured = ((const item32 *)packets->captured_lengths)[row], padded = (captured + 3) / 4 * 4;
    if (offset > packets->source_size || padded > packets->source_size - offset
        || length > packets->source_size - offset - padded)
        return false;
    packet->options = packets->source + offset + padded;
    return true;
}

/* Read a row; false where it is not a packet as this file takes them without more ado. */
INLINE bool read_outgoing(const struct vxlanpkt_packets *packets, const struct vxlanpkt_target *target, uint64_t row,
                          uint64_t units, struct outgoing *packet)
{
    if (row >= packets->rows)
        return false;
    uint64_t offset = ((const volatile item64 *)packets->offsets)[row];
    uint32_t length = ((const volatile item32 *)packets->lengths)[row];
    uint32_t link_type = packets->link_types ? ((const item16 *)packets->link_types)[row] : ETHERNET_LINK;
    if (offset > packets->size || length > packets->size - offset)
        return false;
    packet->data = packets->data + offset;
    packet->length = length;
    packet->original = ((const item32 *)packets->original_lengths)[row];
    packet->timestamp = ((const item64 *)packets->timestamps)[row];
    if (!target->pcapng)
        return link_type == target->link_type && packet->timestamp / units <= UINT32_MAX;
    uint32_t interface = ((const item32 *)packets->interfaces)[row];
    if ((packets->timed && !packets->timed[row]) || !find_options(packets, row, packet) || interface >= target->interface_count || (link_type != ETHERNET_LINK && link_type != RAW_LINK))
        return false;
    packet->interface = (link_type == RAW_LINK ? target->raw : target->ethernet)[interface];
    return packet->interface != VXLANPKT_NO_INTERFACE;
}

INLINE uint64_t put_pcap(uint8_t *at, const struct outgoing *packet, uint64_t units)
{
    put32(at, (uint32_t)(packet->timestamp / units));
    put32(at + 4, (uint32_t)(packet->timestamp % units));
    put32(at + 8, packet->length);
    put32(at + 12, packet->original);
    memcpy(at + PCAP_HEAD, packet->data, packet->length);
    return PCAP_HEAD + (uint64_t)packet->length;
}

/* Copy what of the options of a packet holds for what was inside it; returns their size. */
static uint64_t put_options(uint8_t *to, const uint8_t *from, uint64_t size)
{
    uint64_t used = 0;
    while (size >= 4) {
        uint32_t code = file16(from, false), length = file16(from + 2, false);
        if (code == LAST_OPTION || length > size - 4)
            break;
        uint64_t padded = smaller(4 + ((uint64_t)length + 3) / 4 * 4, size);
        if (code != HASH_OPTION && code != CUSTOM_NOT_COPIED && code != BINARY_NOT_COPIED) {
            memcpy(to + used, from, 4 + (uint64_t)length);
            memset(to + used + 4 + length, 0, padded - 4 - length);
            if (code == FLAGS_OPTION && length == 4)
                put32(to + used + 4, file32(from + 4, false) & ~(uint32_t)FCS_FLAGS);
            used += padded;
        }
        from += padded;
        size -= padded;
    }
    if (!used)
        return 0;
    put32(to + used, LAST_OPTION);
    return used + 4;
}

INLINE uint64_t put_enhanced(uint8_t *at, const struct outgoing *packet)
{
    uint64_t padded = ((uint64_t)packet->length + 3) / 4 * 4, size = ENHANCED_FRAME + padded;
    if (packet->options_length)
        size += put_options(at + PACKET_DATA + padded, packet->options, packet->options_length);
    put32(at, BLOCK_ENHANCED);
    put32(at + 4, (uint32_t)size);
    put32(at + 8, packet->interface);
    put32(at + 12, (uint32_t)(packet->timestamp >> 32));
    put32(at + 16, (uint32_t)packet->timestamp);
    put32(at + 20, packet->length);
    put32(at + 24, packet->original);
    memcpy(at + PACKET_DATA, packet->data, packet->length);
    memset(at + PACKET_DATA + packet->length, 0, padded - packet->length);
    put32(at + size - 4, (uint32_t)size);
    return size;
}

INLINE struct vxlanpkt_written put_records(const struct vxlanpkt_packets *packets,
                                           const struct vxlanpkt_target *target, const uint32_t *chosen,
                                           uint64_t position, uint64_t count, uint8_t *out, uint64_t size,
                                           uint64_t units)
{
    struct vxlanpkt_written done = {position, 0, STOP_FULL};
    const uint32_t vni = packets->vnis && position < count && chosen[position] < packets->rows
                             ? ((const item32 *)packets->vnis)[chosen[position]]
                             : 0;
    for (; done.position < count; done.position++) {
        struct outgoing packet = {0};
        uint64_t row = chosen[done.position];
        done.stop = STOP_LOOK;
        if (!read_outgoing(packets, target, row, units, &packet))
            return done;
        done.stop = STOP_FULL;
        if (packets->vnis && ((const item32 *)packets->vnis)[row] != vni)
            return done;
        if (size - done.size < LARGEST_FRAME + (uint64_t)packet.length + packet.options_length) {
            if (!done.size)
                done.stop = STOP_LOOK; /* there never is so much room */
            return done;
        }
        done.size += target->pcapng ? put_enhanced(out + done.size, &packet)
                                    : put_pcap(out + done.size, &packet, units);
    }
    done.stop = STOP_CUT;
    return done;
}
