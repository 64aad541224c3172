/* How the bytes of a fuzz input are laid out: the sections in front of the frame data, and their fields.
 *
 * The compiler and layout.py read this same text. Fields are little-endian and lie behind each other without gaps;
 * an input that ends early goes on with zeros. Any value is valid: the meanings below take what they need of it.
 * What follows the sections of a job is the data.
 *
 *     job     sections                     what is run
 *     DECAP   HEAD RULES UNDERLAY ROWs     decap, full and brief, decap_one and locate_inner of each row and of all the data, select
 *     WALK    HEAD WALK                    walk from the first byte, and scan of any range
 *     ENCAP   HEAD RECIPEs ROWs            encap in all modes, total_length, and decap of what came out
 *     HEADER  HEAD RECIPE                  encap_header, clears_df, flow_hash, sum
 *     GROUP   HEAD GROUP                   group, move_groups, find_groups, bucket
 *     RECORDS HEAD RECORDS INTERFACEs      read_records, all at once and one by one
 */

enum { JOB_DECAP, JOB_WALK, JOB_ENCAP, JOB_HEADER, JOB_GROUP, JOB_RECORDS, JOBS };

/* kind: modulo 16. rows: 0 is one row of all the data, else their number plus 1, 8 at the most.
 * Of RECORDS rows is how many records there is room for.
 * number: bytes that were cut off, as many as leave the length on the wire one of 32 bits; or the identification; or
 * what the secrets of a hash are made of, and the width of buckets less 1. */
#define HEAD(FIELD) FIELD(8, job) FIELD(8, kind) FIELD(8, rows) FIELD(8, options) FIELD(32, number)

enum {
    OPTION_ORIGINALS = 1,         /* rows have original lengths */
    OPTION_INDEX = 2,             /* rows choose their recipe */
    OPTION_BY_IP = 2,             /* of a walk: UDP lengths are not looked at */
    OPTION_NO_IDENTIFICATION = 4, /* none is given */
    OPTION_TWO_RECIPES = 8,       /* the table has two */
    OPTION_ANY_LENGTH = 16,       /* lengths of 0 mean all bytes there */
    OPTION_UNALIGNED = 32,        /* columns lie at odd addresses */
    OPTION_NO_RECIPE = 64,        /* the table is empty */
    OPTION_MANY = 128             /* the rows come again and again until there are more than ENOUGH */
};
enum { ENOUGH = 32 };

/* offset is signed and counts from: the buffer's first byte, the end of the row before, the buffer's end, 2^63.
 * length, by length_as: signed, on what is left of the buffer; as it is; down from 2^32 - 1.
 * original is signed, on the length. index: 255 for NO_TUNNEL. */
#define ROW(FIELD) \
    FIELD(8, offset_from) FIELD(16, offset) FIELD(8, length_as) FIELD(16, length) FIELD(16, original) FIELD(8, index)

/* switches: bits by SWITCHES; where OF_THREE and OF_FOUR name a high bit too, a number modulo 3, or of two bits.
 * ports are 4789, 8472, 4790 and this one. ecn: modulo 4.
 * vnis: modulo 4; all, none, the first, both. sources: modulo 4; all, none, a prefix of IPv4, one of IPv6; the
 * network is repeated to fill its address, lowest byte first. own_macs: their number modulo 2. */
#define RULES(FIELD)                                                                                               \
    FIELD(16, switches) FIELD(8, inner_vlan) FIELD(8, ecn) FIELD(8, lengths) FIELD(64, reserved_mask)              \
    FIELD(16, port) FIELD(8, vnis) FIELD(32, vni) FIELD(32, other_vni) FIELD(8, sources) FIELD(8, prefix)          \
    FIELD(64, network) FIELD(8, own_macs) FIELD(64, own_mac)

#define SWITCHES(FIELD)                                                                                            \
    FIELD(0, gbp) FIELD(1, gpe) FIELD(2, verify_ip_checksum) FIELD(3, verify_udp_checksum)                         \
    FIELD(4, zero_checksum6) FIELD(5, atomic_fragments) FIELD(6, ip_options) FIELD(7, check_inner_source)          \
    FIELD(8, check_inner_length) FIELD(12, check_outer_source) FIELD(13, udp_length)

#define OF_THREE(FIELD) FIELD(11, check_inner_length)
#define OF_FOUR(FIELD) FIELD(9, gpe) FIELD(10, ip_options) FIELD(14, udp_length)

/* version: modulo 3; not known, 4, 6. tos: above 255 it is not known. */
#define UNDERLAY(FIELD) FIELD(8, version) FIELD(64, source) FIELD(16, tos)

/* start and end are cut to the data. port leads to port_kind; 4789, 8472, 4790 lead to tunnels. */
#define WALK(FIELD) FIELD(8, tunnels) FIELD(16, start) FIELD(16, end) FIELD(16, port) FIELD(8, port_kind)

/* traits: bits in the order of TRAITS, and above them inner_ip, modulo 3. tags: modulo 3. ports are
 * [low_port, low_port + span], up to 65535. pattern is repeated to fill the header. */
#define RECIPE(FIELD)                                                                                              \
    FIELD(8, traits) FIELD(8, tags) FIELD(8, ttl) FIELD(8, dscp) FIELD(8, ecn) FIELD(8, df)                        \
    FIELD(8, flow_label_mode) FIELD(8, udp_checksum) FIELD(16, low_port) FIELD(16, span) FIELD(32, flow_label)     \
    FIELD(64, pattern)

#define TRAITS(FIELD)                                                                                              \
    FIELD(0, ipv6) FIELD(1, inherit_ttl) FIELD(2, inherit_dscp) FIELD(3, symmetric) FIELD(4, gpe) FIELD(5, raw)

/* Columns of the key have these widths, 0 for none. given: bits for lengths, other lengths, timestamps, flags, selected
 * and status, which follow in the data. Rows are counted from the first one on, in a table with so much room that grows;
 * and in one that holds the data, and says that it has so many groups. */
#define GROUP(FIELD)                                                                                               \
    FIELD(8, width_a) FIELD(8, width_b) FIELD(8, width_c) FIELD(8, width_d) FIELD(8, given) FIELD(8, capacity)     \
    FIELD(8, first) FIELD(8, count)

/* container: 1 for pcapng, 2 for big endian. interfaces: their number modulo 4; pcap has one at least. begin is cut to the
 * data. */
#define RECORDS(FIELD) FIELD(8, container) FIELD(8, interfaces) FIELD(16, begin) FIELD(16, first) FIELD(32, limit)

/* units: 0 and more than 10^18 are too fine; of pcap, microseconds, or nanoseconds if odd. offset is signed. */
#define INTERFACE(FIELD) FIELD(64, units) FIELD(64, offset) FIELD(16, link_type) FIELD(32, snaplen) FIELD(8, fcslen)
