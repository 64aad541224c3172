/* The outer headers under rules: from the link layer to the payload of a UDP datagram that carries VXLAN. The twin of
 * kernel/python/outer.py. */

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
    if (kind == KIND_NOTHING)
        return REASON_NOT_VXLAN;
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
