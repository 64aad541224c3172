/* TCP segments of one flow that follow each other, joined into one long frame: the opposite of segments.h.
 *
 * Joined are only segments from which cutting makes the same again, but for the identification of packets that must not
 * be fragmented, which means nothing (RFC 6864). Whoever takes a long frame does not look at its checksum, so each
 * segment's is checked here.
 */

enum { MOST_JOINED = 64 };

struct joined {
    struct iovec parts[MOST_JOINED + 2]; /* the first two are for the offload and the headers */
    uint8_t *frame;
    struct transport at;
    uint64_t payload; /* of all together */
    uint32_t size, count, next;
    bool closed, pushed;
    uint64_t length; /* of the first frame, whatever is in it */
};

/* Whether a segment is data and nothing else, in a packet without options. */
static bool is_joinable(const uint8_t *frame, uint64_t size, const struct inner *inner, struct transport *at)
{
    if (!find_transport(frame, inner, at) || at->protocol != PROTOCOL_TCP || at->end != size)
        return false;
    if (at->segment - at->network != (at->is_ipv4 ? 20u : 40u) || at->payload == at->end)
        return false;
    if ((frame[at->segment + 13] & ~TCP_PSH) != TCP_ACK || load16(frame + at->segment + 18))
        return false;
    return (!at->is_ipv4 || ones_complement_sum(frame + at->network, 20) == 0xFFFF) && is_checksum_right(frame, at);
}

/* Whether two IP headers say the same, but for lengths, checksum, and the number of the packet. */
static bool is_same_network(const uint8_t *first, const uint8_t *next, bool is_ipv4, uint32_t number)
{
    if (!is_ipv4)
        return !memcmp(first, next, 4) && !memcmp(first + 6, next + 6, 34);
    if (load16(first) != load16(next) || memcmp(first + 6, next + 6, 4) || memcmp(first + 12, next + 12, 8))
        return false;
    return first[6] & DONT_FRAGMENT || load16(next + 4) == (uint16_t)(load16(first + 4) + number);
}

static bool is_same_flow(const struct joined *joined, const uint8_t *frame, const struct transport *at)
{
    const uint8_t *first = joined->frame, *was = first + joined->at.segment, *is = frame + at->segment;
    if (at->network != joined->at.network || at->segment != joined->at.segment || at->payload != joined->at.payload
        || at->is_ipv4 != joined->at.is_ipv4 || memcmp(first, frame, at->network))
        return false;
    if (!is_same_network(first + at->network, frame + at->network, at->is_ipv4, joined->count))
        return false;
    /* Ports; acknowledgement and data offset; window; options. The flags are known, the urgent pointer is 0. */
    return !memcmp(was, is, 4) && load32(is + 4) == joined->next && !memcmp(was + 8, is + 8, 5)
           && load16(was + 14) == load16(is + 14) && !memcmp(was + 20, is + 20, at->payload - at->segment - 20);
}

static void begin_joined(struct joined *joined, uint8_t *frame, uint64_t size, const struct transport *at)
{
    joined->frame = frame;
    joined->length = size;
    joined->at = *at;
    joined->count = 1;
    joined->payload = at->end - at->payload;
    joined->size = (uint32_t)joined->payload;
    joined->next = load32(frame + at->segment + 4) + joined->size;
    joined->pushed = joined->closed = frame[at->segment + 13] & TCP_PSH;
    joined->parts[2] = (struct iovec){frame + at->payload, joined->payload};
}

/* Add a segment, if it is the next one of what is joined so far. */
static bool add_joined(struct joined *joined, uint8_t *frame, const struct transport *at)
{
    uint64_t size = at->end - at->payload;
    if (joined->closed || joined->count == MOST_JOINED || size > joined->size || !is_same_flow(joined, frame, at)
        || joined->at.payload - joined->at.network + joined->payload + size > 65535)
        return false;
    joined->parts[2 + joined->count++] = (struct iovec){frame + at->payload, size};
    joined->payload += size;
    joined->next += (uint32_t)size;
    joined->pushed = frame[at->segment + 13] & TCP_PSH;
    joined->closed = joined->pushed || size < joined->size;
    return true;
}

/* Make the first one's headers those of the whole, and say how the whole is to be cut again. */
static void finish_joined(struct joined *joined, struct vxlanpkt_offload *offload)
{
    const struct transport *at = &joined->at;
    uint8_t *segment = joined->frame + at->segment;
    uint64_t length = at->payload - at->segment + joined->payload;
    put_network(joined->frame + at->network, at, at->payload - at->network + joined->payload, 0);
    if (joined->pushed)
        segment[13] |= TCP_PSH;
    store16(segment + TCP_CHECKSUM, pseudo_sum(joined->frame, at, length));
    *offload = (struct vxlanpkt_offload){
        .flags = NEEDS_CSUM,
        .gso_type = at->is_ipv4 ? GSO_TCPV4 : GSO_TCPV6,
        .header_length = (uint16_t)at->payload,
        .gso_size = (uint16_t)joined->size,
        .checksum_start = (uint16_t)at->segment,
        .checksum_offset = TCP_CHECKSUM,
    };
}
