/* The outer headers of one inner frame, from a recipe: the twin of kernel/python/encapsulation.py.
 *
 * The header is one copy of the recipe's, and then the few fields that differ from frame to frame.
 */

enum { DONT_FRAGMENT = 0x40, DEFAULT_TTL = 64, NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3 };
enum { LARGEST_IPV4_INNER = 65535 - 20 - 8 - 8, LARGEST_IPV6_INNER = 65535 - 8 - 8 };

/* The longest frame that fits one datagram. */
INLINE uint64_t longest_inner(const struct vxlanpkt_recipe *recipe)
{
    return recipe->family == 4 ? LARGEST_IPV4_INNER : LARGEST_IPV6_INNER;
}

/* What the outer headers take over from an inner frame. */
struct inherited {
    uint32_t tos, ttl, flow_label, next_protocol;
    bool df;
};

enum { IPV4_FIXED = 20, IPV6_FIXED = 40, MOST_TAGS_LINUX = 7, MOST_TAGS_OVS = 1 };

INLINE void take_over(const uint8_t *header, bool is_ipv4, struct inherited *found)
{
    if (is_ipv4) {
        found->tos = header[1];
        found->ttl = header[8];
        found->df = header[6] & DONT_FRAGMENT;
    } else {
        uint32_t first = load32(header);
        found->tos = first >> 20 & 0xFF;
        found->ttl = header[7];
        found->flow_label = first & 0xFFFFF;
        found->df = true;
    }
}

INLINE void inherit(const uint8_t *buf, uint64_t size, const struct inner *inner,
                    const struct vxlanpkt_recipe *recipe, struct inherited *found)
{
    bool linux_way = recipe->inner_ip == INNER_IP_LINUX, ovs_way = recipe->inner_ip == INNER_IP_OVS;
    bool is_ipv4 = inner->ethertype == TYPE_IPV4;
    uint64_t tags = recipe->raw ? 0 : (inner->at - 14) / 4;
    if (recipe->raw)
        found->next_protocol = inner->ethertype == TYPE_IPV6 ? GPE_IPV6 : GPE_IPV4;
    found->ttl = DEFAULT_TTL;
    if (!is_ipv4 && inner->ethertype != TYPE_IPV6)
        return;
    if ((linux_way && tags > MOST_TAGS_LINUX) || (ovs_way && tags > MOST_TAGS_OVS))
        return;
    found->ttl = 0;
    if (linux_way ? size - inner->at >= (is_ipv4 ? IPV4_FIXED : IPV6_FIXED) : inner->is_ip)
        take_over(buf + inner->at, is_ipv4, found);
    if (linux_way && tags)
        found->df = false;
    if (!ovs_way && !found->ttl)
        found->ttl = DEFAULT_TTL;
}

INLINE uint32_t outer_ecn(uint32_t mode, uint32_t ecn)
{
    if (mode == ECN_MODE_NONE)
        return NOT_ECT;
    return mode == ECN_MODE_LINUX && ecn == CE ? ECT0 : ecn;
}

INLINE uint32_t outer_flow_label(const struct vxlanpkt_recipe *recipe, uint32_t inner, uint32_t flow)
{
    return recipe->flow_label_mode == FLOW_LABEL_INHERIT ? inner
           : recipe->flow_label_mode == FLOW_LABEL_HASH  ? flow & 0xFFFFF
                                                         : recipe->flow_label;
}

INLINE bool outer_df(uint32_t mode, bool inner_df) { return mode == DF_INHERIT ? inner_df : mode == DF_SET; }

/* The sum of an inner frame, with a segment whose checksum is right not read at all: such a segment sums to the
 * complement of its pseudo-header. False where there is none, and behind IPv6 extension headers. */
static bool sum_by_inner_checksum(const uint8_t *buf, uint64_t size, const struct inner *inner, uint64_t *sum)
{
    const struct span *ip = &inner->ip;
    if (!inner->is_ip || ip->missing >= FRAGMENTED || (ip->key != PROTOCOL_TCP && ip->key != PROTOCOL_UDP))
        return false;
    bool is_udp = ip->key == PROTOCOL_UDP;
    uint64_t segment = ip->header_end, length = ip->end - segment;
    if (length < (is_udp ? 8 : 18) || (ip->kind == KIND_IPV6 && segment - inner->at > 40))
        return false;
    if (is_udp && (load16(buf + segment + 6) == 0 || load16(buf + segment + 4) != length))
        return false;
    uint32_t address_size = ip->kind == KIND_IPV4 ? 4 : 16;
    const uint8_t *src = buf + inner->at + (address_size == 4 ? 12 : 8);
    uint64_t pseudo_header = pseudo_header_sum(src, src + address_size, address_size, (uint32_t)ip->key, length);
    uint32_t trailer = ones_complement_sum(buf + ip->end, size - ip->end);
    if (ip->end & 1)
        trailer = (trailer & 0xFF) << 8 | trailer >> 8;
    *sum = (uint64_t)ones_complement_sum(buf, segment) + (0xFFFF - fold(pseudo_header)) + trailer;
    return true;
}

static uint32_t outer_udp_checksum(const uint8_t *header, const struct vxlanpkt_recipe *recipe, const uint8_t *buf,
                                   uint64_t size, const struct inner *inner)
{
    uint32_t address_size = recipe->family == 4 ? 4 : 16;
    const uint8_t *src = header + recipe->ip_offset + (address_size == 4 ? 12 : 8);
    const uint8_t *udp = src + 2 * address_size;
    uint64_t sum = 0;
    if (recipe->udp_checksum != UDP_CHECKSUM_INNER || !sum_by_inner_checksum(buf, size, inner, &sum))
        sum = ones_complement_sum(buf, size);
    sum += pseudo_header_sum(src, src + address_size, address_size, PROTOCOL_UDP, 16 + size);
    sum += ones_complement_sum(udp, 16);
    uint32_t checksum = 0xFFFF - fold(sum);
    return checksum ? checksum : 0xFFFF; /* 0 says "none" (RFC 768) */
}

INLINE void patch_ipv4(uint8_t *ip, const struct vxlanpkt_recipe *recipe, uint32_t tos, uint32_t ttl, uint32_t length,
                       bool df, uint32_t identification)
{
    uint32_t flags = df ? DONT_FRAGMENT << 8 : 0;
    ip[1] = (uint8_t)tos;
    store16(ip + 2, length);
    store16(ip + 4, identification);
    store16(ip + 6, flags);
    ip[8] = (uint8_t)ttl;
    store16(ip + 10, ~fold32(recipe->ipv4_sum + tos + length + identification + flags + (ttl << 8)));
}

INLINE void patch_ipv6(uint8_t *ip, uint32_t tos, uint32_t ttl, uint32_t length, uint32_t label)
{
    store32(ip, (uint32_t)6 << 28 | tos << 20 | label);
    store16(ip + 4, length);
    ip[7] = (uint8_t)ttl;
}

/* 50 to 78 bytes as moves of constant size, which overlap. */
INLINE void copy_header(uint8_t *to, const uint8_t *from, uint32_t length)
{
    copy32(to, from);
    if (length > 64)
        copy32(to + 32, from + 32);
    copy32(to + length - 32, from + length - 32);
}

/* Write everything that goes before the inner frame to `header`, whose size is the recipe's length, or say why not. */
INLINE uint32_t encap_header(const uint8_t *buf, uint64_t size, const struct vxlanpkt_recipe *recipe,
                             uint32_t identification, uint8_t *header)
{
    if (size > longest_inner(recipe))
        return REASON_INNER_TOO_LONG;
    bool raw = recipe->raw;
    struct inner inner = {.is_ip = false};
    struct inherited found = {.next_protocol = GPE_ETHERNET, .ttl = DEFAULT_TTL};
    uint32_t flow = 0;
    if (size >= (raw ? 1 : 14)) {
        find_inner(buf, size, raw, &inner);
        inherit(buf, size, &inner, recipe, &found);
        flow = hash_inner(buf, size, &inner, recipe->symmetric, raw);
    }
    copy_header(header, recipe->header, recipe->length);
    uint32_t length = (uint32_t)size;
    uint8_t *ip = header + recipe->ip_offset;
    uint8_t *udp = header + recipe->length - 16;
    if (recipe->gpe)
        udp[11] = (uint8_t)found.next_protocol;
    store16(udp, source_port(flow, recipe->low_port, recipe->high_port));
    store16(udp + 4, 16 + length);
    uint32_t tos = recipe->inherit_dscp ? found.tos & 0xFC : (uint32_t)recipe->dscp << 2;
    tos |= outer_ecn(recipe->ecn, found.tos & 3);
    uint32_t ttl = recipe->inherit_ttl ? found.ttl : recipe->ttl;
    if (recipe->family == 4) {
        patch_ipv4(ip, recipe, tos, ttl, 36 + length, outer_df(recipe->df, found.df), identification);
    } else {
        patch_ipv6(ip, tos, ttl, 16 + length, outer_flow_label(recipe, found.flow_label, flow));
    }
    if (recipe->udp_checksum != UDP_CHECKSUM_ZERO)
        store16(udp + 6, outer_udp_checksum(header, recipe, buf, size, &inner));
    return REASON_OK;
}
