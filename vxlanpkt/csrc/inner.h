/* The inner frame under rules, and what the columns say of it: the twin of kernel/python/inner.py.
 *
 * `full` is a constant wherever these functions are called. Without it the columns that only describe the frame are
 * not computed, and the compiler leaves out what they need.
 */

enum { ETHERNET_LINK = 1, RAW_LINK = 101 };
enum { DROPPED = 4 };

/* The bytes of a frame from which Linux takes the tag off: it looks at two behind the inner EtherType. */
enum { TAG_REMOVABLE = 20 };

/* RFC 6040 figure 4: the inner ECN after decapsulation, by [outer][inner]. */
static const uint8_t ECN_AFTER[4][4] = {
    {NOT_ECT, ECT1, ECT0, CE},
    {NOT_ECT, ECT1, ECT1, CE},
    {NOT_ECT, ECT1, ECT0, CE},
    {DROPPED, CE, CE, CE},
};

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
    if (ip.key == PROTOCOL_TCP && ip.end - ip.header_end >= 14)
        record->inner_tcp_flags = (uint16_t)(load16(job->buf + ip.header_end + 12) & 0xFFF);
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
