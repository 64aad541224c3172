/* Decapsulation of four rows at a time, where all four are plain, have one IP version outside, and the rules look at
 * nothing but outer headers and checksums. Any other four are left to plain_rows.h. Nothing is refused here.
 */

#ifdef WIDE

enum { SHORTEST_TCP = 34 }; /* of inner IPv4 packets, so that there are flags to be read */

/* Whether four IPv4 headers, whose first 16 bytes are in two columns, are no fragments and carry UDP up to the end of
 * their frames. */
INLINE WIDE bool is_good_ipv4(four start, four middle, four lengths)
{
    four total_lengths = REORDER(minus(lengths, each(14)), -1, -1, 1, 0, -1, -1, -1, -1, -1, -1, 9, 8, -1, -1, -1, -1);
    return all_equal(both(start, each(0xFF3F0000FFFF0000)), total_lengths)
           && all_equal(both(middle, each(0xFF00)), each(PROTOCOL_UDP << 8));
}

/* The same of IPv6, whose first 8 bytes say so. */
INLINE WIDE bool is_good_ipv6(four start, four lengths)
{
    four expected = REORDER(minus(lengths, each(54)), -1, -1, -1, -1, 1, 0, -1, -1, -1, -1, -1, -1, 9, 8, -1, -1);
    expected = either(expected, each((uint64_t)PROTOCOL_UDP << 48));
    return all_equal(both(start, each(0x00FFFFFF00000000)), expected);
}

/* Whether four UDP headers, as they stand there, have the usual port, and fill their frames. */
INLINE WIDE bool is_good_udp(four datagrams, four lengths, uint32_t port)
{
    four expected = either(_mm256_slli_epi64(lengths, 16), each(port));
    expected = REORDER(expected, -1, -1, 1, 0, 3, 2, -1, -1, -1, -1, 9, 8, 11, 10, -1, -1);
    return all_equal(both(datagrams, each(0x0000FFFFFFFF0000)), expected);
}

/* The words at one place of four rows, in the lower halves. */
INLINE WIDE four load_words(const uint8_t *const *frames, uint32_t at)
{
    uint32_t words[FOUR];
    for (int i = 0; i < FOUR; i++)
        memcpy(words + i, frames[i] + at, 4);
    return _mm256_cvtepu32_epi64(_mm_setr_epi32((int)words[0], (int)words[1], (int)words[2], (int)words[3]));
}

/* Whether four IPv4 headers, of which all but the last word is in two columns, have the right checksums. */
INLINE WIDE bool have_good_sums(four start, four middle, four last)
{
    four sums = plus(plus(lower_half(start), upper_half(start)), plus(lower_half(middle), upper_half(middle)));
    return all_equal(fold_four(plus(sums, last)), each(0xFFFF));
}

/* Whether four datagrams have the right checksums, or none. */
INLINE WIDE bool have_good_datagrams(const uint8_t *const *frames, uint32_t udp, four datagrams, four lengths)
{
    struct lanes sizes;
    if (_mm256_testz_si256(datagrams, each(0xFFFF000000000000)))
        return true;
    four sums[FOUR], checksums = both(datagrams, each(0xFFFF000000000000));
    const uint32_t addresses = udp == 34 ? 8 : 32;
    put_lanes(&sizes, plus(lengths, each(addresses)));
    for (int at = 0; at < FOUR; at++)
        sums[at] = sum_row(frames[at] + udp - addresses, lane(&sizes, at));
    four folded = fold32_four(plus(fold_rows(sums), plus(lengths, each(PROTOCOL_UDP))));
    four good = _mm256_cmpeq_epi64(both(folded, each(0xFFFF0000)), each(0xFFFF0000));
    return all_equal(either(good, _mm256_cmpeq_epi64(checksums, each(0))), each(UINT64_MAX));
}

/* Two IPv4 addresses in one column each, in the form of these. */
INLINE WIDE void put_mapped_pair(uint8_t *src, uint8_t *dst, const uint8_t *first, const uint8_t *second)
{
    const four prefix = _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 0, (int)TURN32(0xFFFF), 0));
    four pairs = load_halves(first, second);
    four sources = REORDER(pairs, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 1, 2, 3);
    four destinations = REORDER(pairs, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 4, 5, 6, 7);
    _mm256_storeu_si256((__m256i *)src, either(sources, prefix));
    _mm256_storeu_si256((__m256i *)dst, either(destinations, prefix));
}

/* Write the addresses of four rows, which stand at one place. */
INLINE WIDE void put_four_addresses(uint8_t *src, uint8_t *dst, const uint8_t *const *frames, uint32_t at,
                                    uint32_t size)
{
    for (uint64_t i = 0; i < FOUR; i += 2) {
        if (size == 4) {
            put_mapped_pair(src + 16 * i, dst + 16 * i, frames[i] + at, frames[i + 1] + at);
        } else {
            _mm256_storeu_si256((__m256i *)(src + 16 * i), load_halves(frames[i] + at, frames[i + 1] + at));
            _mm256_storeu_si256((__m256i *)(dst + 16 * i), load_halves(frames[i] + at + 16, frames[i + 1] + at + 16));
        }
    }
}

/* What is looked at of an inner packet, in two numbers. `about` has the total length in bits 0 to 15, what says of a
 * fragment from bit 16 on, the first byte of the IP header from bit 32 on, then the protocol, and the EtherType. The
 * other has the ports, and the reserved bits and flags of TCP, as they stand there. */
INLINE WIDE __m128i load_inner_ipv4(const uint8_t *frame)
{
    const __m128i order = _mm_setr_epi8(5, 4, 9, 8, 2, 11, 1, 0, -1, -1, -1, -1, -1, -1, -1, -1);
    uint32_t ports;
    uint16_t flags;
    memcpy(&ports, frame + 34, 4);
    memcpy(&flags, frame + 46, 2);
    __m128i numbers = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(frame + 12)), order);
    return _mm_insert_epi16(_mm_insert_epi32(numbers, (int)ports, 2), (int16_t)flags, 6);
}

/* The same from IPv6, where the length is judged here, and given as the shortest; false if the frame is not plain. */
INLINE WIDE bool load_inner_ipv6(const uint8_t *frame, uint64_t length, __m128i *numbers)
{
    uint32_t ports;
    uint16_t flags = 0;
    if (length < 58 || !starts_ipv6(frame))
        return false;
    uint64_t payload_length = load16(frame + 18);
    if (payload_length - 4 > length - 58)
        return false;
    memcpy(&ports, frame + 54, 4);
    if (payload_length >= 14)
        memcpy(&flags, frame + 66, 2);
    uint64_t about = SHORTEST_TCP | 0x60ULL << 32 | (uint64_t)frame[20] << 40 | (uint64_t)TYPE_IPV6 << 48;
    *numbers = _mm_set_epi64x((int64_t)(ports | (uint64_t)flags << 32), (int64_t)about);
    return true;
}

INLINE WIDE void put_4_bytes(void *to, int32_t number) { memcpy(to, &number, 4); }

INLINE WIDE void put_8_bytes(void *to, int64_t number) { memcpy(to, &number, 8); }

/* Write all columns of four inner packets but addresses; false if one is not plain, or too short for flags of TCP. */
INLINE WIDE bool put_inner(const struct columns *to, uint64_t row, const __m128i *numbers, four lengths)
{
    four even = _mm256_inserti128_si256(_mm256_castsi128_si256(numbers[0]), numbers[1], 1);
    four odd = _mm256_inserti128_si256(_mm256_castsi128_si256(numbers[2]), numbers[3], 1);
    four about = _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(even, odd), 0xD8);
    four ports = _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(even, odd), 0xD8);
    four total_length = both(about, each(0xFFFF)), protocol = both(about, each((uint64_t)0xFF << 40));
    four is_tcp = _mm256_cmpeq_epi64(protocol, each((uint64_t)PROTOCOL_TCP << 40));
    four is_udp = _mm256_cmpeq_epi64(protocol, each((uint64_t)PROTOCOL_UDP << 40));
    four fault = either(minus(total_length, each(SHORTEST_TCP)), minus(minus(lengths, each(14)), total_length));
    fault = either(fault, differ(either(is_tcp, is_udp), each(UINT64_MAX)));
    if (any_negative(fault) || !_mm256_testz_si256(about, each(0x3FFF0000)))
        return false;

    ports = both(ports, either(both(is_tcp, each(0x0000FF0F00000000)), each(UINT32_MAX))); /* flags of TCP alone */
    four words = spread_words(REORDER(ports, 1, 0, 9, 8, 3, 2, 11, 10, 5, 4, 13, 12, -1, -1, -1, -1));
    put_8_bytes(to->inner_src_port + row, _mm256_extract_epi64(words, 0));
    put_8_bytes(to->inner_dst_port + row, _mm256_extract_epi64(words, 1));
    put_8_bytes(to->inner_tcp_flags + row, _mm256_extract_epi64(words, 2));

    about = either(both(_mm256_srli_epi64(about, 4), each((uint64_t)0xF << 32)), both(about, each(0xFFFFFF0000000000)));
    words = spread_words(REORDER(about, 6, 7, 14, 15, 4, 12, 5, 13, -1, -1, -1, -1, -1, -1, -1, -1));
    put_8_bytes(to->inner_ethertype + row, _mm256_extract_epi64(words, 0));
    const __m128i order = _mm_setr_epi8(8, 9, 12, 13, 10, 11, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1);
    __m128i bytes = _mm_shuffle_epi8(_mm256_castsi256_si128(words), order);
    put_4_bytes(to->inner_family + row, _mm_extract_epi32(bytes, 0));
    put_4_bytes(to->inner_protocol + row, _mm_extract_epi32(bytes, 1));
    return true;
}

/* Write all columns of four inner packets; false if one is not plain. */
INLINE WIDE bool decap_four_inner(const struct columns *to, uint64_t row, const uint8_t *const *inner, four lengths)
{
    struct lanes sizes;
    __m128i numbers[FOUR];
    uint32_t over_ipv6 = 0;
    put_lanes(&sizes, lengths);
    for (int i = 0; i < FOUR; i++) {
        if (LIKELY(starts_ipv4(inner[i]))) {
            numbers[i] = load_inner_ipv4(inner[i]);
            continue;
        }
        over_ipv6 |= (uint32_t)1 << i;
        if (!load_inner_ipv6(inner[i], lane(&sizes, i), numbers + i))
            return false;
    }
    if (!put_inner(to, row, numbers, lengths))
        return false;
    if (LIKELY(!over_ipv6)) {
        put_four_addresses(to->inner_src + 16 * row, to->inner_dst + 16 * row, inner, 26, 4);
        return true;
    }
    for (uint64_t i = 0; i < FOUR; i++) {
        bool is_ipv6 = over_ipv6 >> i & 1;
        put_addresses(to->inner_src, to->inner_dst, row + i, inner[i] + (is_ipv6 ? 54 : 34), is_ipv6 ? 16 : 4);
    }
    return true;
}

/* Write what the headers of UDP say, as they stand there. */
INLINE WIDE void put_udp(const struct decap_job *job, uint64_t row, four datagrams)
{
    four words = spread_words(REORDER(datagrams, 1, 0, 9, 8, 3, 2, 11, 10, 5, 4, 13, 12, 7, 6, 15, 14));
    put_8_bytes(job->to.outer_src_port + row, _mm256_extract_epi64(words, 0));
    put_8_bytes(job->to.outer_dst_port + row, _mm256_extract_epi64(words, 1));
    __m128i absent = _mm_cmpeq_epi16(_mm256_extracti128_si256(words, 1), _mm_setzero_si128());
    __m128i states = _mm_blendv_epi8(_mm_set1_epi8((char)job->states.udp_checksum), _mm_set1_epi8(CHECKSUM_ABSENT),
                                     _mm_packs_epi16(absent, absent));
    put_4_bytes(job->to.udp_checksum + row, _mm_extract_epi32(states, 1));
}

/* Write what the headers of VXLAN say, which are turned; returns their last bytes. */
INLINE WIDE int32_t put_vxlan(const struct columns *to, uint64_t row, four vxlan)
{
    four words = _mm256_permutevar8x32_epi32(vxlan, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    __m128i vnis = _mm256_castsi256_si128(words);
    _mm_storeu_si128((__m128i *)(to->vni + row), _mm_srli_epi32(vnis, 8));
    _mm_storeu_si128((__m128i *)(to->flags + row), _mm256_extracti128_si256(words, 1));
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    return _mm_cvtsi128_si32(_mm_shuffle_epi8(vnis, order));
}

/* Put four rows with the UDP header at `udp`, a constant, into the columns; false if not all are plain and accepted. */
INLINE WIDE bool decap_four(const struct decap_job *job, uint32_t udp, bool full, uint64_t row)
{
    const struct plain_rules *rules = &job->plain;
    const struct columns *to = &job->to;
    const uint32_t to_inner = udp + 16;
    struct lanes starts;
    const uint8_t *frames[FOUR], *inner[FOUR];
    four offsets, lengths, rows[FOUR];
    const uint64_t shortest = to_inner + (full ? 48 : 14), longest = 65535 + (udp == 34 ? 14 : 54);
    if (!read_four(&job->frames, row, shortest, longest, &offsets, &lengths))
        return false;
    put_lanes(&starts, offsets);
    for (int i = 0; i < FOUR; i++) {
        frames[i] = job->frames.data + lane(&starts, i);
        inner[i] = frames[i] + to_inner;
        if (!LIKELY(udp == 34 ? starts_ipv4(frames[i]) : starts_ipv6(frames[i])))
            return false;
        rows[i] = load_halves(frames[i] + 14, frames[i] + udp);
    }
    struct four_columns headers = transpose(rows);
    four datagram_lengths = minus(lengths, each(udp)), inner_lengths = minus(lengths, each(to_inner));
    four vxlan = REORDER(headers.fourth, 7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
    if (!(udp == 34 ? is_good_ipv4(headers.first, headers.second, lengths) : is_good_ipv6(headers.first, lengths))
        || !is_good_udp(headers.third, datagram_lengths, rules->usual_port)
        || !_mm256_testz_si256(differ(vxlan, each(FLIPPED_I)), each(rules->special)))
        return false;
    if (udp == 34 && rules->verify_ip_checksum
        && !have_good_sums(headers.first, headers.second, load_words(frames, 30)))
        return false;
    if (rules->rules->verify_udp_checksum && !have_good_datagrams(frames, udp, headers.third, datagram_lengths))
        return false;
    if (full && !decap_four_inner(to, row, inner, inner_lengths))
        return false;
    _mm256_storeu_si256((__m256i *)(to->inner_offset + row), plus(offsets, each(to_inner)));
    put_column32(to->inner_length + row, inner_lengths);
    put_column32(to->inner_original_length + row, inner_lengths);
    int32_t reserved = put_vxlan(to, row, vxlan);
    if (!full)
        return true;
    put_4_bytes(to->reserved + row, reserved);
    put_udp(job, row, headers.third);
    memset(to->outer_family + row, udp == 34 ? 4 : 6, FOUR);
    memset(to->ip_checksum + row, udp == 34 ? job->states.ip_checksum : CHECKSUM_UNCHECKED, FOUR);
    put_four_addresses(to->outer_src + 16 * row, to->outer_dst + 16 * row, frames, udp == 34 ? 26 : 22,
                       udp == 34 ? 4 : 16);
    return true;
}

/* Whether there may be four rows to be taken together: not where more is asked, rows may have been cut, or no port is
 * taken. */
static bool takes_fours(const struct decap_job *job)
{
    return job->plain.possible && !job->plain.more && !job->plain.inside && !job->frames.original_lengths
           && job->plain.usual_port <= UINT16_MAX;
}

/* Put rows from `row` on into the columns while four and four are plain; returns the first that is left. */
INLINE WIDE uint64_t decap_fours_of(const struct decap_job *of, bool full, uint64_t row)
{
    const struct decap_job job = *of; /* a copy, which no store can reach, stays in registers */
    const bool ahead = job.frames.size > PREFETCH_FROM;
    for (; job.frames.rows - row >= FOUR; row += FOUR) {
        for (uint64_t at = PREFETCH_ROWS; ahead && at < PREFETCH_ROWS + FOUR; at++)
            prefetch_row(&job.frames, row + at);
        struct extent in;
        if (!read_kept(&job.frames, row, &in) || in.end - in.start < 14)
            break;
        bool is_ipv6 = job.frames.data[in.start + 12] == TYPE_IPV6 >> 8;
        if (!(is_ipv6 ? decap_four(&job, 54, full, row) : decap_four(&job, 34, full, row)))
            break;
    }
    return row;
}

NOINLINE WIDE uint64_t decap_fours(const struct decap_job *job, uint64_t row)
{
    return job->full ? decap_fours_of(job, true, row) : decap_fours_of(job, false, row);
}
#endif
