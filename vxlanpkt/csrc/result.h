/* The columns of a decapsulated batch, and what fills them row by row. */

/* The columns of a result behind each other, widest items first, so that each is aligned. */
struct columns {
    uint64_t *inner_offset;
    uint8_t *outer_src, *outer_dst, *inner_src, *inner_dst;
    uint32_t *vni, *flags, *inner_length, *inner_original_length;
    uint16_t *outer_vlan, *outer_src_port, *outer_dst_port, *inner_link_type;
    uint16_t *inner_vlan, *inner_ethertype, *inner_src_port, *inner_dst_port, *inner_tcp_flags;
    uint8_t *status, *notes, *reserved, *outer_family, *outer_tags, *ip_checksum;
    uint8_t *udp_checksum, *inner_tags, *inner_family, *inner_protocol, *inner_ecn;
};

enum { BRIEF_ROW = 8 + 4 * 4 + 2, FULL_ROW = 8 + 4 * 16 + 4 * 4 + 9 * 2 + 11 };

INLINE struct columns lay_out(uint8_t *at, uint64_t rows, bool full)
{
    struct columns to = {0};
    to.inner_offset = take(&at, rows, 8);
    if (full) {
        to.outer_src = take(&at, rows, 16);
        to.outer_dst = take(&at, rows, 16);
        to.inner_src = take(&at, rows, 16);
        to.inner_dst = take(&at, rows, 16);
    }
    to.vni = take(&at, rows, 4);
    to.flags = take(&at, rows, 4);
    to.inner_length = take(&at, rows, 4);
    to.inner_original_length = take(&at, rows, 4);
    if (full) {
        to.outer_vlan = take(&at, rows, 2);
        to.outer_src_port = take(&at, rows, 2);
        to.outer_dst_port = take(&at, rows, 2);
        to.inner_link_type = take(&at, rows, 2);
        to.inner_vlan = take(&at, rows, 2);
        to.inner_ethertype = take(&at, rows, 2);
        to.inner_src_port = take(&at, rows, 2);
        to.inner_dst_port = take(&at, rows, 2);
        to.inner_tcp_flags = take(&at, rows, 2);
    }
    to.status = take(&at, rows, 1);
    to.notes = take(&at, rows, 1);
    if (full) {
        to.reserved = take(&at, rows, 1);
        to.outer_family = take(&at, rows, 1);
        to.outer_tags = take(&at, rows, 1);
        to.ip_checksum = take(&at, rows, 1);
        to.udp_checksum = take(&at, rows, 1);
        to.inner_tags = take(&at, rows, 1);
        to.inner_family = take(&at, rows, 1);
        to.inner_protocol = take(&at, rows, 1);
        to.inner_ecn = take(&at, rows, 1);
    }
    return to;
}

INLINE void put_record(const struct columns *to, uint64_t row, const struct vxlanpkt_record *record, bool full)
{
    to->inner_offset[row] = record->inner_offset;
    to->vni[row] = record->vni;
    to->flags[row] = record->flags;
    to->inner_length[row] = record->inner_length;
    to->inner_original_length[row] = record->inner_original_length;
    to->status[row] = record->status;
    to->notes[row] = record->notes;
    if (!full)
        return;
    memcpy(to->outer_src + 16 * row, record->outer_src, 16);
    memcpy(to->outer_dst + 16 * row, record->outer_dst, 16);
    memcpy(to->inner_src + 16 * row, record->inner_src, 16);
    memcpy(to->inner_dst + 16 * row, record->inner_dst, 16);
    to->outer_vlan[row] = record->outer_vlan;
    to->outer_src_port[row] = record->outer_src_port;
    to->outer_dst_port[row] = record->outer_dst_port;
    to->inner_link_type[row] = record->inner_link_type;
    to->inner_vlan[row] = record->inner_vlan;
    to->inner_ethertype[row] = record->inner_ethertype;
    to->inner_src_port[row] = record->inner_src_port;
    to->inner_dst_port[row] = record->inner_dst_port;
    to->inner_tcp_flags[row] = record->inner_tcp_flags;
    to->reserved[row] = record->reserved;
    to->outer_family[row] = record->outer_family;
    to->outer_tags[row] = record->outer_tags;
    to->ip_checksum[row] = record->ip_checksum;
    to->udp_checksum[row] = record->udp_checksum;
    to->inner_tags[row] = record->inner_tags;
    to->inner_family[row] = record->inner_family;
    to->inner_protocol[row] = record->inner_protocol;
    to->inner_ecn[row] = record->inner_ecn;
}

/* Source and destination, which lie behind each other in front of `end`. */
INLINE void put_addresses(uint8_t *src, uint8_t *dst, uint64_t row, const uint8_t *end, uint32_t size)
{
    if (size == 4) {
        put_mapped(src + 16 * row, end - 8);
        put_mapped(dst + 16 * row, end - 4);
    } else {
        memcpy(src + 16 * row, end - 32, 16);
        memcpy(dst + 16 * row, end - 16, 16);
    }
}

/* What is the same for every plain row. */
INLINE void fill_columns(const struct columns *to, uint64_t rows, bool full)
{
    memset(to->status, REASON_OK, rows);
    memset(to->notes, 0, rows);
    if (!full)
        return;
    for (uint64_t row = 0; row < rows; row++)
        to->inner_link_type[row] = ETHERNET_LINK;
    memset(to->outer_vlan, 0xFF, 2 * rows);
    memset(to->inner_vlan, 0xFF, 2 * rows);
    memset(to->outer_tags, 0, rows);
    memset(to->inner_tags, 0, rows);
    memset(to->inner_ecn, VXLANPKT_NO_ECN, rows);
}
