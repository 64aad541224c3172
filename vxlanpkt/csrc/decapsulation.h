/* One frame against rules, from the outside in: the twin of kernel/python/decapsulation.py, which states the order of checks. */

enum { FLAG_G = 0x80, FLAG_I = 0x08, FLAG_O = 0x01, VERSION_BITS = 0x30 };

/* What P defines: the version and the next protocol. */
static const uint64_t WITH_P = 0x300000FF00000000;

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

INLINE void decap_frame(const struct job *job, struct extent in, uint32_t kind, struct underlay underlay, bool full)
{
    struct vxlanpkt_record *record = job->record;
    struct extent content = in;
    uint32_t reason = REASON_OK;
    if (kind != KIND_VXLAN && kind != KIND_VXLANGPE)
        reason = decap_outer(job, in, kind, &content, &underlay);
    else if (in.missing && job->rules->lengths == LENGTHS_STRICT) /* no length of IP says so here */
        reason = REASON_CAPTURE_CUT;
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
