/* Columns of captures, made of those of a decapsulated batch: what of each row is known, addresses as text, numbers that
 * are part of another one. Its twin is kernel/python/columns.py.
 */

enum { LEAST_ETHERTYPE = 0x600, IEEE_802_3 = 1 };
enum { KNOWN_COUNT = 17, MOST_TEXTS = 1 << 24, IPV4_TEXT = 16, IPV6_TEXT = 40, MAC_TEXT = 17 };

/* How far a row came, where its status alone says so. */
enum { AT_UDP = 1, AT_TUNNEL = 2, AT_INNER_ETHERNET = 4 };

static const uint8_t STAGES[256] = {
    [REASON_OK] = AT_UDP | AT_TUNNEL,
    [REASON_UDP_CHECKSUM] = AT_UDP,
    [REASON_UDP_CHECKSUM_ZERO] = AT_UDP,
    [REASON_VXLAN_TRUNCATED] = AT_UDP,
    [REASON_VXLAN_I_FLAG] = AT_UDP | AT_TUNNEL,
    [REASON_VXLAN_RESERVED] = AT_UDP | AT_TUNNEL,
    [REASON_GBP_WITH_GPE] = AT_UDP | AT_TUNNEL,
    [REASON_GPE_P_FLAG] = AT_UDP | AT_TUNNEL,
    [REASON_GPE_VERSION] = AT_UDP | AT_TUNNEL,
    [REASON_GPE_OAM] = AT_UDP | AT_TUNNEL,
    [REASON_GPE_NEXT_PROTOCOL] = AT_UDP | AT_TUNNEL,
    [REASON_VNI_REFUSED] = AT_UDP | AT_TUNNEL,
    [REASON_SOURCE_REFUSED] = AT_UDP | AT_TUNNEL,
    [REASON_OUTER_SOURCE] = AT_UDP | AT_TUNNEL,
    [REASON_INNER_TRUNCATED] = AT_UDP | AT_TUNNEL,
    [REASON_INNER_VLAN] = AT_UDP | AT_TUNNEL | AT_INNER_ETHERNET,
    [REASON_INNER_SOURCE] = AT_UDP | AT_TUNNEL | AT_INNER_ETHERNET,
    [REASON_INNER_OWN_MAC] = AT_UDP | AT_TUNNEL | AT_INNER_ETHERNET,
    [REASON_INNER_LENGTH] = AT_UDP | AT_TUNNEL | AT_INNER_ETHERNET,
    [REASON_ECN_CONGESTION] = AT_UDP | AT_TUNNEL | AT_INNER_ETHERNET,
};

/* The columns of a result, to be read. */
INLINE struct columns columns_of(const uint8_t *columns, uint64_t rows)
{
    return lay_out((uint8_t *)(uintptr_t)columns, rows, true);
}

/* Whether there is an inner Ethernet header. */
INLINE bool has_macs(const struct columns *of, uint64_t row)
{
    bool whole = (of->status[row] == REASON_OK && of->inner_length[row] >= 14)
                 || STAGES[of->status[row]] & AT_INNER_ETHERNET;
    return whole && of->inner_link_type[row] == ETHERNET_LINK && of->inner_offset[row] != 0;
}

INLINE uint32_t known_if(bool is, uint32_t what) { return (uint32_t)is << what; }

/* A bit for each thing that is known of a row. */
INLINE uint32_t known_of(const struct columns *of, uint64_t row, int64_t time, bool link, bool unread)
{
    uint32_t stages = STAGES[of->status[row]];
    bool inner = of->inner_offset[row] != 0;
    bool tunnel = inner || stages & AT_TUNNEL;
    bool udp = tunnel || stages & AT_UDP || (of->outer_src_port[row] | of->outer_dst_port[row]) != 0;
    bool macs = has_macs(of, row);
    return known_if(time != INT64_MIN, KNOWN_TIME) | known_if(link, KNOWN_LINK)
           | known_if(of->outer_vlan[row] != VXLANPKT_UNTAGGED, KNOWN_OUTER_TAG)
           | known_if(of->outer_family[row] != 0, KNOWN_OUTER_IP) | known_if(udp, KNOWN_OUTER_UDP)
           | known_if(tunnel, KNOWN_TUNNEL) | known_if(tunnel && of->flags[row] >> 31, KNOWN_GROUP)
           | known_if(inner, KNOWN_INNER) | known_if(of->status[row] == REASON_OK, KNOWN_ACCEPTED)
           | known_if(of->inner_link_type[row] != VXLANPKT_NO_LINK_TYPE, KNOWN_INNER_LINK)
           | known_if(macs, KNOWN_INNER_MAC) | known_if(macs && !unread, KNOWN_INNER_ETHERNET)
           | known_if(of->inner_ethertype[row] != 0 || (macs && !unread), KNOWN_INNER_ETHERTYPE)
           | known_if(of->inner_vlan[row] != VXLANPKT_UNTAGGED, KNOWN_INNER_TAG)
           | known_if(of->inner_family[row] != 0, KNOWN_INNER_IP)
           | known_if((of->inner_src_port[row] | of->inner_dst_port[row]) != 0, KNOWN_INNER_PORTS)
           | known_if(of->inner_tcp_flags[row] != 0, KNOWN_INNER_TCP);
}

/* 64 bits of a bitmap, the first row's lowest in the first byte. */
INLINE void put_bits(uint8_t *to, uint64_t bits)
{
    for (uint32_t at = 0; at < 8; at++)
        to[at] = (uint8_t)(bits >> 8 * at);
}

/* For each thing that can be known, how many rows do not know it; then for each a bitmap of those that do. */
static void put_known(const uint8_t *columns, const struct vxlanpkt_frames *frames, const int64_t *times,
                      const uint32_t *links, bool unread, uint8_t *out)
{
    const uint64_t rows = frames->rows, stride = (rows + 63) / 64 * 8;
    const struct columns of = columns_of(columns, rows);
    uint64_t nulls[KNOWN_COUNT] = {0};
    uint8_t *bitmaps = out + 8 * KNOWN_COUNT;
    for (uint64_t first = 0; first < rows; first += 64) {
        uint64_t count = smaller(rows - first, 64), whole = UINT64_MAX >> (64 - count);
        uint32_t words[64], all = UINT32_MAX, any = 0;
        for (uint64_t at = 0; at < count; at++) {
            uint64_t row = first + at;
            bool linked = ((const volatile item32 *)frames->lengths)[row] >= ((const item32 *)links)[row]
                          && of.status[row] != REASON_ROW_OUT_OF_RANGE;
            words[at] = known_of(&of, row, (int64_t)((const item64 *)times)[row], linked, unread);
            all &= words[at];
            any |= words[at];
        }
        for (uint32_t what = 0; what < KNOWN_COUNT; what++) {
            uint64_t bits = all >> what & 1 ? whole : 0;
            if (!bits && any >> what & 1)
                for (uint64_t at = 0; at < count; at++) {
                    bits |= (uint64_t)(words[at] >> what & 1) << at;
                    nulls[what] += ~words[at] >> what & 1;
                }
            else if (!bits)
                nulls[what] += count;
            put_bits(bitmaps + what * stride + first / 8, bits);
        }
    }
    memcpy(out, nulls, sizeof nulls);
}

/* EtherTypes as flows have them: one number for all lengths of IEEE 802.3 frames. */
INLINE uint16_t flow_ethertype(uint16_t ethertype)
{
    return ethertype && ethertype < LEAST_ETHERTYPE ? IEEE_802_3 : ethertype;
}

/* Whether the IP header of an inner frame is behind the bytes that were captured. */
INLINE bool lacks_addresses(const struct columns *of, uint64_t row)
{
    uint32_t type = of->inner_ethertype[row];
    return !of->inner_family[row] && of->inner_link_type[row] != VXLANPKT_NO_LINK_TYPE
           && (!type || type == TYPE_IPV4 || type == TYPE_IPV6 || type == TYPE_DOT1Q || type == TYPE_QINQ);
}

/* Whether an inner packet has ports that are behind the bytes that were captured: later fragments have none. */
static bool lacks_ports(const struct columns *of, uint64_t size, uint8_t *data, uint64_t row)
{
    uint64_t start = ((const volatile item64 *)of->inner_offset)[row];
    uint64_t length = ((const volatile item32 *)of->inner_length)[row], original = of->inner_original_length[row];
    struct span ip;
    if (!is_tcp_or_udp(of->inner_protocol[row]) || of->inner_src_port[row] || of->inner_dst_port[row] || start > size
        || length > size - start)
        return false;
    const struct extent in = {start, start + length, original > length ? original - length : 0};
    return !find_packet(data, in, kind_of_link(of->inner_link_type[row]), &ip) || ip.key != VXLANPKT_NO_KEY;
}

/* What was cut off the inner packet of a row. */
INLINE uint8_t cut_off(const struct columns *of, const struct vxlanpkt_frames *frames, uint64_t row)
{
    if (LIKELY(!(of->notes[row] & NOTE_CUT)) || of->status[row] != REASON_OK)
        return CUT_OFF_NOTHING;
    if (lacks_addresses(of, row) || lacks_ports(of, frames->size, frames->data, row))
        return CUT_OFF_HEADERS;
    return CUT_OFF_PAYLOAD;
}

INLINE uint64_t derived_width(uint32_t what)
{
    return what == DERIVED_CUT_OFF ? 1 : what <= DERIVED_FLOW_ETHERTYPE && what != DERIVED_INNER_OFFSET ? 2 : 4;
}

static void put_derived(const uint8_t *columns, const struct vxlanpkt_frames *frames, uint32_t what, uint8_t *out)
{
    const uint64_t rows = frames->rows;
    const struct columns of = columns_of(columns, rows);
    uint16_t *halves = (uint16_t *)(void *)out;
    uint32_t *words = (uint32_t *)(void *)out;
    if (what == DERIVED_OUTER_VLAN)
        for (uint64_t row = 0; row < rows; row++)
            halves[row] = of.outer_vlan[row] & 0xFFF;
    else if (what == DERIVED_INNER_VLAN)
        for (uint64_t row = 0; row < rows; row++)
            halves[row] = of.inner_vlan[row] & 0xFFF;
    else if (what == DERIVED_GROUP_POLICY)
        for (uint64_t row = 0; row < rows; row++)
            halves[row] = (uint16_t)of.flags[row];
    else if (what == DERIVED_FLOW_ETHERTYPE)
        for (uint64_t row = 0; row < rows; row++)
            halves[row] = flow_ethertype(of.inner_ethertype[row]);
    else if (what == DERIVED_CUT_OFF)
        for (uint64_t row = 0; row < rows; row++)
            out[row] = cut_off(&of, frames, row);
    else
        for (uint64_t row = 0; row < rows; row++)
            words[row] = of.inner_offset[row]
                             ? (uint32_t)(of.inner_offset[row] - ((const volatile item64 *)frames->offsets)[row])
                             : 0;
}

/* -- text */

/* Where a column of text has come to: offsets of 32 bits, one more than rows, and the bytes behind them. */
struct text {
    uint8_t *offsets, *bytes;
    uint32_t length;
};

INLINE struct text text_in(uint8_t *out, uint64_t rows) { return (struct text){out, out + 4 * (rows + 1), 0}; }

/* Say where the text of a row begins, and for the one behind the last where all of it ends. */
INLINE void put_offset(const struct text *to, uint64_t row) { memcpy(to->offsets + 4 * row, &to->length, 4); }

/* The decimal form of each byte with a dot behind it, and how long it is with that. */
struct octets {
    uint8_t text[256][4];
    uint8_t sizes[256];
};

static void fill_octets(struct octets *octets)
{
    for (uint32_t value = 0; value < 256; value++) {
        uint8_t *at = octets->text[value], size = 0;
        memset(at, '.', 4);
        if (value >= 100)
            at[size++] = (uint8_t)('0' + value / 100);
        if (value >= 10)
            at[size++] = (uint8_t)('0' + value / 10 % 10);
        at[size++] = (uint8_t)('0' + value % 10);
        octets->sizes[value] = (uint8_t)(size + 1);
    }
}

/* An IPv4 address; returns its length. It may write into the byte behind its 15. */
INLINE uint32_t put_ipv4(uint8_t *to, const uint8_t *address, const struct octets *octets)
{
    uint32_t size = 0;
    for (uint32_t at = 0; at < 4; at++) {
        memcpy(to + size, octets->text[address[at]], 4);
        size += octets->sizes[address[at]];
    }
    return size - 1;
}

static const char DIGITS[] = "0123456789abcdef";

/* A group of an IPv6 address, without leading zeros. */
INLINE uint32_t put_group(uint8_t *to, uint32_t group)
{
    uint32_t size = 0;
    for (int32_t shift = group > 0xFFF ? 12 : group > 0xFF ? 8 : group > 0xF ? 4 : 0; shift >= 0; shift -= 4)
        to[size++] = (uint8_t)DIGITS[group >> shift & 15];
    return size;
}

/* The longest run of at least two zero groups, the first of those that are equally long (RFC 5952 section 4.2). */
INLINE void find_zeros(const uint8_t *address, uint32_t *first, uint32_t *end)
{
    *first = *end = 8;
    uint32_t longest = 1;
    for (uint32_t at = 0; at < 8; at++) {
        uint32_t stop = at;
        while (stop < 8 && !load16(address + 2 * stop))
            stop++;
        if (stop - at > longest) {
            longest = stop - at;
            *first = at;
            *end = stop;
        }
        at = stop;
    }
}

/* An IPv6 address as RFC 5952 writes it; an IPv4-mapped one ends in dots (section 5). */
NOINLINE uint32_t put_ipv6(uint8_t *to, const uint8_t *address, const struct octets *octets)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    uint32_t first, end, size = 0;
    if (!memcmp(address, mapped, 12)) {
        memcpy(to, "::ffff:", 7);
        return 7 + put_ipv4(to + 7, address + 12, octets);
    }
    find_zeros(address, &first, &end);
    for (uint32_t at = 0; at < 8; at++) {
        if (at == first) {
            to[size++] = ':';
            if (end == 8)
                to[size++] = ':';
            at = end - 1;
            continue;
        }
        if (at)
            to[size++] = ':';
        size += put_group(to + size, load16(address + 2 * at));
    }
    return size;
}

INLINE const uint8_t *addresses_in(const struct columns *of, uint32_t which)
{
    return which == ADDRESS_OUTER_SRC   ? of->outer_src
           : which == ADDRESS_OUTER_DST ? of->outer_dst
           : which == ADDRESS_INNER_SRC ? of->inner_src
                                        : of->inner_dst;
}

INLINE const uint8_t *families_in(const struct columns *of, uint32_t which)
{
    return which == ADDRESS_OUTER_SRC || which == ADDRESS_OUTER_DST ? of->outer_family : of->inner_family;
}

/* The bytes that a column of addresses takes as text, at the most. */
static uint64_t address_room(const uint8_t *columns, uint64_t rows, uint32_t which)
{
    const struct columns of = columns_of(columns, rows);
    const uint8_t *families = families_in(&of, which);
    uint64_t of_ipv4 = 0, of_ipv6 = 0;
    for (uint64_t row = 0; row < rows; row++) {
        of_ipv4 += families[row] == 4;
        of_ipv6 += families[row] == 6;
    }
    return 4 * (rows + 1) + IPV4_TEXT * of_ipv4 + IPV6_TEXT * of_ipv6;
}

/* A column of addresses as text; returns how many bytes. Somebody else may write to the families meanwhile, so that they
 * are others than those that the room was reckoned by. */
static int64_t put_address_text(const uint8_t *columns, uint64_t rows, uint32_t which, uint8_t *out, uint64_t room)
{
    const struct columns of = columns_of(columns, rows);
    const uint8_t *addresses = addresses_in(&of, which), *families = families_in(&of, which);
    struct text text = text_in(out, rows);
    struct octets octets;
    fill_octets(&octets);
    room -= 4 * (rows + 1);
    for (uint64_t row = 0; row < rows; row++) {
        uint8_t family = ((const volatile uint8_t *)families)[row];
        uint32_t most = (uint32_t)(family == 4 ? IPV4_TEXT : family == 6 ? IPV6_TEXT : 0);
        put_offset(&text, row);
        if (room - text.length < most)
            return VXLANPKT_NO_SPACE;
        if (family == 4)
            text.length += put_ipv4(text.bytes + text.length, addresses + 16 * row + 12, &octets);
        else if (family == 6)
            text.length += put_ipv6(text.bytes + text.length, addresses + 16 * row, &octets);
    }
    put_offset(&text, rows);
    return text.length;
}

/* The address of an inner Ethernet header, or NULL where there is none. */
INLINE const uint8_t *find_mac(const struct columns *of, const struct vxlanpkt_frames *frames, uint64_t row, uint32_t which)
{
    uint64_t offset = of->inner_offset[row];
    if (!has_macs(of, row) || offset > frames->size || frames->size - offset < 12)
        return NULL;
    return frames->data + offset + (which == MAC_SRC ? 6 : 0);
}

/* A MAC address; returns its length. */
INLINE uint32_t put_mac(uint8_t *to, const uint8_t *mac)
{
    for (uint32_t at = 0; at < 6; at++) {
        to[3 * at] = (uint8_t)DIGITS[mac[at] >> 4];
        to[3 * at + 1] = (uint8_t)DIGITS[mac[at] & 15];
        if (at < 5)
            to[3 * at + 2] = ':';
    }
    return MAC_TEXT;
}

static int64_t put_mac_text(const uint8_t *columns, const struct vxlanpkt_frames *frames, uint32_t which, uint8_t *out)
{
    const uint64_t rows = frames->rows;
    const struct columns of = columns_of(columns, rows);
    struct text text = text_in(out, rows);
    for (uint64_t row = 0; row < rows; row++) {
        const uint8_t *mac = find_mac(&of, frames, row, which);
        put_offset(&text, row);
        if (mac)
            text.length += put_mac(text.bytes + text.length, mac);
    }
    put_offset(&text, rows);
    return text.length;
}

static void put_mac_bytes(const uint8_t *columns, const struct vxlanpkt_frames *frames, uint32_t which, uint8_t *out)
{
    const struct columns of = columns_of(columns, frames->rows);
    for (uint64_t row = 0; row < frames->rows; row++) {
        const uint8_t *mac = find_mac(&of, frames, row, which);
        if (mac)
            memcpy(out + 6 * row, mac, 6);
        else
            memset(out + 6 * row, 0, 6);
    }
}

/* -- any columns */

/* The bytes of the names that items have: of a number beyond the table there is none. */
static uint64_t names_room(const uint32_t *items, uint64_t rows, const int32_t *lengths, uint64_t count)
{
    uint64_t room = 0;
    for (uint64_t row = 0; row < rows; row++) {
        uint32_t item = ((const volatile item32 *)items)[row];
        if (item < count && lengths[item] > 0)
            room += (uint64_t)lengths[item];
    }
    return room;
}

/* The name that each item has, out of a table of places in `from`: a bitmap of the rows that have one, and their text;
 * returns how many have none. */
static int64_t put_names(const uint32_t *items, uint64_t rows, const uint64_t *starts, const int32_t *lengths,
                         uint64_t count, const uint8_t *from, uint64_t size, uint8_t *out, uint64_t room)
{
    uint8_t *bitmap = out + 4 * (rows + 1);
    struct text text = {out, bitmap + (rows + 7) / 8, 0};
    int64_t nulls = 0;
    room -= 4 * (rows + 1) + (rows + 7) / 8;
    memset(bitmap, 0, (rows + 7) / 8);
    for (uint64_t row = 0; row < rows; row++) {
        uint32_t item = ((const volatile item32 *)items)[row];
        bool found = item < count && lengths[item] >= 0;
        put_offset(&text, row);
        bitmap[row / 8] |= (uint8_t)(found << row % 8);
        nulls += !found;
        if (!found)
            continue;
        uint64_t start = starts[item], length = (uint32_t)lengths[item];
        if (start > size || length > size - start || length > smaller(room, INT32_MAX) - text.length)
            return VXLANPKT_NO_SPACE;
        memcpy(text.bytes + text.length, from + start, length);
        text.length += (uint32_t)length;
    }
    put_offset(&text, rows);
    return nulls;
}

/* The rows that a mask names, out of columns that lie behind each other into others that do; returns how many. The mask
 * may change meanwhile: there are never more than were counted. */
static int64_t pick(const uint8_t *from, uint64_t rows, const uint32_t *widths, uint64_t count, const uint8_t *mask,
                    uint64_t picked, uint8_t *out)
{
    for (uint64_t column = 0; column < count; column++) {
        const uint64_t width = widths[column];
        uint64_t at = 0;
        for (uint64_t row = 0; row < rows && at < picked; row++)
            if (((const volatile uint8_t *)mask)[row])
                memcpy(out + width * at++, from + width * row, width);
        for (; at < picked; at++)
            memset(out + width * at, 0, width);
        from += width * rows;
        out += width * picked;
    }
    return (int64_t)picked;
}
