/* What a policy asks to be done to inner frames: the twin of kernel/python/altering.py.
 */

enum { ALTERED_ROW = 8 + 4 + 4 };

/* Give the IP header of a frame its new ECN, and an IPv4 checksum to match (RFC 1624 equation 3); false if there is none. */
static bool remark(uint8_t *frame, uint64_t size, bool is_ethernet, uint32_t ethertype, uint32_t ecn)
{
    uint64_t at = 0;
    if (is_ethernet)
        for (at = 14; at <= size && (load16(frame + at - 2) == TYPE_DOT1Q || load16(frame + at - 2) == TYPE_QINQ); at += 4)
            ;
    if (at > size || size - at < 20)
        return false;
    uint8_t *ip = frame + at;
    if (ethertype != TYPE_IPV4) {
        ip[1] = (uint8_t)((ip[1] & 0xCF) | ecn << 4);
        return true;
    }
    uint32_t old = load16(ip), new = (old & ~(uint32_t)3) | ecn;
    store16(ip, new);
    store16(ip + 10, 0xFFFF - fold32((load16(ip + 10) ^ 0xFFFF) + (old ^ 0xFFFF) + new));
    return true;
}

/* Copy a frame as the policy wants it; false if it is no longer what was seen there. */
INLINE bool put_altered(uint8_t *to, const uint8_t *frame, uint32_t length, const struct vxlanpkt_alterations *how,
                        uint64_t row, uint32_t *altered)
{
    uint32_t notes = how->notes[row];
    memcpy(to, frame, length);
    *altered = length;
    if (notes & NOTE_REMARKED
        && !remark(to, length, ((const item16 *)how->link_types)[row] == ETHERNET_LINK,
                   ((const item16 *)how->ethertypes)[row], how->ecn[row]))
        return false;
    if (!(notes & NOTE_STRIPPED))
        return true;
    if (length < 16)
        return false;
    memmove(to + 12, to + 16, length - 16);
    *altered = length - 4;
    return true;
}

/* Whether an output shares memory with the columns of what is to be done. */
static bool shares_alterations(const uint8_t *out, uint64_t size, const struct vxlanpkt_alterations *how)
{
    return overlap(out, size, how->notes, how->rows) || overlap(out, size, how->link_types, 2 * how->rows)
           || overlap(out, size, how->ethertypes, 2 * how->rows) || overlap(out, size, how->ecn, how->rows);
}

INLINE int64_t alter_rows(const struct vxlanpkt_frames *frames, const struct vxlanpkt_alterations *how, uint8_t *out,
                          uint64_t size)
{
    uint64_t used = 0, room = size - ALTERED_ROW * frames->rows;
    uint8_t *bytes = out + ALTERED_ROW * frames->rows;
    uint64_t *offsets = take(&out, frames->rows, 8);
    uint32_t *lengths = take(&out, frames->rows, 4), *originals = take(&out, frames->rows, 4);
    for (uint64_t row = 0; row < frames->rows; row++) {
        struct extent in;
        uint32_t length = 0, altered = 0;
        if (read_row(frames, row, &in))
            length = (uint32_t)(in.end - in.start);
        if (length > room - used)
            return VXLANPKT_NO_SPACE;
        if (length && !put_altered(bytes + used, frames->data + in.start, length, how, row, &altered))
            return VXLANPKT_WRONG_COLUMNS;
        offsets[row] = used;
        lengths[row] = altered;
        originals[row] = altered + (uint32_t)in.missing;
        used += altered;
    }
    return (int64_t)used;
}
