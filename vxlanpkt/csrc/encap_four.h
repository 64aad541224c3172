/* Encapsulation of four rows at a time, where all four are plain and the tunnel has a usual shape: what encap_plain of
 * encap_batch.h does with each of them. Any other four are left to it.
 */

#ifdef WIDE

/* Longer frames are not copied four at a time. Their headers would be read far ahead of the rest, and processors fetch
 * what is read in order: out of the cache, copying then takes up to twice as long. */
enum { SHORTEST_PLAIN = 38, LONGEST_COPIED = 128 };

/* What headers depend on of four plain inner frames. `about` is the total length of the IP packet, the TOS from bit 16
 * on, and what says of a fragment from bit 24 on; the flow hash is made of addresses and ports. */
struct four_rows {
    four offsets, lengths, about, addresses, ports;
};

enum { TOS_AT = 16, FRAGMENT_AT = 24 };

/* The numbers of one row from IPv4: `about` from bytes 12 to 27 of the frame, a gap, the others from bytes 22 to 37. */
INLINE WIDE four load_ipv4(const uint8_t *frame)
{
    const four order = _mm256_setr_epi8(5, 4, 3, 9, 8, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                        11, 10, 9, 8, 7, 6, 5, 4, 1, -1, -1, -1, 15, 14, 13, 12);
    return _mm256_shuffle_epi8(load_halves(frame + 12, frame + 22), order);
}

/* The same from IPv6, where the length is judged here, and given as the shortest; false if the frame is not plain. */
INLINE WIDE bool load_ipv6(const uint8_t *frame, uint64_t length, four *row)
{
    if (length < 58 || !starts_ipv6(frame))
        return false;
    uint64_t payload_length = load16(frame + 18), tos = load16(frame + 14) >> 4 & 0xFF;
    if (payload_length - 4 > length - 58)
        return false;
    uint64_t addresses = mix_addresses(frame + 22, frame + 38);
    uint64_t ports = (uint64_t)load32(frame + 54) << 32 | frame[20];
    *row = _mm256_setr_epi64x((int64_t)(24 | tos << TOS_AT), 0, (int64_t)addresses, (int64_t)ports);
    return true;
}

/* Find the four rows from `row` on; false if one is not plain, or longer than `longest`. */
INLINE WIDE bool find_four(const struct vxlanpkt_frames *batch, uint64_t row, uint64_t longest, struct four_rows *to)
{
    struct lanes offsets, lengths;
    four rows[FOUR];
    if (!read_four(batch, row, SHORTEST_PLAIN, longest, &to->offsets, &to->lengths))
        return false;
    put_lanes(&offsets, to->offsets);
    put_lanes(&lengths, to->lengths);
    for (int at = 0; at < FOUR; at++) {
        const uint8_t *frame = batch->data + lane(&offsets, at);
        if (LIKELY(starts_ipv4(frame)))
            rows[at] = load_ipv4(frame);
        else if (!load_ipv6(frame, lane(&lengths, at), rows + at))
            return false;
    }
    struct four_columns columns = transpose(rows);
    four total_length = both(columns.first, each(0xFFFF)), protocol = both(columns.fourth, each(0xFF));
    four is_tcp = _mm256_cmpeq_epi64(protocol, each(PROTOCOL_TCP));
    four is_udp = _mm256_cmpeq_epi64(protocol, each(PROTOCOL_UDP));
    four too_long = minus(minus(to->lengths, each(14)), total_length), too_short = minus(total_length, each(24));
    four fault = either(either(too_long, too_short), differ(either(is_tcp, is_udp), each(UINT64_MAX)));
    to->about = columns.first;
    to->addresses = columns.third;
    to->ports = columns.fourth;
    return _mm256_testz_si256(columns.first, each((uint64_t)0x3FFF << FRAGMENT_AT)) && !any_negative(fault);
}

/* What a tunnel gives to every row: numbers of each, and bytes of the header as they stand there. */
struct four_recipe {
    four tos, tos_mask, ecn;          /* from bit TOS_AT on */
    four low_port, port_count;        /* the former from bit 32 on */
    four ipv4_sum, udp_sum;           /* what checksums cover beside what rows give */
    four ipv4_middle, ipv4_addresses; /* bytes 18 to 25 without the fields that are made, and 26 to 33 */
    four ipv6_start, ipv6_addresses;  /* bytes 14 to 21 likewise, in the order of the machine, and 22 to 53 */
    four udp, vxlan;                  /* the last 16 bytes */
    __m128i start;                    /* the first 16 bytes */
    bool has_checksum;
};

INLINE WIDE struct four_recipe four_recipe_of(const struct vxlanpkt_recipe *recipe, uint32_t shape)
{
    const uint8_t *header = recipe->header, *udp = header + shape - 16;
    return (struct four_recipe){
        .tos = each((uint64_t)recipe->tos << TOS_AT),
        .tos_mask = each((uint64_t)recipe->tos_mask << TOS_AT),
        .ecn = each(recipe->ecn == ECN_MODE_LINUX ? (CE ^ ECT0) << TOS_AT : 0),
        .low_port = each((uint64_t)recipe->low_port << 32),
        .port_count = each(recipe->high_port - recipe->low_port),
        .ipv4_sum = each(recipe->plain_sum),
        .udp_sum = each(recipe->udp_sum),
        .ipv4_middle = both(load_each(header + 18), each(0x0000FFFFFFFF0000)),
        .ipv4_addresses = load_each(header + 26),
        .ipv6_start = either(both(load_each(header + 14), each(0xFFFF000000000000)),
                             each(0x60000000 | recipe->flow_label)),
        .ipv6_addresses = _mm256_loadu_si256((const __m256i *)(header + 22)),
        .udp = both(load_each(udp), each(0x00000000FFFF0000)),
        .vxlan = load_each(udp + 8),
        .start = _mm_loadu_si128((const __m128i *)header),
        .has_checksum = recipe->udp_checksum != UDP_CHECKSUM_ZERO,
    };
}

/* The outer TOS, from bit TOS_AT on. */
INLINE WIDE four outer_tos(const struct four_recipe *recipe, const struct four_rows *rows)
{
    const four ce = each(CE << TOS_AT);
    four tos = either(recipe->tos, both(rows->about, recipe->tos_mask));
    return differ(tos, both(_mm256_cmpeq_epi64(both(tos, ce), ce), recipe->ecn));
}

/* The source ports, from bit 32 on; what is below is left over. */
INLINE WIDE four source_ports(const struct four_recipe *recipe, const struct four_rows *rows)
{
    four flow = finish_four(rows->addresses, rows->ports);
    flow = differ(flow, _mm256_slli_epi32(flow, 16));
    return plus(_mm256_mul_epu32(flow, recipe->port_count), recipe->low_port);
}

/* UDP headers without a checksum. */
INLINE WIDE four udp_headers(const struct four_recipe *recipe, four datagram_lengths, four ports)
{
    four fields = join_halves(datagram_lengths, ports);
    return either(REORDER(fields, 5, 4, -1, -1, 1, 0, -1, -1, 13, 12, -1, -1, 9, 8, -1, -1), recipe->udp);
}

/* Write headers of SHAPE_IPV4, by three moves each, which overlap. */
INLINE WIDE void put_ipv4_headers(const struct four_recipe *recipe, const struct four_rows *rows, four identifications,
                                  uint8_t *const *to)
{
    struct lanes turned;
    four tos = outer_tos(recipe, rows), datagram_lengths = plus(rows->lengths, each(16));
    four words = either(plus(datagram_lengths, each(0x45000000 + 20)), tos);
    put_lanes(&turned, REORDER(words, 3, 2, 1, 0, -1, -1, -1, -1, 11, 10, 9, 8, -1, -1, -1, -1));

    /* One's complement sums do not mind that the TOS is 16 bits too high. */
    four sums = plus(plus(tos, rows->lengths), plus(identifications, recipe->ipv4_sum));
    four checksums = differ(fold32_four(sums), each(UINT64_MAX));
    four fields = _mm256_blend_epi16(identifications, checksums, 0x22);
    four middle = either(REORDER(fields, 1, 0, -1, -1, -1, -1, 3, 2, 9, 8, -1, -1, -1, -1, 11, 10),
                         recipe->ipv4_middle);

    const four columns[FOUR] = {middle, recipe->ipv4_addresses,
                                udp_headers(recipe, datagram_lengths, source_ports(recipe, rows)), recipe->vxlan};
    struct four_columns headers = transpose(columns); /* back to rows */
    const four rest[FOUR] = {headers.first, headers.second, headers.third, headers.fourth};
    for (int at = 0; at < FOUR; at++) {
        uint32_t word = (uint32_t)lane(&turned, at);
        _mm_storeu_si128((__m128i *)to[at], recipe->start);
        memcpy(to[at] + 14, &word, 4);
        _mm256_storeu_si256((__m256i *)(to[at] + 18), rest[at]);
    }
}

/* UDP checksums of frames and their headers, where they stand in a UDP header. */
INLINE WIDE four udp_checksums(const struct four_recipe *recipe, const struct four_rows *rows, const uint8_t *data,
                               four datagram_lengths, four ports)
{
    struct lanes offsets, lengths;
    four sums[FOUR];
    put_lanes(&offsets, rows->offsets);
    put_lanes(&lengths, rows->lengths);
    for (int at = 0; at < FOUR; at++)
        sums[at] = sum_row(data + lane(&offsets, at), lane(&lengths, at));
    four headers = plus(plus(datagram_lengths, datagram_lengths), plus(upper_half(ports), recipe->udp_sum));
    four checksums = differ(fold32_four(plus(fold_rows(sums), headers)), each(UINT64_MAX));
    checksums = either(checksums, _mm256_cmpeq_epi16(checksums, each(0))); /* 0 says "none" (RFC 768) */
    return REORDER(checksums, -1, -1, -1, -1, -1, -1, 3, 2, -1, -1, -1, -1, -1, -1, 11, 10);
}

/* Write headers of SHAPE_IPV6, by four moves each. */
INLINE WIDE void put_ipv6_headers(const struct four_recipe *recipe, const struct four_rows *rows, const uint8_t *data,
                                  uint8_t *const *to)
{
    struct lanes turned;
    four datagram_lengths = plus(rows->lengths, each(16)), ports = source_ports(recipe, rows);
    four words = either(_mm256_slli_epi64(outer_tos(recipe, rows), 4), _mm256_slli_epi64(datagram_lengths, 32));
    words = either(words, recipe->ipv6_start);
    put_lanes(&turned, REORDER(words, 3, 2, 1, 0, 5, 4, 6, 7, 11, 10, 9, 8, 13, 12, 14, 15));

    four udp = udp_headers(recipe, datagram_lengths, ports);
    if (recipe->has_checksum)
        udp = either(udp, udp_checksums(recipe, rows, data, datagram_lengths, ports));
    four even = _mm256_unpacklo_epi64(udp, recipe->vxlan), odd = _mm256_unpackhi_epi64(udp, recipe->vxlan);
    const __m128i last[FOUR] = {_mm256_castsi256_si128(even), _mm256_castsi256_si128(odd),
                                _mm256_extracti128_si256(even, 1), _mm256_extracti128_si256(odd, 1)};
    for (int at = 0; at < FOUR; at++) {
        uint64_t word = lane(&turned, at);
        _mm_storeu_si128((__m128i *)to[at], recipe->start);
        memcpy(to[at] + 14, &word, 8);
        _mm256_storeu_si256((__m256i *)(to[at] + 22), recipe->ipv6_addresses);
        _mm_storeu_si128((__m128i *)(to[at] + 54), last[at]);
    }
}

/* Find room for four headers in front of their frames, each behind the frame before. */
INLINE WIDE bool find_four_in_place(const struct four_rows *rows, uint64_t header, uint64_t row, struct output *out,
                                    struct lanes *at)
{
    four starts = minus(rows->offsets, each(header)), ends = plus(rows->offsets, rows->lengths);
    four floors = _mm256_blend_epi32(_mm256_permute4x64_epi64(ends, 0x90), each(out->floor), 0x03);
    if (any_negative(minus(starts, floors)))
        return false;
    _mm256_storeu_si256((__m256i *)(out->offsets + row), starts);
    put_lanes(at, starts);
    out->floor = (uint64_t)_mm256_extract_epi64(ends, 3);
    return true;
}

/* Find room for four rows, the headers in which are to be followed by `kept` bytes, behind each other. */
INLINE WIDE bool find_four_behind(four kept, uint64_t header, uint64_t row, struct output *out, struct lanes *at)
{
    struct lanes lengths;
    put_lanes(&lengths, plus(kept, each(header)));
    uint64_t needed = lane(&lengths, 0) + lane(&lengths, 1) + lane(&lengths, 2) + lane(&lengths, 3);
    if (needed > out->size - out->position)
        return false;
    for (int i = 0; i < FOUR; i++) {
        at->of[i] = out->offsets[row + (uint64_t)i] = out->position;
        out->position += lane(&lengths, i);
    }
    return true;
}

/* Copy a frame of 32 to LONGEST_COPIED bytes by moves of 32 bytes, which overlap. */
INLINE WIDE void copy_short(uint8_t *to, const uint8_t *from, uint64_t length)
{
    copy32(to, from);
    if (length > 64) {
        copy32(to + 32, from + 32);
        copy32(to + length - 64, from + length - 64);
    }
    copy32(to + length - 32, from + length - 32);
}

/* Write four rows; false if there is no room for all. */
INLINE WIDE bool put_four(const struct vxlanpkt_frames *batch, const struct four_rows *rows,
                          const struct four_recipe *recipe, uint32_t shape, four identifications, uint32_t mode,
                          uint64_t row, struct output *out)
{
    struct lanes at, offsets, lengths;
    uint8_t *to[FOUR];
    four kept = mode == ENCAP_MODE_COPY ? rows->lengths : each(0);
    if (!(mode == ENCAP_MODE_IN_PLACE ? find_four_in_place(rows, shape, row, out, &at)
                                      : find_four_behind(kept, shape, row, out, &at)))
        return false;
    put_column32(out->lengths + row, plus(mode == ENCAP_MODE_HEADERS ? each(0) : rows->lengths, each(shape)));
    put_lanes(&offsets, rows->offsets);
    put_lanes(&lengths, rows->lengths);
    for (int i = 0; i < FOUR; i++) {
        to[i] = out->data + at.of[i];
        if (mode == ENCAP_MODE_COPY) /* before the header, which has to wait for the hash */
            copy_short(to[i] + shape, batch->data + lane(&offsets, i), lane(&lengths, i));
    }
    if (shape == SHAPE_IPV4)
        put_ipv4_headers(recipe, rows, both(identifications, each(0xFFFF)), to);
    else
        put_ipv6_headers(recipe, rows, batch->data, to);
    return true;
}

/* Encapsulate rows from `row` on while four and four are plain; returns the first that is left. Four are found before
 * the four in front of them are written, so that processors do both at the same time. */
INLINE WIDE uint64_t encap_fours_of(const struct encap_job *job, uint32_t mode, uint32_t shape, uint64_t row,
                                    struct output *to)
{
    const struct vxlanpkt_frames batch = *job->frames; /* copies, which no store can reach, stay in registers */
    struct output out = *to;
    const bool ahead = mode != ENCAP_MODE_COPY && batch.size > PREFETCH_FROM;
    const uint64_t longest = mode == ENCAP_MODE_COPY ? LONGEST_COPIED : longest_inner(job->table->recipes);
    const uint32_t step = numbers_step(job);
    four numbers = plus(each(number_of(job, row)), _mm256_setr_epi64x(0, step, 2 * step, 3 * step));
    struct four_rows now, next;
    bool more = batch.rows - row >= FOUR && find_four(&batch, row, longest, &now);
    if (!more)
        return row;
    const struct four_recipe recipe = four_recipe_of(job->table->recipes, shape);
    while (more) {
        for (uint64_t at = PREFETCH_ROWS; ahead && at < PREFETCH_ROWS + FOUR; at++)
            prefetch_row(&batch, row + at);
        more = batch.rows - row >= 2 * FOUR && find_four(&batch, row + FOUR, longest, &next);
        if (!put_four(&batch, &now, &recipe, shape, numbers, mode, row, &out))
            break;
        numbers = plus(numbers, each(FOUR * step));
        row += FOUR;
        now = next;
    }
    *to = out;
    return row;
}

INLINE WIDE uint64_t encap_fours_shaped(const struct encap_job *job, uint32_t shape, uint64_t row, struct output *out)
{
    if (job->mode == ENCAP_MODE_COPY)
        return encap_fours_of(job, ENCAP_MODE_COPY, shape, row, out);
    if (job->mode == ENCAP_MODE_HEADERS)
        return encap_fours_of(job, ENCAP_MODE_HEADERS, shape, row, out);
    return encap_fours_of(job, ENCAP_MODE_IN_PLACE, shape, row, out);
}

NOINLINE WIDE uint64_t encap_fours(const struct encap_job *job, uint64_t row, struct output *out)
{
    if (job->shape == SHAPE_IPV4)
        return encap_fours_shaped(job, SHAPE_IPV4, row, out);
    return encap_fours_shaped(job, SHAPE_IPV6, row, out);
}
#endif
