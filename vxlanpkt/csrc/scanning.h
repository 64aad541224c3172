/* The bounds of every header, one function each, and the walk from header to header: the twin of kernel/python/scanning.py.
 *
 * A scan reads the bytes of its extent and nothing else. Lengths are compared, pointers are never summed. Each length
 * field is read once: what was checked is what is used, even while another thread writes into the buffer.
 */

/* A first fragment lacks an unknown number of bytes: spans.FRAGMENTED. */
#define FRAGMENTED ((uint64_t)1 << 32)

enum { PROTOCOL_ICMP = 1, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PROTOCOL_ICMPV6 = 58 };
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION = 60 };
enum { RPL_ROUTING = 3, SEGMENT_ROUTING = 4 };
enum { MOBILITY = 135, HIP = 139, SHIM6 = 140 };
enum { TYPE_IPV4 = 0x0800, TYPE_ARP = 0x0806, TYPE_IPV6 = 0x86DD, TYPE_DOT1Q = 0x8100, TYPE_QINQ = 0x88A8 };
enum { GPE_IPV4 = 1, GPE_IPV6 = 2, GPE_ETHERNET = 3, GPE_LAST = 5, GPE_P_FLAG = 0x04 };

/* Where something may lie: from start to end, with `missing` bytes more behind that on the wire. */
struct extent {
    uint64_t start, end, missing;
};

struct span {
    uint64_t start, header_end, end, missing;
    int64_t key;
    uint32_t kind;
};

struct fault {
    uint64_t needed, value;
    int64_t available;
    uint32_t reason, field;
};

INLINE bool accept(struct span *span, uint32_t kind, struct extent in, uint64_t header_end, uint64_t end, int64_t key)
{
    *span = (struct span){in.start, header_end, end, in.missing, key, kind};
    return true;
}

INLINE bool refuse(struct fault *fault, uint32_t reason, uint64_t needed, uint32_t field, uint64_t value)
{
    *fault = (struct fault){needed, value, -1, reason, field};
    return false;
}

/* A header that needs more bytes than are there: the capture's fault, if it kept too few. */
INLINE bool cut(struct fault *fault, uint32_t reason, uint64_t needed, struct extent in, uint32_t field)
{
    bool captured = needed - (in.end - in.start) <= in.missing % FRAGMENTED;
    return refuse(fault, captured ? REASON_CAPTURE_CUT : reason, needed, field, 0);
}

/* How much of a declared length is missing. In a fragment only what the capture cut is known. */
INLINE uint64_t beyond(uint64_t declared, uint64_t available, uint64_t missing)
{
    if (declared <= available)
        return 0;
    if (missing >= FRAGMENTED)
        return FRAGMENTED + smaller(declared - available, missing - FRAGMENTED);
    return declared - available;
}

INLINE bool scan_ethernet(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    if (in.end - in.start < 14)
        return cut(fault, REASON_ETHERNET_TRUNCATED, 14, in, FIELD_NONE);
    return accept(span, KIND_ETHERNET, in, in.start + 14, in.end, load16(buf + in.start + 12));
}

INLINE bool scan_dot1q(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    if (in.end - in.start < 4)
        return cut(fault, REASON_DOT1Q_TRUNCATED, 4, in, FIELD_NONE);
    return accept(span, KIND_DOT1Q, in, in.start + 4, in.end, load16(buf + in.start + 2));
}

INLINE bool scan_arp(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    uint64_t available = in.end - in.start;
    if (available < 8)
        return cut(fault, REASON_ARP_TRUNCATED, 8, in, FIELD_NONE);
    uint64_t needed = 8 + 2 * ((uint64_t)buf[in.start + 4] + buf[in.start + 5]);
    if (available < needed)
        return cut(fault, REASON_ARP_TRUNCATED, needed, in, FIELD_HARDWARE_LENGTH);
    in.missing = 0;
    return accept(span, KIND_ARP, in, in.start + needed, in.start + needed, VXLANPKT_NO_KEY);
}

INLINE bool scan_ipv4(const uint8_t *buf, struct extent in, bool any_length, struct span *span, struct fault *fault)
{
    uint64_t available = in.end - in.start;
    if (available < 20)
        return cut(fault, REASON_IPV4_HEADER_TRUNCATED, 20, in, FIELD_NONE);
    const uint8_t *header = buf + in.start;
    uint32_t first = header[0];
    if (first >> 4 != 4)
        return refuse(fault, REASON_IPV4_VERSION, 20, FIELD_VERSION, first >> 4);
    uint64_t header_length = (first & 15) * 4;
    if (header_length < 20)
        return refuse(fault, REASON_IPV4_IHL, 20, FIELD_IHL, first & 15);
    if (header_length > available)
        return cut(fault, REASON_IPV4_OPTIONS_TRUNCATED, header_length, in, FIELD_IHL);
    uint64_t total_length = load16(header + 2);
    if (total_length == 0 && any_length)
        total_length = available + in.missing;
    if (total_length < header_length)
        return refuse(fault, REASON_IPV4_TOTAL_LENGTH, header_length, FIELD_TOTAL_LENGTH, total_length);
    if (total_length > available + in.missing)
        return refuse(fault, REASON_IPV4_TRUNCATED, total_length, FIELD_TOTAL_LENGTH, 0);
    in.missing = beyond(total_length, available, in.missing);
    uint64_t end = in.start + smaller(total_length, available);
    uint32_t fragment = load16(header + 6) & 0x3FFF;
    int64_t key = fragment & 0x1FFF ? VXLANPKT_NO_KEY : header[9];
    if (fragment && key != VXLANPKT_NO_KEY)
        in.missing |= FRAGMENTED;
    return accept(span, KIND_IPV4, in, in.start + header_length, end, key);
}

INLINE bool is_chained(uint32_t key)
{
    return key == ROUTING || key == FRAGMENT || key == AUTHENTICATION || key == DESTINATION
           || key == MOBILITY || key == HIP || key == SHIM6;
}

INLINE uint64_t extension_length(uint32_t kind, uint32_t length_field)
{
    if (kind == FRAGMENT)
        return 8;
    if (kind == AUTHENTICATION)
        return ((uint64_t)length_field + 2) * 4;
    return ((uint64_t)length_field + 1) * 8;
}

/* An extension header that reaches beyond the end. Where nothing is missing, the payload length sets the limit. */
static bool extension_cut(struct fault *fault, uint64_t needed, struct extent in)
{
    cut(fault, REASON_IPV6_EXTENSION_TRUNCATED, needed, in, FIELD_NONE);
    if (!in.missing)
        fault->available = (int64_t)(in.end - in.start);
    return false;
}

COLD bool scan_extensions(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    uint32_t key = buf[in.start + 6];
    uint64_t at = in.start + 40;
    while (is_chained(key) || (key == HOP_BY_HOP && at == in.start + 40)) {
        if (in.end - at < 8)
            return extension_cut(fault, at + 8 - in.start, in);
        uint32_t length_field = buf[at + 1];
        uint64_t length = extension_length(key, length_field);
        if (length > in.end - at)
            return extension_cut(fault, at + length - in.start, in);
        if (key == AUTHENTICATION && length < 12)
            return refuse(fault, REASON_IPV6_AH_LENGTH, at + 12 - in.start, FIELD_PAYLOAD_LENGTH, length_field);
        if (key == FRAGMENT) {
            uint32_t fragment = load16(buf + at + 2);
            if (fragment & 0xFFF8)
                return accept(span, KIND_IPV6, in, at + 8, in.end, VXLANPKT_NO_KEY);
            if (fragment & 1)
                in.missing |= FRAGMENTED;
        }
        key = buf[at];
        at += length;
    }
    return accept(span, KIND_IPV6, in, at, in.end, key);
}

INLINE bool scan_ipv6(const uint8_t *buf, struct extent in, bool any_length, struct span *span, struct fault *fault)
{
    uint64_t available = in.end - in.start;
    if (available < 40)
        return cut(fault, REASON_IPV6_HEADER_TRUNCATED, 40, in, FIELD_NONE);
    const uint8_t *header = buf + in.start;
    if (header[0] >> 4 != 6)
        return refuse(fault, REASON_IPV6_VERSION, 40, FIELD_VERSION, header[0] >> 4);
    uint64_t total_length = 40 + (uint64_t)load16(header + 4);
    if (total_length == 40 && any_length)
        total_length = available + in.missing;
    if (total_length > available + in.missing)
        return refuse(fault, REASON_IPV6_TRUNCATED, total_length, FIELD_PAYLOAD_LENGTH, 0);
    in.missing = beyond(total_length, available, in.missing);
    in.end = in.start + smaller(total_length, available);
    uint32_t key = header[6];
    if (is_chained(key) || key == HOP_BY_HOP) {
        /* Into copies: the compiler keeps in registers what no other function has the address of. */
        struct span chained;
        struct fault broken;
        bool sound = scan_extensions(buf, in, &chained, &broken);
        if (sound)
            *span = chained;
        else
            *fault = broken;
        return sound;
    }
    return accept(span, KIND_IPV6, in, in.start + 40, in.end, key);
}

/* Whether a length that UDP's field has stands for all bytes there. */
INLINE bool means_all(uint64_t length, uint64_t available, uint32_t rule)
{
    if (rule == UDP_LENGTH_OVERRUN)
        return available < length && length <= available + 20;
    return rule == UDP_LENGTH_IGNORE || length == 0;
}

INLINE bool scan_udp(const uint8_t *buf, struct extent in, uint32_t rule, struct span *span, struct fault *fault)
{
    uint64_t available = in.end - in.start;
    if (available < 8)
        return cut(fault, REASON_UDP_HEADER_TRUNCATED, 8, in, FIELD_NONE);
    uint64_t length = load16(buf + in.start + 4);
    if (rule != UDP_LENGTH_CHECK && means_all(length, available + in.missing, rule))
        length = available + in.missing;
    if (length < 8)
        return refuse(fault, REASON_UDP_LENGTH, 8, FIELD_LENGTH, length);
    if (length > available + in.missing)
        return refuse(fault, REASON_UDP_TRUNCATED, length, FIELD_LENGTH, 0);
    in.missing = beyond(length, available, in.missing);
    uint64_t end = in.start + smaller(length, available);
    return accept(span, KIND_UDP, in, in.start + 8, end, load16(buf + in.start + 2));
}

INLINE bool scan_tcp(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    uint64_t available = in.end - in.start;
    if (available < 20)
        return cut(fault, REASON_TCP_HEADER_TRUNCATED, 20, in, FIELD_NONE);
    uint32_t data_offset = buf[in.start + 12] >> 4;
    if (data_offset < 5)
        return refuse(fault, REASON_TCP_DATA_OFFSET, 20, FIELD_DATA_OFFSET, data_offset);
    if (data_offset * 4 > available)
        return cut(fault, REASON_TCP_TRUNCATED, data_offset * 4, in, FIELD_DATA_OFFSET);
    return accept(span, KIND_TCP, in, in.start + data_offset * 4, in.end, load16(buf + in.start + 2));
}

/* ICMP and ICMPv6: all behind the first 4 bytes is the message, a field of the header. */
INLINE bool scan_message(uint32_t kind, uint32_t reason, struct extent in, struct span *span, struct fault *fault)
{
    if (in.end - in.start < 4)
        return cut(fault, reason, 4, in, FIELD_NONE);
    return accept(span, kind, in, in.end, in.end, VXLANPKT_NO_KEY);
}

INLINE bool scan_vxlan(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    (void)buf;
    if (in.end - in.start < 8)
        return cut(fault, REASON_VXLAN_TRUNCATED, 8, in, FIELD_NONE);
    return accept(span, KIND_VXLAN, in, in.start + 8, in.end, 0);
}

INLINE bool scan_vxlangpe(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    if (in.end - in.start < 8)
        return cut(fault, REASON_VXLANGPE_TRUNCATED, 8, in, FIELD_NONE);
    int64_t key = buf[in.start] & GPE_P_FLAG ? buf[in.start + 3] : GPE_ETHERNET;
    return accept(span, KIND_VXLANGPE, in, in.start + 8, in.end, key);
}

INLINE bool scan_linux_sll(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    if (in.end - in.start < 16)
        return cut(fault, REASON_LINUX_SLL_TRUNCATED, 16, in, FIELD_NONE);
    return accept(span, KIND_LINUX_SLL, in, in.start + 16, in.end, load16(buf + in.start + 14));
}

INLINE bool scan_linux_sll2(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    if (in.end - in.start < 20)
        return cut(fault, REASON_LINUX_SLL2_TRUNCATED, 20, in, FIELD_NONE);
    return accept(span, KIND_LINUX_SLL2, in, in.start + 20, in.end, load16(buf + in.start));
}

/* The address family is in whichever byte order makes it small. */
INLINE bool scan_loopback(const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    if (in.end - in.start < 4)
        return cut(fault, REASON_LOOPBACK_TRUNCATED, 4, in, FIELD_NONE);
    const uint8_t *family = buf + in.start;
    uint32_t key = load32(family);
    if (family[0] || family[1])
        key = (uint32_t)family[3] << 24 | (uint32_t)family[2] << 16 | (uint32_t)family[1] << 8 | family[0];
    return accept(span, KIND_LOOPBACK, in, in.start + 4, in.end, key);
}

INLINE bool scan_raw(const uint8_t *buf, struct extent in, bool any_length, struct span *span, struct fault *fault)
{
    if (in.start >= in.end)
        return cut(fault, REASON_IPV4_HEADER_TRUNCATED, 20, in, FIELD_NONE);
    uint32_t version = buf[in.start] >> 4;
    if (version == 6)
        return scan_ipv6(buf, in, any_length, span, fault);
    if (version == 4)
        return scan_ipv4(buf, in, any_length, span, fault);
    return refuse(fault, REASON_IP_VERSION, 1, FIELD_VERSION, version);
}

/* What READING_CAPTURED and READING_IP mean to UDP. */
INLINE uint32_t udp_length_of(uint32_t reading)
{
    return reading == READING_IP ? UDP_LENGTH_IGNORE : reading == READING_CAPTURED ? UDP_LENGTH_JUMBO : UDP_LENGTH_CHECK;
}

static bool scan(uint32_t kind, const uint8_t *buf, struct extent in, uint32_t reading, struct span *span,
                 struct fault *fault)
{
    const bool any_length = reading == READING_CAPTURED;
    switch (kind) {
    case KIND_ETHERNET: return scan_ethernet(buf, in, span, fault);
    case KIND_DOT1Q: return scan_dot1q(buf, in, span, fault);
    case KIND_ARP: return scan_arp(buf, in, span, fault);
    case KIND_IPV4: return scan_ipv4(buf, in, any_length, span, fault);
    case KIND_IPV6: return scan_ipv6(buf, in, any_length, span, fault);
    case KIND_UDP: return scan_udp(buf, in, udp_length_of(reading), span, fault);
    case KIND_TCP: return scan_tcp(buf, in, span, fault);
    case KIND_ICMP: return scan_message(KIND_ICMP, REASON_ICMP_TRUNCATED, in, span, fault);
    case KIND_ICMPV6: return scan_message(KIND_ICMPV6, REASON_ICMPV6_TRUNCATED, in, span, fault);
    case KIND_VXLAN: return scan_vxlan(buf, in, span, fault);
    case KIND_VXLANGPE: return scan_vxlangpe(buf, in, span, fault);
    case KIND_LINUX_SLL: return scan_linux_sll(buf, in, span, fault);
    case KIND_LINUX_SLL2: return scan_linux_sll2(buf, in, span, fault);
    case KIND_LOOPBACK: return scan_loopback(buf, in, span, fault);
    default: return scan_raw(buf, in, any_length, span, fault);
    }
}

INLINE uint32_t by_ethertype(int64_t key)
{
    switch (key) {
    case TYPE_IPV4: return KIND_IPV4;
    case TYPE_IPV6: return KIND_IPV6;
    case TYPE_ARP: return KIND_ARP;
    case TYPE_DOT1Q:
    case TYPE_QINQ: return KIND_DOT1Q;
    default: return KIND_NOTHING;
    }
}

/* AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24, 28 and 30 on the BSDs and macOS. */
INLINE uint32_t by_family(int64_t key)
{
    if (key == 2)
        return KIND_IPV4;
    return key == 10 || key == 24 || key == 28 || key == 30 ? KIND_IPV6 : KIND_NOTHING;
}

INLINE uint32_t by_protocol(int64_t key, uint32_t icmp, uint32_t kind)
{
    if (key == PROTOCOL_UDP)
        return KIND_UDP;
    if (key == PROTOCOL_TCP)
        return KIND_TCP;
    return key == icmp ? kind : KIND_NOTHING;
}

/* Who follows whom. `ports` gives the kind behind each UDP destination port. */
static uint32_t follows(uint32_t kind, int64_t key, const uint8_t *ports)
{
    switch (kind) {
    case KIND_ETHERNET:
    case KIND_DOT1Q:
    case KIND_LINUX_SLL:
    case KIND_LINUX_SLL2: return by_ethertype(key);
    case KIND_LOOPBACK: return by_family(key);
    case KIND_IPV4: return by_protocol(key, PROTOCOL_ICMP, KIND_ICMP);
    case KIND_IPV6: return by_protocol(key, PROTOCOL_ICMPV6, KIND_ICMPV6);
    case KIND_UDP: return ports[key];
    case KIND_VXLAN: return KIND_ETHERNET;
    case KIND_VXLANGPE:
        if (key == GPE_IPV4 || key == GPE_IPV6)
            return key == GPE_IPV4 ? KIND_IPV4 : KIND_IPV6;
        return key == GPE_ETHERNET ? KIND_ETHERNET : KIND_NOTHING;
    default: return KIND_NOTHING;
    }
}

INLINE void put_row(struct vxlanpkt_walk *walk, const struct span *span)
{
    int64_t *place = walk->places + 5 * walk->count;
    walk->kinds[walk->count++] = (char)span->kind;
    place[0] = (int64_t)span->start;
    place[1] = (int64_t)span->header_end;
    place[2] = (int64_t)span->end;
    place[3] = span->key;
    place[4] = (int64_t)span->missing;
}

INLINE void put_fault(struct vxlanpkt_walk *walk, const struct fault *fault)
{
    walk->reason = fault->reason;
    walk->field = fault->field;
    walk->needed = fault->needed;
    walk->value = fault->value;
    walk->available = fault->available;
}

/* Scan from header to header, from one of `kind`, until nothing known follows or there is no room for a row. */
INLINE void walk_headers(const uint8_t *buf, struct extent in, uint32_t kind, const uint8_t *ports, uint32_t tunnels,
                         uint32_t reading, struct vxlanpkt_walk *walk)
{
    for (;;) {
        struct span span;
        struct fault fault;
        walk->kind = kind;
        if (!scan(kind, buf, in, reading, &span, &fault)) {
            put_fault(walk, &fault);
            return;
        }
        put_row(walk, &span);
        walk->kind = span.kind;
        kind = follows(span.kind, span.key, ports);
        if (kind == KIND_NOTHING)
            return;
        if (kind == KIND_VXLAN || kind == KIND_VXLANGPE) {
            if (tunnels == 0)
                return;
            tunnels--;
        }
        if (walk->count == VXLANPKT_WALK_ROWS)
            break;
        in = (struct extent){span.header_end, span.end, span.missing};
    }
    walk->more = 1;
    walk->kind = kind;
    walk->tunnels = tunnels;
}
