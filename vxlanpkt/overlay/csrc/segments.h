/* Frames longer than the wire takes, as a kernel hands them to who says it can cut them, and checksums left to finish. */

enum { TCP_CWR = 0x80, TCP_URG = 0x20, TCP_ACK = 0x10, TCP_PSH = 0x08, TCP_FIN = 0x01 };
enum { NEEDS_CSUM = 1, DATA_VALID = 2 };
enum { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_UDP_L4 = 5, GSO_ECN = 0x80 };
enum { TCP_CHECKSUM = 16, UDP_CHECKSUM = 6 };
enum { IPV6_LEAST_MTU = 1280 };

/* Where the headers of a TCP or UDP packet in a frame lie. */
struct transport {
    uint64_t network, segment, payload, end; /* where they begin; all counted from the frame's first byte */
    uint32_t protocol;
    bool is_ipv4;
};

INLINE uint32_t checksum_offset(uint32_t protocol) { return protocol == PROTOCOL_TCP ? TCP_CHECKSUM : UDP_CHECKSUM; }

/* Find TCP or UDP in what find_inner has looked through. Fragments have none. */
static bool find_transport(const uint8_t *frame, const struct inner *inner, struct transport *found)
{
    const struct span *ip = &inner->ip;
    if (!inner->is_ip || ip->missing || (ip->key != PROTOCOL_TCP && ip->key != PROTOCOL_UDP))
        return false;
    uint64_t length = ip->end - ip->header_end;
    uint64_t header = ip->key == PROTOCOL_UDP ? 8 : 20;
    if (length < header)
        return false;
    if (ip->key == PROTOCOL_TCP)
        header = (frame[ip->header_end + 12] >> 4) * 4u;
    if (header < 20 && ip->key == PROTOCOL_TCP)
        return false;
    if (header > length || ip->header_end + header > DATAPATH_LARGEST_HEADER)
        return false;
    if (ip->key == PROTOCOL_UDP && load16(frame + ip->header_end + 4) != length)
        return false;
    *found = (struct transport){inner->at, ip->header_end, ip->header_end + header, ip->end, (uint32_t)ip->key,
                                ip->kind == KIND_IPV4};
    return true;
}

/* The folded sum of the pseudo-header for a segment of this length. */
static uint32_t pseudo_sum(const uint8_t *frame, const struct transport *at, uint64_t length)
{
    uint32_t size = at->is_ipv4 ? 4 : 16;
    const uint8_t *src = frame + at->network + (size == 4 ? 12 : 8);
    return fold(pseudo_header_sum(src, src + size, size, at->protocol, length));
}

static bool is_checksum_right(const uint8_t *frame, const struct transport *at)
{
    uint64_t length = at->end - at->segment;
    return fold((uint64_t)pseudo_sum(frame, at, length) + ones_complement_sum(frame + at->segment, length)) == 0xFFFF;
}

/* Whether the checksum was left to a network card: the field then holds the sum of the pseudo-header. */
static bool is_checksum_unfinished(const uint8_t *frame, const struct transport *at)
{
    uint32_t field = load16(frame + at->segment + checksum_offset(at->protocol));
    return field == pseudo_sum(frame, at, at->end - at->segment);
}

/* Finish a checksum as NEEDS_CSUM asks; false if what it says lies outside of the frame. */
static bool finish_checksum(uint8_t *frame, uint64_t size, const struct vxlanpkt_offload *offload)
{
    uint64_t start = offload->checksum_start, field = start + offload->checksum_offset;
    if (start >= size || size < 2 || field > size - 2)
        return false;
    uint32_t checksum = 0xFFFF - ones_complement_sum(frame + start, size - start);
    store16(frame + field, checksum ? checksum : 0xFFFF); /* 0 says "none" to UDP, and means the same to TCP */
    return true;
}

/* How a long frame is to be cut: into `count` parts of `size` bytes, the last one perhaps shorter. */
struct cut {
    struct transport at;
    uint32_t size, count;
    uint8_t gso_type;
};

/* The kernel leaves the checksum of a long frame unfinished, always. */
static bool plan_cut(const uint8_t *frame, const struct inner *inner, const struct vxlanpkt_offload *offload,
                     struct cut *cut)
{
    uint32_t type = offload->gso_type & ~(uint32_t)GSO_ECN;
    if (!(offload->flags & NEEDS_CSUM) || !offload->gso_size || !find_transport(frame, inner, &cut->at))
        return false;
    bool is_tcp = cut->at.protocol == PROTOCOL_TCP;
    if (is_tcp ? type != (cut->at.is_ipv4 ? GSO_TCPV4 : GSO_TCPV6) : type != GSO_UDP_L4)
        return false;
    uint64_t payload = cut->at.end - cut->at.payload;
    cut->size = offload->gso_size;
    cut->gso_type = offload->gso_type;
    cut->count = payload ? (uint32_t)((payload + cut->size - 1) / cut->size) : 1;
    return true;
}

INLINE uint64_t part_size(const struct cut *cut, uint32_t number)
{
    return smaller(cut->size, cut->at.end - cut->at.payload - (uint64_t)number * cut->size);
}

static void put_network(uint8_t *ip, const struct transport *at, uint64_t length, uint32_t number)
{
    if (!at->is_ipv4) {
        store16(ip + 4, (uint32_t)length - 40);
        return;
    }
    store16(ip + 2, (uint32_t)length);
    store16(ip + 4, load16(ip + 4) + number);
    store16(ip + 10, 0);
    store16(ip + 10, 0xFFFF - ones_complement_sum(ip, (ip[0] & 15) * 4u));
}

/* Write the headers of one part to `to`. The sum of its pseudo-header is the whole frame's with another length in it. */
static void put_part(const uint8_t *frame, const struct cut *cut, uint32_t number, uint8_t *to)
{
    const struct transport *at = &cut->at;
    uint64_t from = at->payload + (uint64_t)number * cut->size, size = part_size(cut, number);
    uint64_t whole = at->end - at->segment, length = at->payload - at->segment + size;
    memcpy(to, frame, at->payload);
    put_network(to + at->network, at, at->payload - at->network + size, number);
    uint8_t *segment = to + at->segment, *field = segment + checksum_offset(at->protocol);
    uint64_t sum = load16(field) + (0xFFFF - fold(whole)) + length;
    store16(field, 0);
    if (at->protocol == PROTOCOL_UDP) {
        store16(segment + 4, (uint32_t)length);
    } else {
        store32(segment + 4, load32(segment + 4) + number * cut->size);
        if (number)
            segment[13] &= (uint8_t)~TCP_CWR;
        if (number + 1 < cut->count)
            segment[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    }
    sum += ones_complement_sum(segment, at->payload - at->segment);
    sum += ones_complement_sum(frame + from, size);
    uint32_t checksum = 0xFFFF - fold(sum);
    store16(field, checksum ? checksum : 0xFFFF);
}

/* What a frame that is to be handed to the kernel needs: its checksum finished, or to be cut before it leaves again.
 * Into which segments its sender would have cut it nobody knows. They are no longer than every link of IPv6 takes (RFC
 * 8200 5): a container's link may take less than this device, and a frame whose segments do not fit is never delivered,
 * however often it is sent again. False where it is several datagrams of UDP whose bounds nobody knows any more. */
static bool describe_frame(uint8_t *frame, const struct inner *inner, uint32_t mtu, struct vxlanpkt_offload *offload)
{
    struct transport at;
    memset(offload, 0, sizeof *offload);
    if (!find_transport(frame, inner, &at))
        return true;
    bool is_long = at.end - at.network > mtu, unfinished = is_checksum_unfinished(frame, &at);
    uint64_t room = mtu < IPV6_LEAST_MTU ? mtu : IPV6_LEAST_MTU, headers = at.payload - at.network;
    if (!is_long && !unfinished)
        return true;
    if (is_long && at.protocol == PROTOCOL_UDP)
        return !unfinished;
    if (is_long) {
        if (room <= headers || (!unfinished && !is_checksum_right(frame, &at)))
            return true;
        store16(frame + at.segment + TCP_CHECKSUM, pseudo_sum(frame, &at, at.end - at.segment));
        offload->gso_type = at.is_ipv4 ? GSO_TCPV4 : GSO_TCPV6;
        offload->gso_size = (uint16_t)(room - headers);
        offload->header_length = (uint16_t)at.payload;
    }
    offload->flags = NEEDS_CSUM;
    offload->checksum_start = (uint16_t)at.segment;
    offload->checksum_offset = (uint16_t)checksum_offset(at.protocol);
    return true;
}
