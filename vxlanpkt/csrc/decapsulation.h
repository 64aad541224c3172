/* One frame against rules, from the outside in: the twin of kernel/decapsulation.py, which states the order of checks.
 *
 * `full` is a constant wherever these functions are called. Without it the columns that only describe the frame are
 * not computed, and the compiler leaves out what they need.
 */

enum { ETHERNET_LINK = 1, RAW_LINK = 101 };
enum { FLAG_G = 0x80, FLAG_I = 0x08, FLAG_O = 0x01, VERSION_BITS = 0x30 };
enum { SEGMENT_ROUTING = 4, DROPPED = 4 };

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
    words4 words = {0, 0, TURN32(0xFFFF), 0}; /* together, so that one store writes them */
    uint32_t word;
    memcpy(&word, address, 4);
    words[3] = word;
    memcpy(column, &words, 16);
}

/* -- the outer headers */

INLINE uint32_t judge_udp_checksum(const struct job *job, struct extent udp, const uint8_t *src, const uint8_t *dst,
                                   uint32_t address_size)
{
    const struct vxlanpkt_rules *rules = job->rules;
    uint32_t field = load16(job->buf + udp.start + 6);
    if (field == 0) {
        job->record->udp_checksum = CHECKSUM_ABSENT;
        return address_size == 16 && !rules->zero_checksum6 ? REASON_UDP_CHECKSUM_ZERO : REASON_OK;
    }
    if (!rules->verify_udp_checksum || udp.missing)
        return REASON_OK;
    uint64_t length = udp.end - udp.start;
    uint64_t pseudo_header = pseudo_header_sum(src, dst, address_size, PROTOCOL_UDP, length);
    if (fold(pseudo_header + ones_complement_sum(job->buf + udp.start, length)) == 0xFFFF) {
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

/* The payload of a UDP datagram to one of the rules' ports becomes `content`. */
INLINE uint32_t decap_udp(const struct job *job, struct extent in, bool fragmented, const uint8_t *src,
                          const uint8_t *dst, uint32_t address_size, struct extent *content)
{
    const struct vxlanpkt_rules *rules = job->rules;
    struct span udp;
    struct fault fault;
    if (!scan_udp(job->buf, in, rules->lengths == LENGTHS_CAPTURED, &udp, &fault))
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
    return judge_udp_checksum(job, datagram, src, dst, address_size);
}

/* Whether the checksum of an IPv4 header, which mostly is 20 bytes long, is right. Carries are added again, in whatever
 * order the machine has the bytes of words. */
INLINE bool is_good_header(const uint8_t *header, uint64_t length)
{
    uint64_t sum, second;
    uint32_t third;
    if (length != 20)
        return ones_complement_sum(header, length) == 0xFFFF;
    memcpy(&sum, header, 8);
    memcpy(&second, header + 8, 8);
    memcpy(&third, header + 16, 4);
    sum += second;
    sum += sum < second;
    sum += third;
    sum += sum < third;
    return fold(sum) == 0xFFFF;
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
    if (header_length > 20 && !rules->ip_options)
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
    return decap_udp(job, datagram, ip.missing >= FRAGMENTED, header + 12, header + 16, 4, content);
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
    if (chain.others && !rules->ip_options)
        return REASON_IPV6_OPTIONS;
    record->outer_family = 6;
    memcpy(record->outer_src, header + 8, 16);
    memcpy(record->outer_dst, header + 24, 16);
    if (ip.end < in.end)
        record->notes |= NOTE_PADDING;
    *underlay = (struct underlay){6, (int32_t)(load16(header) >> 4 & 0xFF), record->outer_src};
    bool fragmented = ip.missing >= FRAGMENTED || (chain.fragmented && !rules->atomic_fragments);
    const uint8_t *dst = chain.final_destination ? chain.final_destination : header + 24;
    struct extent datagram = {ip.header_end, ip.end, ip.missing};
    return decap_udp(job, datagram, fragmented, header + 8, dst, 16, content);
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

INLINE uint32_t judge_gpe(uint32_t flags, uint32_t next_protocol, struct vxlanpkt_record *record)
{
    if (flags & VERSION_BITS)
        return REASON_GPE_VERSION;
    if (flags & FLAG_O)
        return REASON_GPE_OAM;
    if (next_protocol < 1 || next_protocol > GPE_LAST)
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
    record->inner_link_type = ETHERNET_LINK;
    if (rules->gpe && flags & GPE_P_FLAG) {
        uint32_t reason = judge_gpe(flags, record->flags & 0xFF, record);
        if (reason != REASON_OK)
            return reason;
    }
    if (header & rules->reserved_mask)
        return REASON_VXLAN_RESERVED;
    if (rules->vni_count >= 0 && !is_accepted_vni(rules, record->vni))
        return REASON_VNI_REFUSED;
    if (rules->source_count >= 0) {
        uint8_t source[16];
        memcpy(source, underlay.source, 16);
        if (!is_accepted_source(rules, underlay.version, source))
            return REASON_SOURCE_REFUSED;
    }
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
    if (rules->inner_vlan == INNER_VLAN_STRIP && record->inner_tags && in.end - in.start >= 18)
        record->notes |= NOTE_STRIPPED;
    return REASON_OK;
}

INLINE bool looks_at_ecn(const struct job *job, int32_t tos)
{
    if (tos < 0)
        return false;
    return job->rules->ecn == ECN_RULE_RFC6040 || (job->rules->ecn == ECN_RULE_UNTAGGED && !job->record->inner_tags);
}

INLINE uint32_t judge_ecn(const struct job *job, int32_t tos, const uint8_t *header, bool is_ipv4)
{
    struct vxlanpkt_record *record = job->record;
    uint32_t ecn = is_ipv4 ? header[1] & 3 : header[1] >> 4 & 3;
    uint32_t after = ECN_AFTER[tos & 3][ecn];
    if (after == DROPPED)
        return REASON_ECN_CONGESTION;
    record->inner_ecn = (uint8_t)after;
    if (after != ecn)
        record->notes |= NOTE_REMARKED;
    return REASON_OK;
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
    if (in.end - in.start < needed) {
        bool is_short = in.end - in.start + in.missing < needed;
        return is_short && rules->check_inner_length ? REASON_INNER_LENGTH : REASON_OK;
    }
    if (looks_at_ecn(job, tos) && job->buf[in.start] >> 4 == (is_ipv4 ? 4 : 6)) {
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
