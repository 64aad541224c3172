/* One frame against rules, from the outside in: the twin of kernel/decapsulation.py, which states the order of checks.
 *
 * `full` is a constant wherever these functions are called. Without it the columns that only describe the frame are
 * not computed, and the compiler leaves out what they need.
 */

enum { ETHERNET_LINK = 1, RAW_LINK = 101 };
enum { FLAG_G = 0x80, FLAG_I = 0x08, FLAG_O = 0x01, VERSION_BITS = 0x30 };
enum { DROPPED = 4 };

/* What P defines: the version and the next protocol. */
static const uint64_t WITH_P = 0x300000FF00000000;

/* The bytes of a frame from which Linux takes the tag off: it looks at two behind the inner EtherType. */
enum { TAG_REMOVABLE = 20 };

/* RFC 6040 figure 4: the inner ECN after decapsulation, by [outer][inner]. */
static const uint8_t ECN_AFTER[4][4] = {
    {NOT_ECT, ECT1, ECT0, CE},
    {NOT_ECT, ECT1, ECT1, CE},
    {NOT_ECT, ECT1, ECT0, CE},
    {DROPPED, CE, CE, CE},
};

/* What is being decapsulated: the same for all steps of one frame. */
struct job {
    const uint8_t *buf;
    const struct vxlanpkt_rules *rules;
    struct vxlanpkt_record *record;
};

/* What the outer header says that the inner frame is judged by. */
struct underlay {
    uint32_t version;
    int32_t tos; /* -1 if it is not known */
    const uint8_t *source;
};

/* An IPv4 address in the form of an address column: ::ffff:a.b.c.d. */
INLINE void put_mapped(uint8_t *column, const uint8_t *address)
{
    uint32_t words[4] = {0, 0, 0, 0}; /* together, so that one store writes them */
    memcpy(words + 2, "\0\0\xff\xff", 4);
    memcpy(words + 3, address, 4);
    memcpy(column, words, 16);
}

/* -- the outer headers */

/* What the checksum of a datagram needs to know of its IP packet. */
struct packet {
    uint64_t payload; /* where it begins: behind the fixed header over IPv6 */
    uint64_t frame_end;
    const uint8_t *src, *dst;
    uint32_t address_size;
};

INLINE uint32_t judge_udp_checksum(const struct job *job, struct extent udp, struct packet packet)
{
    const struct vxlanpkt_rules *rules = job->rules;
    uint32_t field = load16(job->buf + udp.start + 6);
    if (field == 0) {
        job->record->udp_checksum = CHECKSUM_ABSENT;
        return packet.address_size == 16 && !rules->zero_checksum6 ? REASON_UDP_CHECKSUM_ZERO : REASON_OK;
    }
    if (!rules->verify_udp_checksum || udp.missing)
        return REASON_OK;
    uint64_t length = udp.end - udp.start, covered = length;
    if (rules->udp_length == UDP_LENGTH_IGNORE) { /* what IP calls its payload, and all bytes that came */
        length = udp.end - packet.payload;
        covered = packet.frame_end - udp.start;
    }
    uint64_t pseudo_header = pseudo_header_sum(packet.src, packet.dst, packet.address_size, PROTOCOL_UDP, length);
    if (fold(pseudo_header + ones_complement_sum(job->buf + udp.start, covered)) == 0xFFFF) {
        job->record->udp_checksum = CHECKSUM_VALID;
        return REASON_OK;
    }
    job->record->udp_checksum = field == fold(pseudo_header) ? CHECKSUM_PARTIAL : CHECKSUM_BAD;
    return REASON_UDP_CHECKSUM;
}

INLINE bool is_accepted_port(const struct vxlanpkt_rules *rules, uint32_t port)
{
    return rules->ports[port >> 3] >> (port & 7) & 1;
}

/* How scan_udp is to read the length: what concerns one IP version does not hold for the other. */
INLINE uint32_t udp_rule(const struct vxlanpkt_rules *rules, uint32_t address_size)
{
    uint32_t rule = rules->udp_length;
    if (rules->lengths == LENGTHS_CAPTURED && rule != UDP_LENGTH_IGNORE)
        return UDP_LENGTH_JUMBO;
    if ((rule == UDP_LENGTH_JUMBO && address_size == 4) || (rule == UDP_LENGTH_OVERRUN && address_size == 16))
        return UDP_LENGTH_CHECK;
    return rule;
}

/* The payload of a UDP datagram to one of the rules' ports becomes `content`. */
INLINE uint32_t decap_udp(const struct job *job, struct extent in, struct packet packet, bool fragmented,
                          struct extent *content)
{
    const struct vxlanpkt_rules *rules = job->rules;
    struct span udp;
    struct fault fault;
    if (!scan_udp(job->buf, in, udp_rule(rules, packet.address_size), &udp, &fault))
        return fault.reason;
    uint32_t port = (uint32_t)udp.key;
    if (!is_accepted_port(rules, port))
        return REASON_NOT_VXLAN;
    if (fragmented)
        return REASON_FRAGMENT;
    job->record->outer_src_port = (uint16_t)load16(job->buf + in.start);
    job->record->outer_dst_port = (uint16_t)port;
    if (udp.end < in.end)
        job->record->notes |= NOTE_TRAILER;
    *content = (struct extent){udp.header_end, udp.end, udp.missing};
    struct extent datagram = {in.start, udp.end, udp.missing};
    return judge_udp_checksum(job, datagram, packet);
}

/* Whether the checksum of an IPv4 header, which mostly is 20 bytes long, is right: whether 65,535 divides the sum of its
 * words, in whatever order the machine has their bytes. */
INLINE bool is_good_header(const uint8_t *header, uint64_t length)
{
    uint64_t first, second;
    uint32_t third;
    if (length != 20)
        return ones_complement_sum(header, length) == 0xFFFF;
    memcpy(&first, header, 8);
    memcpy(&second, header + 8, 8);
    memcpy(&third, header + 16, 4);
    return ((first & 0xFFFFFFFF) + (first >> 32) + (second & 0xFFFFFFFF) + (second >> 32) + third) % 0xFFFF == 0;
}

INLINE bool accepts_options(const struct vxlanpkt_rules *rules, const uint8_t *options, uint64_t size)
{
    return rules->ip_options == IP_OPTIONS_ACCEPT
           || (rules->ip_options == IP_OPTIONS_HOST && are_sound_options(options, size));
}

INLINE bool accepts_extensions(const struct vxlanpkt_rules *rules, const uint8_t *header, uint64_t size, bool others)
{
    if (rules->ip_options == IP_OPTIONS_OVS)
        return are_known_extensions(header, size);
    return !others || rules->ip_options == IP_OPTIONS_ACCEPT
           || (rules->ip_options == IP_OPTIONS_HOST && are_sound_extensions(header, size));
}

INLINE uint32_t decap_ipv4(const struct job *job, struct extent in, struct extent *content, struct underlay *underlay)
{
    const struct vxlanpkt_rules *rules = job->rules;
    struct vxlanpkt_record *record = job->record;
    struct span ip;
    struct fault fault;
    if (!scan_ipv4(job->buf, in, rules->lengths == LENGTHS_CAPTURED, &ip, &fault))
        return fault.reason;
    if (ip.missing % FRAGMENTED && rules->lengths == LENGTHS_STRICT)
        return REASON_CAPTURE_CUT;
    const uint8_t *header = job->buf + in.start;
    if (header[9] != PROTOCOL_UDP)
        return REASON_NOT_VXLAN;
    if (ip.key == VXLANPKT_NO_KEY)
        return REASON_FRAGMENT;
    uint64_t header_length = ip.header_end - ip.start;
    if (header_length > 20 && !accepts_options(rules, header + 20, header_length - 20))
        return REASON_IPV4_OPTIONS;
    if (rules->verify_ip_checksum) {
        bool good = is_good_header(header, header_length);
        record->ip_checksum = good ? CHECKSUM_VALID : CHECKSUM_BAD;
        if (!good)
            return REASON_IPV4_CHECKSUM;
    }
    record->outer_family = 4;
    put_mapped(record->outer_src, header + 12);
    put_mapped(record->outer_dst, header + 16);
    if (ip.end < in.end)
        record->notes |= NOTE_PADDING;
    *underlay = (struct underlay){4, header[1], record->outer_src};
    struct extent datagram = {ip.header_end, ip.end, ip.missing};
    struct packet packet = {ip.header_end, in.end, header + 12, header + 16, 4};
    return decap_udp(job, datagram, packet, ip.missing >= FRAGMENTED, content);
}

/* What the extension headers of a sound IPv6 packet say. */
struct chain {
    bool fragmented, others;
    const uint8_t *final_destination; /* where a routing header still leads: RFC 8200 section 8.1; or NULL */
};

COLD struct chain read_chain(const uint8_t *buf, uint64_t start, uint64_t header_end)
{
    struct chain chain = {false, false, NULL};
    uint32_t key = buf[start + 6];
    uint64_t at = start + 40;
    while (header_end - at >= 8) {
        uint64_t length = extension_length(key, buf[at + 1]);
        if (length > header_end - at)
            break; /* another thread writes into the buffer: the scan had accepted it */
        if (key == FRAGMENT)
            chain.fragmented = true;
        else
            chain.others = true;
        if (key == ROUTING && buf[at + 3] && length >= 24) {
            if (buf[at + 2] == SEGMENT_ROUTING)
                chain.final_destination = buf + at + 8;
            else if (buf[at + 2] == 0 || buf[at + 2] == 2)
                chain.final_destination = buf + at + length - 16;
        }
        key = buf[at];
        at += length;
    }
    return chain;
}

INLINE uint32_t decap_ipv6(const struct job *job, struct extent in, struct extent *content, struct underlay *underlay)
{
    const struct vxlanpkt_rules *rules = job->rules;
    struct vxlanpkt_record *record = job->record;
    struct span ip;
    struct fault fault;
    if (!scan_ipv6(job->buf, in, rules->lengths == LENGTHS_CAPTURED, &ip, &fault))
        return fault.reason;
    if (ip.missing % FRAGMENTED && rules->lengths == LENGTHS_STRICT)
        return REASON_CAPTURE_CUT;
    /* A later fragment's header is the last of the chain, and names what the fragment is of. */
    int64_t protocol = ip.key == VXLANPKT_NO_KEY ? job->buf[ip.header_end - 8] : ip.key;
    if (protocol != PROTOCOL_UDP)
        return REASON_NOT_VXLAN;
    if (ip.key == VXLANPKT_NO_KEY)
        return REASON_FRAGMENT;
    const uint8_t *header = job->buf + in.start;
    struct chain chain = {false, false, NULL};
    if (ip.header_end - ip.start > 40)
        chain = read_chain(job->buf, in.start, ip.header_end);
    if (!accepts_extensions(rules, header, ip.header_end - ip.start, chain.others))
        return REASON_IPV6_OPTIONS;
    record->outer_family = 6;
    memcpy(record->outer_src, header + 8, 16);
    memcpy(record->outer_dst, header + 24, 16);
    if (ip.end < in.end)
        record->notes |= NOTE_PADDING;
    *underlay = (struct underlay){6, (int32_t)(load16(header) >> 4 & 0xFF), record->outer_src};
    bool fragmented = ip.missing >= FRAGMENTED || (chain.fragmented && !rules->atomic_fragments);
    bool is_final = !chain.final_destination || rules->udp_length == UDP_LENGTH_IGNORE;
    struct packet packet = {in.start + 40, in.end, header + 8, is_final ? header + 24 : chain.final_destination, 16};
    struct extent datagram = {ip.header_end, ip.end, ip.missing};
    return decap_udp(job, datagram, packet, fragmented, content);
}

/* A link-layer header or a tag. */
INLINE bool scan_link(uint32_t kind, const uint8_t *buf, struct extent in, struct span *span, struct fault *fault)
{
    switch (kind) {
    case KIND_ETHERNET: return scan_ethernet(buf, in, span, fault);
    case KIND_DOT1Q: return scan_dot1q(buf, in, span, fault);
    case KIND_LINUX_SLL: return scan_linux_sll(buf, in, span, fault);
    case KIND_LINUX_SLL2: return scan_linux_sll2(buf, in, span, fault);
    case KIND_LOOPBACK: return scan_loopback(buf, in, span, fault);
    default: return scan_raw(buf, in, false, span, fault);
    }
}

INLINE uint32_t decap_outer(const struct job *job, struct extent in, uint32_t kind, struct extent *content,
                            struct underlay *underlay)
{
    while (kind != KIND_IPV4 && kind != KIND_IPV6) {
        if (kind == KIND_RAW && in.start < in.end && (job->buf[in.start] >> 4 == 4 || job->buf[in.start] >> 4 == 6)) {
            kind = job->buf[in.start] >> 4 == 4 ? KIND_IPV4 : KIND_IPV6;
            break;
        }
        struct span span;
        struct fault fault;
        if (!scan_link(kind, job->buf, in, &span, &fault))
            return fault.reason;
        if (kind == KIND_DOT1Q) {
            if (!job->record->outer_tags)
                job->record->outer_vlan = (uint16_t)load16(job->buf + in.start);
            if (job->record->outer_tags < 255)
                job->record->outer_tags++;
        }
        in = (struct extent){span.header_end, span.end, span.missing};
        kind = kind == KIND_LOOPBACK ? by_family(span.key) : by_ethertype(span.key);
        if (kind != KIND_DOT1Q && kind != KIND_IPV4 && kind != KIND_IPV6)
            return REASON_NOT_VXLAN;
    }
    return kind == KIND_IPV4 ? decap_ipv4(job, in, content, underlay) : decap_ipv6(job, in, content, underlay);
}

/* -- the VXLAN header */

/* Whether a VNI is in a column in ascending order. */
static bool is_accepted_vni(const struct vxlanpkt_rules *rules, uint32_t vni)
{
    int64_t low = 0, high = rules->vni_count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (rules->vnis[middle] < vni)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rules->vni_count && rules->vnis[low] == vni;
}

static bool is_in_prefix(const struct vxlanpkt_prefix *prefix, uint32_t version, const uint8_t *source)
{
    if (prefix->version != version)
        return false;
    uint8_t differ = 0;
    for (int at = 0; at < 16; at++)
        differ |= (uint8_t)((source[at] & prefix->mask[at]) ^ prefix->network[at]);
    return differ == 0;
}

static bool is_accepted_source(const struct vxlanpkt_rules *rules, uint32_t version, const uint8_t *source)
{
    for (int64_t at = 0; at < rules->source_count; at++)
        if (is_in_prefix(rules->sources + at, version, source))
            return true;
    return false;
}

/* Whether no packet can come from an address: "this host", loopback, multicast, broadcast (RFC 1122 3.2.1.3). IPv4 is in
 * its mapped form. */
static bool is_martian(uint32_t version, const uint8_t *source)
{
    if (version == 4) {
        uint32_t address = load32(source + 12);
        return address == 0 || address == 0xFFFFFFFF || address >> 24 == 127 || address >> 28 == 0xE;
    }
    return version == 6 && (source[0] == 0xFF || (load64(source) == 0 && load64(source + 8) == 1));
}

INLINE uint32_t judge_gpe(uint32_t flags, uint32_t next_protocol, bool ovs, struct vxlanpkt_record *record)
{
    if (flags & VERSION_BITS && !ovs)
        return REASON_GPE_VERSION;
    if (flags & FLAG_O)
        return REASON_GPE_OAM;
    if (!(flags & GPE_P_FLAG))
        return REASON_OK;
    if (next_protocol < 1 || next_protocol > GPE_LAST || (ovs && next_protocol != GPE_ETHERNET))
        return REASON_GPE_NEXT_PROTOCOL;
    if (next_protocol == GPE_IPV4 || next_protocol == GPE_IPV6) {
        record->inner_link_type = RAW_LINK;
        record->inner_ethertype = next_protocol == GPE_IPV4 ? TYPE_IPV4 : TYPE_IPV6;
    } else if (next_protocol != GPE_ETHERNET) {
        record->inner_link_type = VXLANPKT_NO_LINK_TYPE;
    }
    return REASON_OK;
}

INLINE uint32_t decap_vxlan(const struct job *job, struct extent in, struct underlay underlay, struct extent *content)
{
    const struct vxlanpkt_rules *rules = job->rules;
    struct vxlanpkt_record *record = job->record;
    struct span vxlan;
    struct fault fault;
    if (!scan_vxlan(job->buf, in, &vxlan, &fault))
        return fault.reason;
    uint64_t header = load64(job->buf + in.start);
    uint32_t flags = (uint32_t)(header >> 56);
    record->flags = (uint32_t)(header >> 32);
    record->vni = (uint32_t)header >> 8;
    record->reserved = (uint8_t)header;
    if (!(flags & FLAG_I))
        return REASON_VXLAN_I_FLAG;
    if (flags & FLAG_G && flags & GPE_P_FLAG && (rules->gbp || rules->gpe))
        return REASON_GBP_WITH_GPE;
    if (rules->gpe == GPE_RULE_LINUX && !(flags & GPE_P_FLAG))
        return REASON_GPE_P_FLAG;
    record->inner_link_type = ETHERNET_LINK;
    if (rules->gpe) {
        uint32_t reason = judge_gpe(flags, record->flags & 0xFF, rules->gpe == GPE_RULE_OVS, record);
        if (reason != REASON_OK)
            return reason;
    }
    bool with_p = rules->gpe == GPE_RULE_OVS && flags & GPE_P_FLAG;
    if (header & rules->reserved_mask & ~(with_p ? WITH_P : 0))
        return REASON_VXLAN_RESERVED;
    if (rules->vni_count >= 0 && !is_accepted_vni(rules, record->vni))
        return REASON_VNI_REFUSED;
    if (rules->source_count >= 0) {
        uint8_t source[16];
        memcpy(source, underlay.source, 16);
        if (!is_accepted_source(rules, underlay.version, source))
            return REASON_SOURCE_REFUSED;
    }
    if (rules->check_outer_source && is_martian(underlay.version, underlay.source))
        return REASON_OUTER_SOURCE;
    *content = (struct extent){vxlan.header_end, vxlan.end, vxlan.missing};
    return REASON_OK;
}

/* -- the inner frame */

/* Note the tags and the EtherType behind them; returns where that one's content begins. */
INLINE uint64_t read_inner_tags(const uint8_t *buf, struct extent in, struct vxlanpkt_record *record)
{
    uint32_t ethertype = load16(buf + in.start + 12);
    uint64_t at = in.start + 14;
    while (ethertype == TYPE_DOT1Q || ethertype == TYPE_QINQ) {
        if (record->inner_tags < 255)
            record->inner_tags++;
        if (in.end - at < 4)
            break;
        if (record->inner_tags == 1)
            record->inner_vlan = (uint16_t)load16(buf + at);
        ethertype = load16(buf + at + 2);
        at += 4;
    }
    record->inner_ethertype = (uint16_t)ethertype;
    return at;
}

static bool is_own_mac(const struct vxlanpkt_rules *rules, uint64_t mac)
{
    for (uint64_t at = 0; at < rules->own_mac_count; at++)
        if (rules->own_macs[at] == mac)
            return true;
    return false;
}

/* What an Ethernet frame inside is refused for. */
INLINE uint32_t judge_inner_ethernet(const struct job *job, struct extent in)
{
    const struct vxlanpkt_rules *rules = job->rules;
    struct vxlanpkt_record *record = job->record;
    if (record->inner_tags && rules->inner_vlan == INNER_VLAN_DROP)
        return REASON_INNER_VLAN;
    uint64_t source = load48(job->buf + in.start + 6);
    if (rules->check_inner_source && (source >> 40 & 1 || source == 0))
        return REASON_INNER_SOURCE;
    if (is_own_mac(rules, source))
        return REASON_INNER_OWN_MAC;
    if (record->inner_tags && rules->check_inner_length == INNER_LENGTH_LINUX
        && in.end - in.start + in.missing < TAG_REMOVABLE)
        return REASON_INNER_LENGTH;
    if (rules->inner_vlan == INNER_VLAN_STRIP && record->inner_tags && in.end - in.start >= 18)
        record->notes |= NOTE_STRIPPED;
    return REASON_OK;
}

INLINE bool looks_at_ecn(const struct job *job, bool right_version)
{
    if (job->rules->ecn == ECN_RULE_LINUX)
        return !job->record->inner_tags;
    return job->rules->ecn == ECN_RULE_RFC6040 && right_version;
}

INLINE uint32_t carry_mark(uint32_t inner, uint32_t after, struct vxlanpkt_record *record)
{
    if (after == DROPPED)
        return REASON_ECN_CONGESTION;
    record->inner_ecn = (uint8_t)after;
    if (after != inner)
        record->notes |= NOTE_REMARKED;
    return REASON_OK;
}

INLINE uint32_t ecn_bits(const uint8_t *header, bool is_ipv4) { return is_ipv4 ? header[1] & 3 : header[1] >> 4 & 3; }

INLINE uint32_t judge_ecn(const struct job *job, int32_t tos, const uint8_t *header, bool is_ipv4)
{
    uint32_t inner = ecn_bits(header, is_ipv4);
    return carry_mark(inner, ECN_AFTER[tos & 3][inner], job->record);
}

/* Whether the lengths of an IP packet fit, and its extension headers, of whatever version it says it is. */
COLD bool is_whole_packet(const uint8_t *buf, struct extent in, bool is_ipv4)
{
    uint64_t available = in.end - in.start;
    const uint8_t *header = buf + in.start;
    if (available < (is_ipv4 ? 20 : 40))
        return false;
    if (is_ipv4) {
        uint64_t header_length = (header[0] & 15u) * 4, total_length = load16(header + 2);
        return 20 <= header_length && header_length <= total_length && total_length <= available + in.missing;
    }
    uint64_t payload_length = load16(header + 4);
    if (payload_length > available - 40 + in.missing)
        return false;
    struct span span;
    struct fault fault;
    return scan_extensions(buf, (struct extent){in.start, in.start + smaller(40 + payload_length, available), in.missing},
                           &span, &fault);
}

/* Open vSwitch carries nothing inwards but CE, and takes what it cannot parse for Not-ECT. */
COLD uint32_t judge_ovs_ecn(const struct job *job, struct extent in, uint32_t outer, bool is_ipv4)
{
    bool is_whole = is_whole_packet(job->buf, in, is_ipv4);
    if (outer != CE && !is_whole)
        return REASON_OK;
    uint32_t inner = is_whole ? ecn_bits(job->buf + in.start, is_ipv4) : NOT_ECT;
    return carry_mark(inner, outer == CE ? ECN_AFTER[CE][inner] : inner, job->record);
}

/* Fill in what a sound inner IP header says; a broken one says nothing. */
INLINE void describe_inner_ip(const struct job *job, struct extent in)
{
    struct vxlanpkt_record *record = job->record;
    bool any_length = job->rules->lengths == LENGTHS_CAPTURED;
    const uint8_t *header = job->buf + in.start;
    struct span ip;
    struct fault fault;
    if (record->inner_ethertype == TYPE_IPV4) {
        if (!scan_ipv4(job->buf, in, any_length, &ip, &fault))
            return;
        record->inner_family = 4;
        put_mapped(record->inner_src, header + 12);
        put_mapped(record->inner_dst, header + 16);
        record->inner_protocol = header[9];
    } else {
        if (!scan_ipv6(job->buf, in, any_length, &ip, &fault))
            return;
        record->inner_family = 6;
        memcpy(record->inner_src, header + 8, 16);
        memcpy(record->inner_dst, header + 24, 16);
        record->inner_protocol = ip.key == VXLANPKT_NO_KEY ? job->buf[ip.header_end - 8] : (uint8_t)ip.key;
    }
    if ((ip.key == PROTOCOL_TCP || ip.key == PROTOCOL_UDP) && ip.end - ip.header_end >= 4) {
        record->inner_src_port = (uint16_t)load16(job->buf + ip.header_end);
        record->inner_dst_port = (uint16_t)load16(job->buf + ip.header_end + 2);
    }
}

/* What is behind the inner link layer. */
INLINE uint32_t decap_inner_ip(const struct job *job, struct extent in, int32_t tos, bool full)
{
    const struct vxlanpkt_rules *rules = job->rules;
    bool is_ipv4 = job->record->inner_ethertype == TYPE_IPV4;
    if (!is_ipv4 && job->record->inner_ethertype != TYPE_IPV6)
        return REASON_OK;
    uint64_t needed = is_ipv4 ? 20 : 40;
    if (rules->ecn == ECN_RULE_OVS && tos >= 0 && job->record->inner_tags < 2) {
        uint32_t reason = judge_ovs_ecn(job, in, (uint32_t)tos & 3, is_ipv4);
        if (reason != REASON_OK)
            return reason;
    }
    if (in.end - in.start < needed) {
        bool is_short = in.end - in.start + in.missing < needed;
        bool unread = rules->check_inner_length == INNER_LENGTH_LINUX && job->record->inner_tags;
        return is_short && rules->check_inner_length && !unread ? REASON_INNER_LENGTH : REASON_OK;
    }
    if (tos >= 0 && looks_at_ecn(job, job->buf[in.start] >> 4 == (is_ipv4 ? 4 : 6))) {
        uint32_t reason = judge_ecn(job, tos, job->buf + in.start, is_ipv4);
        if (reason != REASON_OK)
            return reason;
    }
    if (full)
        describe_inner_ip(job, in);
    return REASON_OK;
}

INLINE bool looks_inside(const struct vxlanpkt_rules *rules)
{
    return rules->inner_vlan != INNER_VLAN_KEEP || rules->check_inner_source || rules->check_inner_length
           || rules->own_mac_count || rules->ecn != ECN_RULE_IGNORE;
}

INLINE uint32_t decap_inner(const struct job *job, struct extent in, int32_t tos, bool full)
{
    struct vxlanpkt_record *record = job->record;
    uint64_t length = in.end - in.start;
    record->inner_offset = in.start;
    record->inner_length = (uint32_t)length;
    record->inner_original_length = (uint32_t)(length + in.missing);
    if (in.missing)
        record->notes |= NOTE_CUT;
    if (job->rules->gpe == GPE_RULE_LINUX && record->inner_link_type != RAW_LINK)
        return length ? REASON_OK : REASON_INNER_TRUNCATED;
    if (record->inner_link_type == ETHERNET_LINK) {
        if (length < 14)
            return 14 - length <= in.missing ? REASON_CAPTURE_CUT : REASON_INNER_TRUNCATED;
        if (!full && !looks_inside(job->rules))
            return REASON_OK;
        uint64_t at = read_inner_tags(job->buf, in, record);
        uint32_t reason = judge_inner_ethernet(job, in);
        if (reason != REASON_OK)
            return reason;
        in.start = at;
    }
    return decap_inner_ip(job, in, tos, full);
}

/* -- one frame */

INLINE void decap_frame(const struct job *job, struct extent in, uint32_t kind, struct underlay underlay, bool full)
{
    struct vxlanpkt_record *record = job->record;
    struct extent content = in;
    uint32_t reason = REASON_OK;
    if (kind != KIND_VXLAN && kind != KIND_VXLANGPE)
        reason = decap_outer(job, in, kind, &content, &underlay);
    if (reason == REASON_OK)
        reason = decap_vxlan(job, content, underlay, &content);
    if (reason == REASON_OK)
        reason = decap_inner(job, content, underlay.tos, full);
    if (reason != REASON_OK)
        record->inner_length = record->inner_original_length = 0;
    record->status = (uint8_t)reason;
}

INLINE void clear_record(struct vxlanpkt_record *record)
{
    memset(record, 0, sizeof *record);
    record->outer_vlan = VXLANPKT_UNTAGGED;
    record->inner_vlan = VXLANPKT_UNTAGGED;
    record->inner_link_type = VXLANPKT_NO_LINK_TYPE;
    record->inner_ecn = VXLANPKT_NO_ECN;
}
