/* Decapsulation of rows into columns. Plain rows are collected a block at a time and taken apart column by column; any
 * other row goes through decapsulation.h.
 */

/* The columns of a result behind each other, widest items first, so that each is aligned. */
struct columns {
    uint64_t *inner_offset;
    uint8_t *outer_src, *outer_dst, *inner_src, *inner_dst;
    uint32_t *vni, *flags, *inner_length, *inner_original_length;
    uint16_t *outer_vlan, *outer_src_port, *outer_dst_port, *inner_link_type;
    uint16_t *inner_vlan, *inner_ethertype, *inner_src_port, *inner_dst_port, *inner_tcp_flags;
    uint8_t *status, *notes, *reserved, *outer_family, *outer_tags, *ip_checksum;
    uint8_t *udp_checksum, *inner_tags, *inner_family, *inner_protocol, *inner_ecn;
};

enum { BRIEF_ROW = 8 + 4 * 4 + 2, FULL_ROW = 8 + 4 * 16 + 4 * 4 + 9 * 2 + 11 };

INLINE struct columns lay_out(uint8_t *at, uint64_t rows, bool full)
{
    struct columns to = {0};
    to.inner_offset = take(&at, rows, 8);
    if (full) {
        to.outer_src = take(&at, rows, 16);
        to.outer_dst = take(&at, rows, 16);
        to.inner_src = take(&at, rows, 16);
        to.inner_dst = take(&at, rows, 16);
    }
    to.vni = take(&at, rows, 4);
    to.flags = take(&at, rows, 4);
    to.inner_length = take(&at, rows, 4);
    to.inner_original_length = take(&at, rows, 4);
    if (full) {
        to.outer_vlan = take(&at, rows, 2);
        to.outer_src_port = take(&at, rows, 2);
        to.outer_dst_port = take(&at, rows, 2);
        to.inner_link_type = take(&at, rows, 2);
        to.inner_vlan = take(&at, rows, 2);
        to.inner_ethertype = take(&at, rows, 2);
        to.inner_src_port = take(&at, rows, 2);
        to.inner_dst_port = take(&at, rows, 2);
        to.inner_tcp_flags = take(&at, rows, 2);
    }
    to.status = take(&at, rows, 1);
    to.notes = take(&at, rows, 1);
    if (full) {
        to.reserved = take(&at, rows, 1);
        to.outer_family = take(&at, rows, 1);
        to.outer_tags = take(&at, rows, 1);
        to.ip_checksum = take(&at, rows, 1);
        to.udp_checksum = take(&at, rows, 1);
        to.inner_tags = take(&at, rows, 1);
        to.inner_family = take(&at, rows, 1);
        to.inner_protocol = take(&at, rows, 1);
        to.inner_ecn = take(&at, rows, 1);
    }
    return to;
}

INLINE void put_record(const struct columns *to, uint64_t row, const struct vxlanpkt_record *record, bool full)
{
    to->inner_offset[row] = record->inner_offset;
    to->vni[row] = record->vni;
    to->flags[row] = record->flags;
    to->inner_length[row] = record->inner_length;
    to->inner_original_length[row] = record->inner_original_length;
    to->status[row] = record->status;
    to->notes[row] = record->notes;
    if (!full)
        return;
    memcpy(to->outer_src + 16 * row, record->outer_src, 16);
    memcpy(to->outer_dst + 16 * row, record->outer_dst, 16);
    memcpy(to->inner_src + 16 * row, record->inner_src, 16);
    memcpy(to->inner_dst + 16 * row, record->inner_dst, 16);
    to->outer_vlan[row] = record->outer_vlan;
    to->outer_src_port[row] = record->outer_src_port;
    to->outer_dst_port[row] = record->outer_dst_port;
    to->inner_link_type[row] = record->inner_link_type;
    to->inner_vlan[row] = record->inner_vlan;
    to->inner_ethertype[row] = record->inner_ethertype;
    to->inner_src_port[row] = record->inner_src_port;
    to->inner_dst_port[row] = record->inner_dst_port;
    to->inner_tcp_flags[row] = record->inner_tcp_flags;
    to->reserved[row] = record->reserved;
    to->outer_family[row] = record->outer_family;
    to->outer_tags[row] = record->outer_tags;
    to->ip_checksum[row] = record->ip_checksum;
    to->udp_checksum[row] = record->udp_checksum;
    to->inner_tags[row] = record->inner_tags;
    to->inner_family[row] = record->inner_family;
    to->inner_protocol[row] = record->inner_protocol;
    to->inner_ecn[row] = record->inner_ecn;
}

static const uint8_t NOWHERE[16];
static const struct underlay UNKNOWN = {0, -1, NOWHERE};

/* Source and destination, which lie behind each other in front of `end`. */
INLINE void put_addresses(uint8_t *src, uint8_t *dst, uint64_t row, const uint8_t *end, uint32_t size)
{
    if (size == 4) {
        put_mapped(src + 16 * row, end - 8);
        put_mapped(dst + 16 * row, end - 4);
    } else {
        memcpy(src + 16 * row, end - 32, 16);
        memcpy(dst + 16 * row, end - 16, 16);
    }
}

/* The reserved bits and flags of TCP, or 0. That a packet is long enough is easy to predict, that it is TCP is not: of
 * the latter compilers make a mask. */
INLINE uint32_t plain_tcp_flags(const uint8_t *segment, uint64_t size, uint32_t protocol)
{
    return LIKELY(size >= 14) ? load16(segment + 12) & (protocol == PROTOCOL_TCP ? 0xFFFu : 0) : 0;
}

/* Find the TCP or UDP ports of a plain inner frame that the rules accept; false if it is none. */
INLINE bool find_plain_inner(const uint8_t *frame, uint64_t length, const struct plain_rules *rules, uint32_t outer_tos,
                             const struct columns *to, uint64_t row, struct plain_block *block, uint64_t at)
{
    if (LIKELY(length >= 38 && starts_ipv4(frame))) {
        uint64_t total_length = load16(frame + 16);
        uint32_t protocol = fragment_and_protocol(frame), tos = load32(frame + 12) & 0xFF;
        if (total_length - 24 > length - 38 || !is_tcp_or_udp(protocol)
            || (rules->inside && !meets_inside(frame, rules->rules, outer_tos, tos)))
            return false;
        uint32_t flags = plain_tcp_flags(frame + 34, total_length - 20, protocol);
        block->inner_kind[at] = 4 | protocol << 8 | (tos & 3) << 16 | flags << 20;
        block->inner_ports[at] = load32(frame + 34);
        put_addresses(to->inner_src, to->inner_dst, row, frame + 34, 4);
        return true;
    }
    if (length < 58 || !starts_ipv6(frame) || !is_tcp_or_udp(frame[20]))
        return false;
    uint64_t payload_length = load16(frame + 18);
    uint32_t tos = load16(frame + 14) >> 4;
    if (payload_length - 4 > length - 58 || (rules->inside && !meets_inside(frame, rules->rules, outer_tos, tos)))
        return false;
    uint32_t flags = plain_tcp_flags(frame + 54, payload_length, frame[20]);
    block->inner_kind[at] = 6 | (uint32_t)frame[20] << 8 | (tos & 3) << 16 | flags << 20;
    block->inner_ports[at] = load32(frame + 54);
    put_addresses(to->inner_src, to->inner_dst, row, frame + 54, 16);
    return true;
}

/* Find the parts of a plain row; false if it is none. Addresses go straight into their columns. */
INLINE bool find_plain_row(const uint8_t *frame, struct extent in, const struct plain_rules *rules,
                           const struct columns *to, uint64_t row, struct plain_block *block, uint64_t at, bool full)
{
    uint64_t length = in.end - in.start;
    uint32_t offset = find_plain_tunnel(frame, length, rules, block, at);
    if (!offset)
        return false;
    block->inner_offset[at] = in.start + offset;
    block->outer_family[at] = offset == 50 ? 4 : 6;
    if (!full)
        return true;
    if (LIKELY(offset == 50)) {
        if (!find_plain_inner(frame + 50, length - 50, rules, frame[15], to, row, block, at))
            return false;
        put_addresses(to->outer_src, to->outer_dst, row, frame + 34, 4);
        return true;
    }
    if (!find_plain_inner(frame + 70, length - 70, rules, load16(frame + 14) >> 4, to, row, block, at))
        return false;
    put_addresses(to->outer_src, to->outer_dst, row, frame + 54, 16);
    return true;
}

/* What is the same for every plain row. */
INLINE void fill_columns(const struct columns *to, uint64_t rows, bool full)
{
    memset(to->status, REASON_OK, rows);
    memset(to->notes, 0, rows);
    if (!full)
        return;
    for (uint64_t row = 0; row < rows; row++)
        to->inner_link_type[row] = ETHERNET_LINK;
    memset(to->outer_vlan, 0xFF, 2 * rows);
    memset(to->inner_vlan, 0xFF, 2 * rows);
    memset(to->outer_tags, 0, rows);
    memset(to->inner_tags, 0, rows);
    memset(to->inner_ecn, VXLANPKT_NO_ECN, rows);
}

/* What the rules make of the checksums of a plain row, and whether they look at its ECN. */
struct plain_states {
    uint8_t ip_checksum, udp_checksum;
    bool ecn;
};

/* Take a block apart into columns: one loop a column, so that each becomes vector instructions. */
INLINE void put_block(const struct columns *to, uint64_t row, const struct plain_block *block, uint64_t count, bool full,
                      struct plain_states states)
{
    memcpy(to->inner_offset + row, block->inner_offset, 8 * count);
    for (uint64_t at = 0; at < count; at++)
        to->vni[row + at] = (uint32_t)block->vxlan[at] >> 8;
    for (uint64_t at = 0; at < count; at++)
        to->flags[row + at] = (uint32_t)(block->vxlan[at] >> 32);
    for (uint64_t at = 0; at < count; at++)
        to->inner_length[row + at] = ((uint32_t)block->datagram[at] >> 16) - 16;
    memcpy(to->inner_original_length + row, to->inner_length + row, 4 * count);
    if (!full)
        return;
    memcpy(to->outer_family + row, block->outer_family, count);
    for (uint64_t at = 0; at < count; at++)
        to->inner_family[row + at] = (uint8_t)block->inner_kind[at];
    for (uint64_t at = 0; at < count; at++)
        to->inner_protocol[row + at] = (uint8_t)(block->inner_kind[at] >> 8);
    for (uint64_t at = 0; at < count; at++)
        to->outer_src_port[row + at] = (uint16_t)(block->datagram[at] >> 48);
    for (uint64_t at = 0; at < count; at++)
        to->outer_dst_port[row + at] = (uint16_t)(block->datagram[at] >> 32);
    for (uint64_t at = 0; at < count; at++)
        to->inner_src_port[row + at] = (uint16_t)(block->inner_ports[at] >> 16);
    for (uint64_t at = 0; at < count; at++)
        to->inner_dst_port[row + at] = (uint16_t)block->inner_ports[at];
    for (uint64_t at = 0; at < count; at++)
        to->inner_tcp_flags[row + at] = (uint16_t)(block->inner_kind[at] >> 20);
    for (uint64_t at = 0; at < count; at++)
        to->inner_ethertype[row + at] = (uint8_t)block->inner_kind[at] == 4 ? TYPE_IPV4 : TYPE_IPV6;
    for (uint64_t at = 0; at < count; at++)
        to->reserved[row + at] = (uint8_t)block->vxlan[at];
    for (uint64_t at = 0; at < count; at++)
        to->ip_checksum[row + at] = block->outer_family[at] == 4 ? states.ip_checksum : CHECKSUM_UNCHECKED;
    for (uint64_t at = 0; at < count; at++)
        to->udp_checksum[row + at] = (uint16_t)block->datagram[at] ? states.udp_checksum : CHECKSUM_ABSENT;
    if (states.ecn)
        for (uint64_t at = 0; at < count; at++)
            to->inner_ecn[row + at] = (uint8_t)(block->inner_kind[at] >> 16 & 3);
}

/* Put any row into the columns; returns whether it was accepted. */
NOINLINE bool decap_any(const struct vxlanpkt_frames *frames, uint64_t row, uint32_t kind,
                    const struct vxlanpkt_rules *rules, uint8_t *out, bool full)
{
    const struct columns to = lay_out(out, frames->rows, full);
    struct vxlanpkt_record record;
    struct extent in;
    clear_record(&record);
    if (read_row(frames, row, &in)) {
        const struct job job = {frames->data, rules, &record};
        decap_frame(&job, in, kind, UNKNOWN, full);
    } else {
        record.status = REASON_ROW_OUT_OF_RANGE;
    }
    put_record(&to, row, &record, full);
    return record.status == REASON_OK;
}

INLINE int64_t decap_rows(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                          uint8_t *out, bool full)
{
    const struct vxlanpkt_frames batch = *frames; /* a copy, which no store can reach, stays in registers */
    const struct columns to = lay_out(out, batch.rows, full);
    const struct plain_rules plain = plain_rules_of(rules, kind, full);
    const bool ahead = batch.size > PREFETCH_FROM;
    const struct plain_states states = {
        rules->verify_ip_checksum ? CHECKSUM_VALID : CHECKSUM_UNCHECKED,
        rules->verify_udp_checksum ? CHECKSUM_VALID : CHECKSUM_UNCHECKED,
        rules->ecn != ECN_RULE_IGNORE,
    };
    struct plain_block block = {0};
    int64_t accepted = 0;
    fill_columns(&to, batch.rows, full);
    for (uint64_t first = 0; first < batch.rows; first += BLOCK) {
        uint64_t count = smaller(batch.rows - first, BLOCK);
        uint32_t odd = 0;
        for (uint64_t at = 0; at < count; at++) {
            struct extent in;
            if (ahead)
                prefetch_row(&batch, first + at + PREFETCH_ROWS);
            if (!LIKELY(plain.possible && read_row(&batch, first + at, &in) && !in.missing
                        && find_plain_row(batch.data + in.start, in, &plain, &to, first + at, &block, at, full)))
                odd |= (uint32_t)1 << at;
        }
        if (rules->verify_udp_checksum)
            odd |= find_bad_datagrams(batch.data, &block, count, odd);
        /* Most blocks are whole: with a constant count the loops need no remainders. */
        if (count == BLOCK)
            put_block(&to, first, &block, BLOCK, full, states);
        else
            put_block(&to, first, &block, count, full, states);
        accepted += (int64_t)count;
        for (uint64_t at = 0; odd && at < count; at++)
            if (odd >> at & 1)
                accepted -= !decap_any(frames, first + at, kind, rules, out, full);
    }
    return accepted;
}

INLINE int64_t decap_columns(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                             uint32_t brief, uint8_t *out)
{
    return brief ? decap_rows(frames, kind, rules, out, false) : decap_rows(frames, kind, rules, out, true);
}

#ifdef WIDE
WIDE static int64_t decap_wide(const struct vxlanpkt_frames *frames, uint32_t kind,
                               const struct vxlanpkt_rules *rules, uint32_t brief, uint8_t *out)
{
    return decap_columns(frames, kind, rules, brief, out);
}
#endif
