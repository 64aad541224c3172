/* Frames as nearly all are: an untagged Ethernet frame with a whole IP packet that has neither options nor extensions,
 * and in a tunnel nothing behind it.
 *
 * A few comparisons know such a frame, and all that is wanted of it is at fixed places. Nothing is refused here: what
 * is not plain goes through the scans, which alone state the bounds. So these functions are an abbreviation, and the
 * laws of tests/kernels hold them to it.
 */

/* EtherType, version, IHL and the fragment fields of a plain IPv4 header behind Ethernet; likewise for IPv6. */
INLINE bool starts_ipv4(const uint8_t *frame) { return has_bits(frame + 12, 0xFFFFFF00, 0x08004500); }

INLINE bool starts_ipv6(const uint8_t *frame) { return has_bits(frame + 12, 0xFFFFF000, 0x86DD6000); }

INLINE bool is_tcp_or_udp(uint64_t protocol) { return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP; }

/* The protocol of a plain IPv4 header; of a fragment a number that is none. */
INLINE uint32_t fragment_and_protocol(const uint8_t *frame) { return load32(frame + 20) & 0x3FFF00FF; }

/* -- encapsulation */

/* The flow hash of a plain inner frame, and its TOS; false if it is not plain. */
INLINE bool find_plain_flow(const uint8_t *frame, uint64_t length, uint32_t *flow, uint32_t *tos)
{
    if (length >= 38 && starts_ipv4(frame)) {
        uint64_t total_length = load16(frame + 16), protocol = fragment_and_protocol(frame);
        if (total_length - 24 > length - 38 || !is_tcp_or_udp(protocol))
            return false;
        *tos = frame[15];
        *flow = finish(load64(frame + 26), (uint64_t)load32(frame + 34) << 32 | protocol);
        return true;
    }
    if (length < 58 || !starts_ipv6(frame) || !is_tcp_or_udp(frame[20]))
        return false;
    uint64_t payload_length = load16(frame + 18);
    if (payload_length - 4 > length - 58)
        return false;
    *tos = load16(frame + 14) >> 4 & 0xFF;
    *flow = finish(mix_addresses(frame + 22, frame + 38), (uint64_t)load32(frame + 54) << 32 | frame[20]);
    return true;
}

/* Usual outer headers have a shape, from which sizes and places follow as constants: no tags, over IPv4 no checksum. */
enum { SHAPE_ANY = 0, SHAPE_IPV4 = 50, SHAPE_IPV6 = 70 };

INLINE uint32_t shape_of(const struct vxlanpkt_recipe *recipe)
{
    bool zero = recipe->udp_checksum == UDP_CHECKSUM_ZERO;
    if (!recipe->plain || recipe->ip_offset != 14 || (recipe->family == 4 && !zero))
        return SHAPE_ANY;
    return recipe->family == 4 ? SHAPE_IPV4 : SHAPE_IPV6;
}

/* The UDP checksum over a frame; the length is both in the header and in the pseudo-header. */
INLINE uint32_t plain_udp_checksum(uint32_t sum, const uint8_t *frame, uint32_t length)
{
    uint32_t checksum = 0xFFFF - fold((uint64_t)sum + 2 * (16 + length) + sum_bytes(frame, length));
    return checksum ? checksum : 0xFFFF; /* 0 says "none" (RFC 768) */
}

/* Write the outer header of a plain frame by a plain recipe. */
INLINE void put_plain_header(uint8_t *header, const struct vxlanpkt_recipe *recipe, uint32_t shape, uint32_t flow,
                             uint32_t inner_tos, const uint8_t *frame, uint32_t length, uint32_t identification)
{
    uint32_t header_length = shape == SHAPE_ANY ? recipe->length : shape;
    uint32_t tos = recipe->tos | (inner_tos & recipe->tos_mask);
    if (recipe->ecn == ECN_MODE_LINUX && (tos & 3) == CE)
        tos ^= CE ^ ECT0;
    uint8_t *ip = header + (shape == SHAPE_ANY ? recipe->ip_offset : 14), *udp = header + header_length - 16;
    if (shape == SHAPE_ANY)
        copy_header(header, recipe->header, header_length);
    else
        memcpy(header, recipe->header, shape);
    if (shape == SHAPE_IPV4 || (shape == SHAPE_ANY && recipe->family == 4)) {
        store32(ip, 0x45000000 | tos << 16 | (36 + length));
        store16(ip + 4, identification);
        store16(ip + 10, ~fold32(recipe->plain_sum + tos + length + identification));
    } else {
        store32(ip, 0x60000000 | tos << 20 | recipe->flow_label);
        store16(ip + 4, 16 + length);
    }
    uint32_t port = source_port(flow, recipe->low_port, recipe->high_port);
    store16(udp, port);
    store16(udp + 4, 16 + length);
    if (shape != SHAPE_IPV4 && recipe->udp_checksum != UDP_CHECKSUM_ZERO)
        store16(udp + 6, plain_udp_checksum(recipe->udp_sum + port, frame, length));
}

/* -- decapsulation */

/* What of the rules concerns plain frames. `special` are the bits of the VXLAN header, I turned over, that make a frame
 * not plain: those that are refused, and those that lead elsewhere. `more` says that there is more to be met, `inside`
 * that some of it is in the inner frame. */
struct plain_rules {
    const struct vxlanpkt_rules *rules;
    uint64_t special;
    uint32_t usual_port;
    bool possible, verify_ip_checksum, more, inside;
};

#define FLIPPED_I ((uint64_t)FLAG_I << 56)

/* Where the rules look at sources, want P or call I reserved, and where rows do not start with Ethernet, no frame is plain; nor
 * where they look inside, but the columns are brief. */
INLINE struct plain_rules plain_rules_of(const struct vxlanpkt_rules *rules, uint32_t kind, bool full)
{
    const uint32_t gpe_bits = GPE_P_FLAG | (rules->gpe ? VERSION_BITS | FLAG_O : 0);
    return (struct plain_rules){
        .rules = rules,
        .special = rules->reserved_mask | (rules->gbp || rules->gpe ? (uint64_t)gpe_bits << 56 : 0) | FLIPPED_I,
        .usual_port = rules->usual_port,
        .possible = kind == KIND_ETHERNET && rules->source_count < 0 && rules->gpe != GPE_RULE_LINUX
                    && !(rules->reserved_mask & FLIPPED_I) && (full || !looks_inside(rules)),
        .verify_ip_checksum = rules->verify_ip_checksum,
        .more = !rules->zero_checksum6 || rules->vni_count >= 0 || rules->check_outer_source,
        .inside = looks_inside(rules),
    };
}

/* What is found of plain rows, a block at a time: the numbers as they stand in the headers. They are taken apart column
 * by column, in loops that compilers turn into vector instructions. */
enum { BLOCK = 32 };

struct plain_block {
    uint64_t inner_offset[BLOCK];
    uint64_t datagram[BLOCK]; /* the UDP header */
    uint64_t vxlan[BLOCK];    /* the VXLAN header */
    uint32_t inner_ports[BLOCK];
    uint32_t inner_kind[BLOCK]; /* the inner packet: family and protocol, 8 bits each; ECN, 4; TCP flags, 12 */
    uint8_t outer_family[BLOCK];
};

/* Whether the sum of a datagram that has a checksum is right. */
INLINE bool is_good_datagram(const uint8_t *datagram, uint64_t length, uint32_t address_size)
{
    /* The addresses stand in front of it, so that one sum covers the pseudo-header's too. */
    uint32_t sum = sum_bytes(datagram - 2 * address_size, 2 * address_size + length);
    return fold((uint64_t)sum + PROTOCOL_UDP + length) == 0xFFFF;
}

/* Whether the source address of the IP header that ends at `end` is a martian. */
INLINE bool is_martian_before(const uint8_t *end, uint32_t address_size)
{
    uint8_t mapped[16];
    if (address_size == 16)
        return is_martian(6, end - 32);
    put_mapped(mapped, end - 8);
    return is_martian(4, mapped);
}

/* The rows of a block, as bits, that have a wrong UDP checksum; `odd` are those that are not to be looked at. */
INLINE uint32_t find_bad_datagrams(const uint8_t *data, const struct plain_block *block, uint64_t count, uint32_t odd)
{
    uint32_t bad = 0;
    for (uint64_t at = 0; at < count; at++) {
        uint64_t length = block->datagram[at] >> 16 & 0xFFFF, checksum = block->datagram[at] & 0xFFFF;
        uint32_t address_size = block->outer_family[at] == 4 ? 4 : 16;
        if (!(odd >> at & 1) && checksum && !is_good_datagram(data + block->inner_offset[at] - 16, length, address_size))
            bad |= (uint32_t)1 << at;
    }
    return bad;
}

/* Whether a datagram that fills the frame meets what only some rules ask for. */
INLINE bool meets_more(const struct vxlanpkt_rules *rules, const uint8_t *udp, uint32_t address_size, uint32_t checksum,
                       uint32_t vni)
{
    if (checksum == 0 && address_size == 16 && !rules->zero_checksum6)
        return false;
    if (rules->check_outer_source && is_martian_before(udp, address_size))
        return false;
    return rules->vni_count < 0 || is_accepted_vni(rules, vni);
}

/* Whether a plain inner frame, whose TOS is known, meets rules that look inside. It has no tag, and is long enough. A
 * mark outside has to leave the one inside as it is; what has to be remarked is not plain. */
INLINE bool meets_inside(const uint8_t *frame, const struct vxlanpkt_rules *rules, uint32_t outer_tos, uint32_t tos)
{
    uint64_t source = load48(frame + 6);
    if (rules->check_inner_source && (source >> 40 & 1 || source == 0))
        return false;
    return !is_own_mac(rules, source) && (rules->ecn == ECN_RULE_IGNORE || ECN_AFTER[outer_tos & 3][tos & 3] == (tos & 3));
}

/* The datagram at `udp`, a constant, if it fills the frame to the end. */
INLINE bool find_plain_datagram(const uint8_t *frame, uint64_t length, const struct plain_rules *rules, uint32_t udp,
                                uint32_t address_size, struct plain_block *block, uint64_t at)
{
    uint64_t datagram = load64(frame + udp), vxlan = load64(frame + udp + 8);
    uint32_t port = datagram >> 32 & 0xFFFF, checksum = datagram & 0xFFFF;
    if ((vxlan ^ FLIPPED_I) & rules->special || (datagram >> 16 & 0xFFFF) != length - udp)
        return false;
    if (!is_accepted_port(rules->rules, port))
        return false;
    if (rules->more && !meets_more(rules->rules, frame + udp, address_size, checksum, (uint32_t)vxlan >> 8))
        return false;
    block->datagram[at] = datagram;
    block->vxlan[at] = vxlan;
    return true;
}

/* Find the inner frame of a plain frame that the rules accept: where it begins, or 0. */
INLINE uint32_t find_plain_tunnel(const uint8_t *frame, uint64_t length, const struct plain_rules *rules,
                                  struct plain_block *block, uint64_t at)
{
    if (length < 64)
        return 0;
    if (LIKELY(starts_ipv4(frame))) {
        if (load16(frame + 16) != length - 14 || fragment_and_protocol(frame) != PROTOCOL_UDP
            || (rules->verify_ip_checksum && !is_good_header(frame + 14, 20)))
            return 0;
        return find_plain_datagram(frame, length, rules, 34, 4, block, at) ? 50 : 0;
    }
    if (length < 84 || !starts_ipv6(frame) || load16(frame + 18) != length - 54 || frame[20] != PROTOCOL_UDP)
        return 0;
    return find_plain_datagram(frame, length, rules, 54, 16, block, at) ? 70 : 0;
}
