/* What the first IP header of a frame says, and which frames were seen before: the twin of kernel/python/sightings.py.
 */

enum { TRAIT_ROW = 4 * 4 + 1, SIGHTING_ROW = 8 + 1 };
enum { WAYS = 8, SIGHT_WORDS = 4, SIGHT_SET = 8 * SIGHT_WORDS * WAYS };
enum { SEEN_DIGEST, SEEN_TIME, SEEN_NUMBER, SEEN_MARK };
enum { AS_BEFORE = 1, MARKED_OTHERWISE = 2 };
enum { TOO_BIG_TYPE = 3, TOO_BIG_CODE = 4, TOO_BIG_TYPE6 = 2, TCP_FIN = 1, TCP_SYN = 2, IPV4_DF = 0x40 };

/* -- traits */

struct traits {
    uint32_t length, identification, sequence, segment;
    uint8_t bits;
};

/* The first IP header of a frame; false if there is none that is sound. */
INLINE bool find_packet(const uint8_t *buf, struct extent in, uint32_t kind, struct span *ip)
{
    struct fault fault;
    while (kind == KIND_ETHERNET || kind == KIND_DOT1Q || kind == KIND_LINUX_SLL || kind == KIND_LINUX_SLL2
           || kind == KIND_LOOPBACK) {
        struct span link;
        if (!scan_link(kind, buf, in, &link, &fault))
            return false;
        in = (struct extent){link.header_end, link.end, link.missing};
        kind = kind == KIND_LOOPBACK ? by_family(link.key) : by_ethertype(link.key);
        if (kind != KIND_DOT1Q && kind != KIND_IPV4 && kind != KIND_IPV6)
            return false;
    }
    if (kind == KIND_RAW && in.start < in.end)
        kind = buf[in.start] >> 4 == 4 ? KIND_IPV4 : buf[in.start] >> 4 == 6 ? KIND_IPV6 : KIND_NOTHING;
    if (kind == KIND_IPV4)
        return scan_ipv4(buf, in, true, ip, &fault);
    return kind == KIND_IPV6 && scan_ipv6(buf, in, true, ip, &fault);
}

/* Whether a packet is an ICMP message that says that another one was too big. */
INLINE bool is_too_big(const uint8_t *message, uint64_t size, int64_t protocol)
{
    if (protocol == PROTOCOL_ICMP)
        return size >= 2 && message[0] == TOO_BIG_TYPE && message[1] == TOO_BIG_CODE;
    return protocol == PROTOCOL_ICMPV6 && size >= 1 && message[0] == TOO_BIG_TYPE6;
}

/* Where a TCP segment begins, and how much of the sequence it takes: its bytes, and 1 each for SYN and FIN. */
INLINE void read_segment(const uint8_t *header, uint64_t length, struct traits *traits)
{
    uint64_t header_length = (header[12] >> 4) * 4u;
    uint32_t flags = header[13];
    if (header_length < 20 || header_length > length)
        return;
    traits->sequence = load32(header + 4);
    traits->segment = (uint32_t)(length - header_length) + ((flags & TCP_SYN) != 0) + ((flags & TCP_FIN) != 0);
}

INLINE struct traits describe_packet(const uint8_t *buf, const struct span *ip)
{
    struct traits traits = {0, VXLANPKT_NO_IDENTIFICATION, 0, 0, TRAIT_IP};
    const uint8_t *header = buf + ip->start;
    uint32_t bits = TRAIT_IP;
    if (ip->kind == KIND_IPV4) {
        bits |= (header[1] & TRAIT_ECN) | (header[6] & IPV4_DF ? TRAIT_DF : 0u);
        traits.identification = load16(header + 4);
    } else {
        bits |= header[1] >> 4 & TRAIT_ECN;
    }
    if (ip->key == VXLANPKT_NO_KEY)
        bits |= TRAIT_FRAGMENT | TRAIT_LATER;
    else if (ip->missing >= FRAGMENTED)
        bits |= TRAIT_FRAGMENT;
    if (is_too_big(buf + ip->header_end, ip->end - ip->header_end, ip->key))
        bits |= TRAIT_TOO_BIG;
    uint64_t length = ip->end - ip->start + ip->missing % FRAGMENTED;
    traits.length = (uint32_t)length;
    if (ip->key == PROTOCOL_TCP && ip->missing < FRAGMENTED && ip->end - ip->header_end >= 14)
        read_segment(buf + ip->header_end, length - (ip->header_end - ip->start), &traits);
    traits.bits = (uint8_t)(bits | (traits.segment ? TRAIT_SEGMENT : 0u));
    return traits;
}

INLINE uint32_t kind_of_link(uint32_t link_type)
{
    return link_type == ETHERNET_LINK ? KIND_ETHERNET : link_type == RAW_LINK ? KIND_RAW : KIND_NOTHING;
}

static void put_traits(const struct vxlanpkt_frames *frames, uint32_t kind, const uint8_t *link_types, uint8_t *out)
{
    uint32_t *lengths = take(&out, frames->rows, 4), *identifications = take(&out, frames->rows, 4);
    uint32_t *sequences = take(&out, frames->rows, 4), *segments = take(&out, frames->rows, 4);
    uint8_t *bits = take(&out, frames->rows, 1);
    for (uint64_t row = 0; row < frames->rows; row++) {
        struct traits traits = {0, VXLANPKT_NO_IDENTIFICATION, 0, 0, 0};
        struct extent in;
        struct span ip;
        uint32_t of_row = link_types ? kind_of_link(((const item16 *)link_types)[row]) : kind;
        if (read_row(frames, row, &in) && find_packet(frames->data, in, of_row, &ip))
            traits = describe_packet(frames->data, &ip);
        lengths[row] = traits.length;
        identifications[row] = traits.identification;
        sequences[row] = traits.sequence;
        segments[row] = traits.segment;
        bits[row] = traits.bits;
    }
}

/* -- digests */

/* Up to 8 bytes as a word of this machine. */
INLINE uint64_t word_of(const uint8_t *data, uint64_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, smaller(size, 8));
    return word;
}

INLINE uint64_t digest_item(const uint8_t *item, uint64_t width, uint64_t state, uint64_t secret)
{
    for (uint64_t at = 0; at < width; at += 8)
        state = mix(state ^ word_of(item + at, width - at), secret);
    return state;
}

/* Two words at a time, the last ones padded with zeros. */
INLINE uint64_t digest_bytes(const uint8_t *data, uint64_t size, uint64_t state, uint64_t secret)
{
    uint64_t at = 0;
    for (; size - at >= 16; at += 16)
        state = mix(word_of(data + at, 8) ^ secret, word_of(data + at + 8, 8) ^ state);
    if (at < size) {
        uint64_t rest = size - at;
        state = mix(word_of(data + at, rest) ^ secret, (rest > 8 ? word_of(data + at + 8, rest - 8) : 0) ^ state);
    }
    return state;
}

static uint64_t digest_row(const struct vxlanpkt_rows *rows, const struct vxlanpkt_frames *frames,
                           const uint64_t *secrets, uint64_t row)
{
    uint64_t state = secrets[0];
    for (uint64_t at = 0; at < rows->key_columns; at++)
        state = digest_item(rows->key[at].data + rows->key[at].width * row, rows->key[at].width, state, secrets[1]);
    if (frames) {
        struct extent in;
        if (!read_row(frames, row, &in))
            return 0;
        state = digest_bytes(frames->data + in.start, in.end - in.start, state, secrets[2]);
        state = mix(state ^ (in.end - in.start), secrets[3] ^ in.missing);
    }
    return state ? state : 1;
}

static void put_digests(const struct vxlanpkt_rows *rows, const struct vxlanpkt_frames *frames,
                        const uint64_t *secrets, uint8_t *out)
{
    const uint8_t *selected = rows->selected.data, *status = rows->status.data;
    for (uint64_t row = 0; row < rows->count; row++) {
        bool chosen = (!selected || selected[row]) && (!status || status[row] == REASON_OK);
        ((item64 *)out)[row] = chosen ? digest_row(rows, frames, secrets, row) : 0;
    }
}

/* -- what was seen before */

INLINE uint64_t distance(uint64_t a, uint64_t b) { return (int64_t)a > (int64_t)b ? a - b : b - a; }

/* The entry that has a digest, or that makes way for it: the first free one, or else the earliest. */
INLINE item64 *place_of(item64 *set, uint64_t digest)
{
    item64 *earliest = set;
    for (int way = 0; way < WAYS; way++) {
        item64 *entry = set + SIGHT_WORDS * way;
        if (!entry[SEEN_DIGEST] || entry[SEEN_DIGEST] == digest)
            return entry;
        if ((int64_t)entry[SEEN_TIME] < (int64_t)earliest[SEEN_TIME])
            earliest = entry;
    }
    return earliest;
}

static uint64_t sight_rows(const struct vxlanpkt_sighted *rows, item64 *memory, uint64_t sets, uint8_t *out)
{
    uint64_t count = rows->digests.size / 8, forgotten = 0;
    item64 *earlier = take(&out, count, 8);
    uint8_t *repeated = take(&out, count, 1);
    for (uint64_t row = 0; row < count; row++) {
        uint64_t digest = ((const item64 *)rows->digests.data)[row];
        uint64_t time = ((const item64 *)rows->timestamps.data)[row];
        uint32_t mark = ((const item32 *)rows->marks.data)[row];
        earlier[row] = repeated[row] = 0;
        if (!digest || time == (uint64_t)INT64_MIN)
            continue;
        item64 *entry = place_of(memory + ((digest >> 32) * sets >> 32) * WAYS * SIGHT_WORDS, digest);
        bool near = entry[SEEN_DIGEST] && distance(time, entry[SEEN_TIME]) <= rows->window;
        if (near && entry[SEEN_DIGEST] == digest) {
            earlier[row] = entry[SEEN_NUMBER];
            repeated[row] = entry[SEEN_MARK] == mark ? AS_BEFORE : MARKED_OTHERWISE;
        } else {
            forgotten += near;
        }
        entry[SEEN_DIGEST] = digest;
        entry[SEEN_TIME] = time;
        entry[SEEN_NUMBER] = rows->number + row + 1;
        entry[SEEN_MARK] = mark;
    }
    return forgotten;
}
