/* Plain rows one by one: what is found of them goes into a block, and addresses straight into their columns. */

/* What the rules make of the checksums of a plain row, and whether they look at its ECN. */
struct plain_states {
    uint8_t ip_checksum, udp_checksum;
    bool ecn;
};

/* What is the same for all rows. */
struct decap_job {
    struct vxlanpkt_frames frames;
    struct plain_rules plain;
    struct columns to;
    struct plain_states states;
    uint32_t kind;
    bool full;
};

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

/* Find `count` rows from `first` on; those that are not plain, as bits. */
INLINE uint32_t find_rows(const struct decap_job *job, uint64_t first, uint64_t count, bool full,
                          struct plain_block *block)
{
    const bool ahead = job->frames.size > PREFETCH_FROM;
    uint32_t odd = 0;
    for (uint64_t at = 0; at < count; at++) {
        struct extent in;
        if (ahead)
            prefetch_row(&job->frames, first + at + PREFETCH_ROWS);
        if (!LIKELY(job->plain.possible && read_row(&job->frames, first + at, &in) && !in.missing
                    && find_plain_row(job->frames.data + in.start, in, &job->plain, &job->to, first + at, block, at,
                                      full)))
            odd |= (uint32_t)1 << at;
    }
    return odd;
}
