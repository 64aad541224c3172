/* The flow hash that gives the UDP source port (RFC 7348 section 5): the twin of kernel/python/hashing.py, which describes it.
 */

#define K0 0x9E3779B97F4A7C15u
#define K1 0xBF58476D1CE4E5B9u
#define K2 0x94D049BB133111EBu
#define K3 0xD6E8FEB86659FD93u

enum { TYPE_MPLS = 0x8847, TYPE_MPLS_UPSTREAM = 0x8848, BOTTOM_OF_STACK = 0x100 };

/* What is behind an Ethernet header and its tags; `ip` is its span where it is a sound IP header. */
struct inner {
    uint64_t at;
    uint32_t ethertype;
    bool is_ip;
    struct span ip;
};

/* The 128-bit product of two 64-bit numbers, its halves folded by xor. */
INLINE uint64_t mix(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, mid = a1 * b0 + (low >> 32), mid2 = a0 * b1 + (uint32_t)mid;
    return (mid2 << 32 | (uint32_t)low) ^ (a1 * b1 + (mid >> 32) + (mid2 >> 32));
#endif
}

INLINE bool has_ports(int64_t protocol)
{
    return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == 33 || protocol == 132 || protocol == 136;
}

/* Look through Ethernet and its tags, or, where `raw`, at an IP header. Needs 14 bytes or 1. */
INLINE void find_inner(const uint8_t *buf, uint64_t size, bool raw, struct inner *inner)
{
    struct fault fault;
    if (raw) {
        uint32_t version = buf[0] >> 4;
        inner->ethertype = version == 4 ? TYPE_IPV4 : version == 6 ? TYPE_IPV6 : 0;
        inner->at = 0;
    } else {
        inner->ethertype = load16(buf + 12);
        inner->at = 14;
        while ((inner->ethertype == TYPE_DOT1Q || inner->ethertype == TYPE_QINQ) && size - inner->at >= 4) {
            inner->ethertype = load16(buf + inner->at + 2);
            inner->at += 4;
        }
    }
    struct extent in = {inner->at, size, 0};
    inner->is_ip = false;
    if (inner->ethertype == TYPE_IPV4)
        inner->is_ip = scan_ipv4(buf, in, false, &inner->ip, &fault);
    else if (inner->ethertype == TYPE_IPV6)
        inner->is_ip = scan_ipv6(buf, in, false, &inner->ip, &fault);
}

INLINE uint32_t finish(uint64_t addresses, uint64_t ports)
{
    uint64_t mixed = mix(mix(addresses ^ K0, ports ^ K1) ^ K2, K3);
    return (uint32_t)(mixed ^ mixed >> 32);
}

/* IPv6 addresses as one number. */
INLINE uint64_t mix_addresses(const uint8_t *src, const uint8_t *dst)
{
    return mix(load64(src) ^ K0, load64(src + 8) ^ K1) ^ mix(load64(dst) ^ K2, load64(dst + 8) ^ K3);
}

/* Whether an address of `size` bytes and its port are the greater ones. */
static bool is_greater(const uint8_t *src, const uint8_t *dst, uint32_t size, uint32_t src_port, uint32_t dst_port)
{
    int order = memcmp(src, dst, size);
    return order > 0 || (order == 0 && src_port > dst_port);
}

INLINE uint32_t hash_ip(const uint8_t *buf, const struct inner *inner, bool symmetric)
{
    const struct span *ip = &inner->ip;
    uint32_t size = ip->kind == KIND_IPV4 ? 4 : 16;
    const uint8_t *src = buf + inner->at + (size == 4 ? 12 : 8);
    const uint8_t *dst = src + size;
    uint32_t src_port = 0, dst_port = 0;
    bool whole = ip->key != VXLANPKT_NO_KEY && ip->missing < FRAGMENTED;
    if (whole && has_ports(ip->key) && ip->end - ip->header_end >= 4) {
        src_port = load16(buf + ip->header_end);
        dst_port = load16(buf + ip->header_end + 2);
    }
    if (symmetric && is_greater(src, dst, size, src_port, dst_port)) {
        const uint8_t *address = src;
        src = dst;
        dst = address;
        uint32_t port = src_port;
        src_port = dst_port;
        dst_port = port;
    }
    uint64_t ports = whole ? (uint64_t)src_port << 48 | (uint64_t)dst_port << 32 | (uint64_t)ip->key : 0;
    if (size == 4)
        return finish((uint64_t)load32(src) << 32 | load32(dst), ports);
    return finish(mix_addresses(src, dst), ports);
}

/* The labels down to the bottom of the stack, three at the most. */
static uint64_t mpls_labels(const uint8_t *buf, uint64_t at, uint64_t end)
{
    uint64_t labels = 0;
    for (int count = 0; count < 3 && end - at >= 4; count++) {
        uint32_t entry = load32(buf + at);
        labels = labels << 20 | entry >> 12;
        at += 4;
        if (entry & BOTTOM_OF_STACK)
            break;
    }
    return labels;
}

/* The hash of what is not a sound IP packet. */
COLD uint32_t hash_other(const uint8_t *buf, uint64_t size, const struct inner *inner, bool symmetric, bool raw)
{
    if (inner->ethertype == TYPE_MPLS || inner->ethertype == TYPE_MPLS_UPSTREAM)
        return finish(mpls_labels(buf, inner->at, size), 0);
    if (raw)
        return 0;
    uint64_t dst = load48(buf), src = load48(buf + 6);
    if (symmetric && src > dst) {
        uint64_t mac = src;
        src = dst;
        dst = mac;
    }
    return finish(dst << 16 | inner->ethertype, src);
}

/* The hash of a frame that find_inner has looked through. */
INLINE uint32_t hash_inner(const uint8_t *buf, uint64_t size, const struct inner *inner, bool symmetric, bool raw)
{
    return inner->is_ip ? hash_ip(buf, inner, symmetric) : hash_other(buf, size, inner, symmetric, raw);
}

INLINE uint32_t flow_hash(const uint8_t *buf, uint64_t size, bool symmetric, bool raw)
{
    struct inner inner;
    if (size < (raw ? 1 : 14))
        return 0;
    find_inner(buf, size, raw, &inner);
    return hash_inner(buf, size, &inner, symmetric, raw);
}

/* A port of the half-open range, scaled from a flow hash as Linux does (udp_flow_src_port). */
INLINE uint32_t source_port(uint32_t flow, uint32_t low, uint32_t high)
{
    flow ^= flow << 16;
    return low + (uint32_t)((uint64_t)flow * (high - low) >> 32);
}
