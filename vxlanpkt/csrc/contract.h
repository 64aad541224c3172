/* What the C kernel and its callers hand each other: the numbers of kernel/contract/ as C.
 *
 * The compiler and cffi read this same text, so it holds plain declarations only. tests/kernels compares every
 * number in it with its Python twin.
 */

/* Stands for the declarations below, so that an extension which was built from others is not used:
 * kernel/contract/__init__.py has it too. tests/packaging computes it. */
#define VXLANPKT_CONTRACT 0x589E8D3C

/* The order and the values of errors.Reason. */
enum vxlanpkt_reason {
    REASON_OK = 0,
    REASON_NOT_VXLAN = 1,
    REASON_FRAGMENT = 2,
    REASON_CAPTURE_CUT = 3,
    REASON_ROW_OUT_OF_RANGE = 4,
    REASON_NO_TUNNEL = 5,
    REASON_TUNNEL_OUT_OF_RANGE = 6,
    REASON_INNER_TOO_LONG = 7,
    REASON_ETHERNET_TRUNCATED = 8,
    REASON_DOT1Q_TRUNCATED = 9,
    REASON_ARP_TRUNCATED = 10,
    REASON_IPV4_HEADER_TRUNCATED = 11,
    REASON_IPV4_VERSION = 12,
    REASON_IPV4_IHL = 13,
    REASON_IPV4_OPTIONS_TRUNCATED = 14,
    REASON_IPV4_TOTAL_LENGTH = 15,
    REASON_IPV4_TRUNCATED = 16,
    REASON_IPV4_OPTION_LENGTH = 17,
    REASON_IPV6_HEADER_TRUNCATED = 18,
    REASON_IPV6_VERSION = 19,
    REASON_IPV6_TRUNCATED = 20,
    REASON_IPV6_EXTENSION_TRUNCATED = 21,
    REASON_IPV6_AH_LENGTH = 22,
    REASON_IPV6_OPTION_LENGTH = 23,
    REASON_UDP_HEADER_TRUNCATED = 24,
    REASON_UDP_LENGTH = 25,
    REASON_UDP_TRUNCATED = 26,
    REASON_TCP_HEADER_TRUNCATED = 27,
    REASON_TCP_DATA_OFFSET = 28,
    REASON_TCP_TRUNCATED = 29,
    REASON_TCP_OPTION_LENGTH = 30,
    REASON_ICMP_TRUNCATED = 31,
    REASON_ICMPV6_TRUNCATED = 32,
    REASON_ND_OPTION_LENGTH = 33,
    REASON_VXLAN_TRUNCATED = 34,
    REASON_VXLANGPE_TRUNCATED = 35,
    REASON_LINUX_SLL_TRUNCATED = 36,
    REASON_LINUX_SLL2_TRUNCATED = 37,
    REASON_LOOPBACK_TRUNCATED = 38,
    REASON_IP_VERSION = 39,
    REASON_IPV4_OPTIONS = 40,
    REASON_IPV6_OPTIONS = 41,
    REASON_IPV4_CHECKSUM = 42,
    REASON_UDP_CHECKSUM = 43,
    REASON_UDP_CHECKSUM_ZERO = 44,
    REASON_VXLAN_I_FLAG = 45,
    REASON_VXLAN_RESERVED = 46,
    REASON_GBP_WITH_GPE = 47,
    REASON_GPE_VERSION = 48,
    REASON_GPE_OAM = 49,
    REASON_GPE_NEXT_PROTOCOL = 50,
    REASON_VNI_REFUSED = 51,
    REASON_SOURCE_REFUSED = 52,
    REASON_INNER_TRUNCATED = 53,
    REASON_INNER_VLAN = 54,
    REASON_INNER_SOURCE = 55,
    REASON_INNER_OWN_MAC = 56,
    REASON_INNER_LENGTH = 57,
    REASON_ECN_CONGESTION = 58,
    REASON_TCP_CHECKSUM = 59,
    REASON_ICMP_CHECKSUM = 60,
    REASON_ICMPV6_CHECKSUM = 61,
    REASON_LAYER_TRUNCATED = 62,
    REASON_LAYER_MALFORMED = 63,
    REASON_LAYER_CHECKSUM = 64,
    REASON_NO_ROOM = 65,
    REASON_GPE_P_FLAG = 66,
    REASON_OUTER_SOURCE = 67
};

/* spans.Kind; NOTHING follows a header behind which no built-in layer is known. */
enum vxlanpkt_kind {
    KIND_ETHERNET = 0,
    KIND_DOT1Q = 1,
    KIND_ARP = 2,
    KIND_IPV4 = 3,
    KIND_IPV6 = 4,
    KIND_UDP = 5,
    KIND_TCP = 6,
    KIND_ICMP = 7,
    KIND_ICMPV6 = 8,
    KIND_VXLAN = 9,
    KIND_VXLANGPE = 10,
    KIND_LINUX_SLL = 11,
    KIND_LINUX_SLL2 = 12,
    KIND_LOOPBACK = 13,
    KIND_RAW = 14,
    KIND_NOTHING = 15
};

/* The field that a fault speaks of, in the order of spans.FIELDS. */
enum vxlanpkt_field {
    FIELD_NONE = 0,
    FIELD_HARDWARE_LENGTH = 1,
    FIELD_VERSION = 2,
    FIELD_IHL = 3,
    FIELD_TOTAL_LENGTH = 4,
    FIELD_PAYLOAD_LENGTH = 5,
    FIELD_LENGTH = 6,
    FIELD_DATA_OFFSET = 7
};

enum vxlanpkt_note { NOTE_CUT = 1, NOTE_PADDING = 2, NOTE_TRAILER = 4, NOTE_STRIPPED = 8, NOTE_REMARKED = 16 };

/* Bits of what the first IP header of a frame says. */
enum vxlanpkt_trait {
    TRAIT_ECN = 3,
    TRAIT_DF = 4,
    TRAIT_FRAGMENT = 8,
    TRAIT_LATER = 16,
    TRAIT_TOO_BIG = 32,
    TRAIT_SEGMENT = 64,
    TRAIT_IP = 128
};

enum vxlanpkt_checksum_state {
    CHECKSUM_UNCHECKED = 0,
    CHECKSUM_ABSENT = 1,
    CHECKSUM_VALID = 2,
    CHECKSUM_PARTIAL = 3,
    CHECKSUM_BAD = 4
};

enum vxlanpkt_lengths { LENGTHS_STRICT = 0, LENGTHS_SNAPPED = 1, LENGTHS_CAPTURED = 2 };
enum vxlanpkt_inner_vlan { INNER_VLAN_KEEP = 0, INNER_VLAN_STRIP = 1, INNER_VLAN_DROP = 2 };
enum vxlanpkt_ecn_rule { ECN_RULE_IGNORE = 0, ECN_RULE_RFC6040 = 1, ECN_RULE_LINUX = 2, ECN_RULE_OVS = 3 };
enum vxlanpkt_ip_options { IP_OPTIONS_DROP = 0, IP_OPTIONS_ACCEPT = 1, IP_OPTIONS_HOST = 2, IP_OPTIONS_OVS = 3 };
enum vxlanpkt_gpe_rule { GPE_RULE_OFF = 0, GPE_RULE_ON = 1, GPE_RULE_LINUX = 2, GPE_RULE_OVS = 3 };
enum vxlanpkt_inner_length { INNER_LENGTH_IGNORE = 0, INNER_LENGTH_CHECK = 1, INNER_LENGTH_LINUX = 2 };
enum vxlanpkt_udp_length {
    UDP_LENGTH_CHECK = 0,
    UDP_LENGTH_JUMBO = 1,
    UDP_LENGTH_IGNORE = 2,
    UDP_LENGTH_OVERRUN = 3
};
enum vxlanpkt_reading { READING_STRICT = 0, READING_CAPTURED = 1, READING_IP = 2 };
enum vxlanpkt_ecn_mode { ECN_MODE_NONE = 0, ECN_MODE_RFC6040 = 1, ECN_MODE_LINUX = 2 };
enum vxlanpkt_df { DF_UNSET = 0, DF_SET = 1, DF_INHERIT = 2 };
enum vxlanpkt_flow_label { FLOW_LABEL_FIXED = 0, FLOW_LABEL_INHERIT = 1, FLOW_LABEL_HASH = 2 };
enum vxlanpkt_udp_checksum { UDP_CHECKSUM_ZERO = 0, UDP_CHECKSUM_FULL = 1, UDP_CHECKSUM_INNER = 2 };
enum vxlanpkt_inner_ip { INNER_IP_SOUND = 0, INNER_IP_LINUX = 1, INNER_IP_OVS = 2 };
enum vxlanpkt_encap_mode { ENCAP_MODE_COPY = 0, ENCAP_MODE_IN_PLACE = 1, ENCAP_MODE_HEADERS = 2 };
enum vxlanpkt_known {
    KNOWN_TIME = 0,
    KNOWN_LINK = 1,
    KNOWN_OUTER_TAG = 2,
    KNOWN_OUTER_IP = 3,
    KNOWN_OUTER_UDP = 4,
    KNOWN_TUNNEL = 5,
    KNOWN_GROUP = 6,
    KNOWN_INNER = 7,
    KNOWN_ACCEPTED = 8,
    KNOWN_INNER_LINK = 9,
    KNOWN_INNER_MAC = 10,
    KNOWN_INNER_ETHERNET = 11,
    KNOWN_INNER_ETHERTYPE = 12,
    KNOWN_INNER_TAG = 13,
    KNOWN_INNER_IP = 14,
    KNOWN_INNER_PORTS = 15,
    KNOWN_INNER_TCP = 16
};
enum vxlanpkt_derived {
    DERIVED_OUTER_VLAN = 0,
    DERIVED_INNER_VLAN = 1,
    DERIVED_GROUP_POLICY = 2,
    DERIVED_INNER_OFFSET = 3,
    DERIVED_FLOW_ETHERTYPE = 4,
    DERIVED_CUT_OFF = 5
};
enum vxlanpkt_cut_off { CUT_OFF_NOTHING = 0, CUT_OFF_PAYLOAD = 1, CUT_OFF_HEADERS = 2 };
enum vxlanpkt_address {
    ADDRESS_OUTER_SRC = 0,
    ADDRESS_OUTER_DST = 1,
    ADDRESS_INNER_SRC = 2,
    ADDRESS_INNER_DST = 3
};
enum vxlanpkt_mac { MAC_DST = 0, MAC_SRC = 6 };

#define VXLANPKT_UNTAGGED 65535
#define VXLANPKT_NO_ECN 255
#define VXLANPKT_NO_LINK_TYPE 65535
#define VXLANPKT_NO_TUNNEL 4294967295
#define VXLANPKT_NO_INTERFACE 4294967295
#define VXLANPKT_NO_KEY -1
#define VXLANPKT_LARGEST_HEADER 80
#define VXLANPKT_WALK_ROWS 16
#define VXLANPKT_LARGEST_KEY 64
#define VXLANPKT_KEY_COLUMNS 16
#define VXLANPKT_NO_GROUP 4294967295
#define VXLANPKT_NO_IDENTIFICATION 4294967295

/* A batch: rows of one buffer. original_lengths may be NULL. */
struct vxlanpkt_frames {
    uint8_t *data;
    uint64_t size;
    const uint64_t *offsets;
    const uint32_t *lengths;
    const uint32_t *original_lengths;
    uint64_t rows;
};

/* decapsulation.DecapRules. ports is a bit set, usual_port the one of them that comes first, 65536 if there is none; vnis is in ascending
 * order; a count of -1 accepts all. */
struct vxlanpkt_prefix {
    uint8_t version;
    uint8_t network[16];
    uint8_t mask[16];
};

struct vxlanpkt_rules {
    uint64_t reserved_mask;
    int64_t vni_count;
    int64_t source_count;
    uint64_t own_mac_count;
    const uint32_t *vnis;
    const struct vxlanpkt_prefix *sources;
    const uint64_t *own_macs;
    uint8_t gbp;
    uint8_t gpe;
    uint8_t verify_ip_checksum;
    uint8_t verify_udp_checksum;
    uint8_t zero_checksum6;
    uint8_t atomic_fragments;
    uint8_t ip_options;
    uint8_t check_outer_source;
    uint8_t udp_length;
    uint8_t inner_vlan;
    uint8_t check_inner_source;
    uint8_t check_inner_length;
    uint8_t ecn;
    uint8_t lengths;
    uint32_t usual_port;
    uint8_t ports[8192];
};

/* decapsulation.Underlay: version 0 and tos -1 say that it is not known. */
struct vxlanpkt_underlay {
    uint8_t version;
    uint8_t source[16];
    int32_t tos;
};

/* decapsulation.DecapRecord: a row of the columns. */
struct vxlanpkt_record {
    uint64_t inner_offset;
    uint8_t outer_src[16];
    uint8_t outer_dst[16];
    uint8_t inner_src[16];
    uint8_t inner_dst[16];
    uint32_t vni;
    uint32_t flags;
    uint32_t inner_length;
    uint32_t inner_original_length;
    uint16_t outer_vlan;
    uint16_t outer_src_port;
    uint16_t outer_dst_port;
    uint16_t inner_link_type;
    uint16_t inner_vlan;
    uint16_t inner_ethertype;
    uint16_t inner_src_port;
    uint16_t inner_dst_port;
    uint16_t inner_tcp_flags;
    uint8_t status;
    uint8_t notes;
    uint8_t reserved;
    uint8_t outer_family;
    uint8_t outer_tags;
    uint8_t ip_checksum;
    uint8_t udp_checksum;
    uint8_t inner_tags;
    uint8_t inner_family;
    uint8_t inner_protocol;
    uint8_t inner_ecn;
};

/* The kind of each header, and its place as spans.Place has it: start, header_end, end, next_key, missing. Where
 * `more` is set there was no room for all, and the walk goes on from the last one with a header of `kind`, and
 * `tunnels` still to be entered. */
struct vxlanpkt_walk {
    uint32_t count;
    uint32_t more;
    uint32_t kind;
    uint32_t tunnels;
    uint32_t reason;
    uint32_t field;
    uint64_t needed;
    uint64_t value;
    int64_t available;
    int64_t places[80];
    char kinds[16];
};

/* encapsulation.EncapRecipe, and what follows from it: ipv4_sum is the sum of the words of the IPv4 header that are the
 * same whatever the options say. A recipe is plain if a frame gives nothing but its length, its flow and the bits of
 * its TOS in tos_mask, and the UDP checksum is zero or full; plain_sum is then the sum of all other words of the IPv4
 * header, and udp_sum that of the pseudo-header and the headers of UDP and VXLAN. */
struct vxlanpkt_recipe {
    uint8_t header[80];
    uint32_t length;
    uint32_t ip_offset;
    uint32_t low_port;
    uint32_t high_port;
    uint32_t flow_label;
    uint32_t ipv4_sum;
    uint32_t plain_sum;
    uint32_t udp_sum;
    uint8_t family;
    uint8_t ttl;
    uint8_t inherit_ttl;
    uint8_t dscp;
    uint8_t inherit_dscp;
    uint8_t ecn;
    uint8_t df;
    uint8_t flow_label_mode;
    uint8_t udp_checksum;
    uint8_t symmetric;
    uint8_t gpe;
    uint8_t raw;
    uint8_t inner_ip;
    uint8_t plain;
    uint8_t tos;
    uint8_t tos_mask;
};

/* Tunnels, and the length of the longest header among them. */
struct vxlanpkt_table {
    const struct vxlanpkt_recipe *recipes;
    uint64_t count;
    uint64_t largest;
};

/* The header of one frame, as long as the recipe's. */
struct vxlanpkt_header {
    uint8_t bytes[80];
};

/* decapsulation.Alterations: what a policy asks to be done to inner frames, and of how many rows all columns say so. */
struct vxlanpkt_alterations {
    uint64_t rows;
    const uint8_t *notes;
    const uint16_t *link_types;
    const uint16_t *ethertypes;
    const uint8_t *ecn;
};

/* captures.Section: what the records of a capture file are read by. `units` are timestamp units in a second, 0 where
 * they are too fine; `kind` is what frames begin with; `first` is the number in the file of the first interface here;
 * `limit`, the most bytes that a record may claim to hold, is pcap's. */
struct vxlanpkt_interface {
    uint64_t units;
    int64_t offset;
    uint32_t link_type;
    uint32_t snaplen;
    uint32_t fcslen;
    uint32_t kind;
};

struct vxlanpkt_section {
    const struct vxlanpkt_interface *interfaces;
    uint64_t count;
    uint32_t first;
    uint32_t limit;
    uint8_t pcapng;
    uint8_t big_endian;
};

/* captures.Stretch: how many records were read, up to where, and why no more. */
enum vxlanpkt_stop { STOP_CUT = 0, STOP_FULL = 1, STOP_LOOK = 2, STOP_UNFIT = 3 };

struct vxlanpkt_stretch {
    uint64_t rows;
    uint64_t position;
    uint64_t needed;
    uint32_t stop;
    uint32_t link_type;
};

/* captures.Packets: what may be put into a capture file. link_types, vnis, options_lengths, source and timed may be
 * NULL: all are Ethernet, nobody asks for the VNI, there are no options, or none that are copied here, and every one
 * has a timestamp. */
struct vxlanpkt_packets {
    const uint8_t *data;
    uint64_t size;
    const uint64_t *offsets;
    const uint32_t *lengths;
    const uint32_t *original_lengths;
    const uint16_t *link_types;
    const uint32_t *vnis;
    const uint64_t *timestamps;
    const uint32_t *interfaces;
    const uint8_t *timed;
    const uint32_t *options_lengths;
    const uint8_t *source;
    const uint64_t *record_offsets;
    const uint32_t *captured_lengths;
    uint64_t source_size;
    uint64_t rows;
};

/* captures.Target: the file that they are put into. The numbers of its interfaces are pcapng's. */
struct vxlanpkt_target {
    const uint32_t *ethernet;
    const uint32_t *raw;
    uint64_t interface_count;
    uint64_t units;
    uint32_t link_type;
    uint8_t pcapng;
};

/* captures.Written. */
struct vxlanpkt_written {
    uint64_t position;
    uint64_t size;
    uint32_t stop;
};

/* A column of items that are `width` bytes wide, and its size in bytes. data is NULL where there is none. */
struct vxlanpkt_column {
    const uint8_t *data;
    uint64_t size;
    uint64_t width;
};

/* grouping.Counted: rows to be counted by a key. Lengths have 32 bits, timestamps 64, flags 16, the others 8. */
struct vxlanpkt_rows {
    uint64_t count;
    uint64_t key_columns;
    struct vxlanpkt_column key[16];
    struct vxlanpkt_column lengths;
    struct vxlanpkt_column other_lengths;
    struct vxlanpkt_column timestamps;
    struct vxlanpkt_column flags;
    struct vxlanpkt_column selected;
    struct vxlanpkt_column status;
    uint64_t number;
};

/* A table of groups: memory for `capacity` of them and for their index, and how many there are. One that is closed leaves
 * out rows that there is no room for, and counts them. */
struct vxlanpkt_groups {
    uint8_t *memory;
    uint64_t size;
    uint64_t capacity;
    uint64_t count;
    uint64_t key_size;
    uint64_t left_out;
    uint64_t closed;
    uint64_t secrets[10];
};

/* A table of words, texts of addresses: memory for `capacity` of them and for their index, and how many there are. */
struct vxlanpkt_words {
    uint8_t *memory;
    uint64_t size;
    uint64_t capacity;
    uint64_t count;
    uint64_t secrets[4];
};

/* counting.Count: a table, and the columns that records are counted by, as bytes of a row in the columns before each.
 * `widths` are those of the key's items. */
#define VXLANPKT_NO_COLUMN 4294967295
#define VXLANPKT_COUNTED_ROWS 256

struct vxlanpkt_counted_by {
    struct vxlanpkt_groups *groups;
    uint64_t key_columns;
    uint32_t key[16];
    uint32_t widths[16];
    uint32_t lengths;
    uint32_t other_lengths;
    uint32_t timestamps;
    uint32_t flags;
    uint32_t status;
};

/* sightings.Sighted: digests have 64 bits, marks 32, timestamps 64. */
struct vxlanpkt_sighted {
    struct vxlanpkt_column digests;
    struct vxlanpkt_column marks;
    struct vxlanpkt_column timestamps;
    uint64_t number;
    uint64_t window;
};

enum vxlanpkt_step_kind {
    STEP_KIND_RANGE = 0,
    STEP_KIND_ADDRESS = 1,
    STEP_KIND_ROW = 2,
    STEP_KIND_INNER = 3,
    STEP_KIND_PACKET = 4,
    STEP_KIND_REGISTER = 5
};
enum vxlanpkt_join { JOIN_SET = 0, JOIN_AND = 1, JOIN_OR = 2 };

#define VXLANPKT_REGISTERS 32
#define VXLANPKT_NO_GUARD 255

/* filtering.Step. A column is the bytes of a row in the columns before it; `family` is the column of IP versions that
 * belongs to one of addresses, `width` that of an item in a range. */
struct vxlanpkt_step {
    uint8_t value[16];
    uint8_t bits[16];
    uint32_t low;
    uint32_t high;
    uint32_t mask;
    uint16_t column;
    uint16_t family;
    uint8_t kind;
    uint8_t width;
    uint8_t negate;
    uint8_t join;
    uint8_t target;
    uint8_t guard;
};

/* Numbers by the longest prefix of a key: see kernel/python/tables.py. `slots` are those that the memory has; `used` of them are
 * taken, `count` by prefixes. `none` is the number of the prefix of no length. `stale` says that markers are to be settled. */
#define VXLANPKT_NO_VALUE 0xFFFFFFFF
#define VXLANPKT_STATIC 0x7FFFFFFFFFFFFFFF

struct vxlanpkt_map {
    uint8_t *memory;
    uint64_t size;
    uint64_t slots;
    uint64_t used;
    uint64_t count;
    uint64_t length_count;
    uint64_t secrets[4];
    uint32_t none;
    uint32_t longest_marker;
    uint32_t stale;
    uint8_t lengths[128];
};

/* tables.Asked: keys of `width` bytes, at `offset` of each `stride` bytes; of families, those of one alone. families
 * may be NULL. */
struct vxlanpkt_asked {
    const uint8_t *keys;
    const uint8_t *families;
    uint64_t keys_size;
    uint64_t family_count;
    uint64_t rows;
    uint64_t stride;
    uint64_t offset;
    uint64_t width;
    uint32_t family;
};

/* tables.AskedMACs: addresses in frames, of one VNI or one in each row. status and vnis may be NULL; `rows` are those
 * that the others have. */
struct vxlanpkt_macs {
    const struct vxlanpkt_frames *frames;
    const uint32_t *vnis;
    const uint8_t *status;
    uint64_t rows;
    int64_t oldest;
    uint32_t vni;
};

/* tables.Senders: where frames came from, and who is behind the numbers of a map. */
struct vxlanpkt_senders {
    const uint32_t *column;
    const uint32_t *owners;
    uint64_t rows;
    uint64_t owner_count;
    int64_t now;
};

struct vxlanpkt_mapped {
    int64_t stamp;
    uint32_t value;
    uint32_t found;
};

/* The structures of the Arrow C data and stream interfaces, as far as they are looked into here. What belongs to one
 * is counted in an export, which several of them share; when the last of them is released it goes to the releases, and
 * `call_soon` is asked to have `sweep` called, unless it has been. */
struct vxlanpkt_arrow_array {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct vxlanpkt_arrow_array **children;
    struct vxlanpkt_arrow_array *dictionary;
    void (*release)(struct vxlanpkt_arrow_array *);
    void *private_data;
};

struct vxlanpkt_arrow_schema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct vxlanpkt_arrow_schema **children;
    struct vxlanpkt_arrow_schema *dictionary;
    void (*release)(struct vxlanpkt_arrow_schema *);
    void *private_data;
};

struct vxlanpkt_arrow_stream {
    void *get_schema;
    void *get_next;
    void *get_last_error;
    void (*release)(struct vxlanpkt_arrow_stream *);
    void *private_data;
};

struct vxlanpkt_export {
    struct vxlanpkt_export *next;
    struct vxlanpkt_releases *to;
    uint64_t left;
    uint64_t number;
};

struct vxlanpkt_releases {
    struct vxlanpkt_export *newest;
    int (*call_soon)(int (*)(void *), void *);
    int (*sweep)(void *);
};

/* Entry points. Those over batches return the count of rows that are OK, or one of these. They never allocate, and
 * write every element of every column. Before they write they look for what is wrong, in this order: an output that shares
 * memory, columns, room, a program.
 *
 * The columns of a result lie behind each other in one buffer, in the order of columns.DECAP_COLUMNS, BRIEF_COLUMNS
 * or ENCAP_COLUMNS; the bytes of encapsulated rows lie behind their columns. */
#define VXLANPKT_NO_SPACE -1
#define VXLANPKT_OVERLAP -2
#define VXLANPKT_WRONG_COLUMNS -3
#define VXLANPKT_UNSOUND -4

int64_t vxlanpkt_decap(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                       uint32_t brief, uint8_t *out, uint64_t size);
struct vxlanpkt_record vxlanpkt_decap_one(const uint8_t *data, uint64_t size, uint64_t missing, uint32_t kind,
                                          const struct vxlanpkt_rules *rules,
                                          const struct vxlanpkt_underlay *underlay);

/* Of an accepted Ethernet frame: the VNI, and where the inner frame begins and ends, in 32, 16 and 16 bits. 0 for any other
 * frame, where a number does not fit, and where the inner frame is altered. */
uint64_t vxlanpkt_locate_inner(const uint8_t *data, uint64_t size, const struct vxlanpkt_rules *rules);
int64_t vxlanpkt_encap(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                       const uint32_t *index, int64_t identification, uint32_t mode, uint8_t *out, uint64_t size);
int64_t vxlanpkt_select(const struct vxlanpkt_frames *frames, uint32_t kind, uint8_t *columns, uint64_t columns_size,
                        uint32_t brief, const struct vxlanpkt_step *program, uint64_t steps, uint8_t *out,
                        uint64_t size);
uint64_t vxlanpkt_total_length(const struct vxlanpkt_frames *frames);
uint32_t vxlanpkt_encap_header(const uint8_t *data, uint64_t size, const struct vxlanpkt_recipe *recipe,
                               uint32_t identification, struct vxlanpkt_header *header);
uint32_t vxlanpkt_clears_df(const uint8_t *data, uint64_t size, const struct vxlanpkt_recipe *recipe);
uint32_t vxlanpkt_walk(const uint8_t *data, uint64_t start, uint64_t end, uint64_t missing, uint32_t kind,
                       const uint8_t *ports, uint32_t tunnels, uint32_t reading, struct vxlanpkt_walk *walk);
struct vxlanpkt_walk vxlanpkt_scan(const uint8_t *data, uint64_t start, uint64_t end, uint64_t missing,
                                   uint32_t kind, uint32_t reading);
uint32_t vxlanpkt_flow_hash(const uint8_t *data, uint64_t size, uint32_t symmetric, uint32_t raw);
uint32_t vxlanpkt_sum(const uint8_t *data, uint64_t size);
struct vxlanpkt_stretch vxlanpkt_read_records(const uint8_t *data, uint64_t begin, uint64_t end,
                                              const struct vxlanpkt_section *section, uint8_t *out, uint64_t rows);
int64_t vxlanpkt_alter(const struct vxlanpkt_frames *frames, const struct vxlanpkt_alterations *alterations,
                       uint8_t *out, uint64_t size);
int64_t vxlanpkt_choose_rows(const uint8_t *status, uint64_t rows, const uint8_t *wanted, uint64_t count, uint8_t *out,
                             uint64_t size);
void vxlanpkt_sort_rows(const uint32_t *vnis, uint64_t rows, uint32_t *chosen, uint32_t *spare, uint64_t count);
struct vxlanpkt_written vxlanpkt_put_records(const struct vxlanpkt_packets *packets,
                                             const struct vxlanpkt_target *target, const uint32_t *chosen,
                                             uint64_t position, uint64_t count, uint8_t *out, uint64_t size);

/* Count rows from the one numbered `first` on; returns the first one whose group there is no room for, or the number of
 * rows. Behind it, groups are moved to a larger table (from NULL: a new one is made ready). */
int64_t vxlanpkt_group(const struct vxlanpkt_rows *rows, uint64_t first, struct vxlanpkt_groups *groups);
int64_t vxlanpkt_move_groups(const struct vxlanpkt_groups *from, struct vxlanpkt_groups *to);
int64_t vxlanpkt_find_groups(const struct vxlanpkt_groups *groups, const struct vxlanpkt_column *keys, uint8_t *out,
                             uint64_t size);
int64_t vxlanpkt_bucket(const struct vxlanpkt_column *timestamps, int64_t width, uint8_t *out, uint64_t size);

/* Read records, decapsulate them and count them, those of one link type, while every table has room for a block of them;
 * `number` is that of the first one, and the columns of a block lie in `columns`. */
struct vxlanpkt_stretch vxlanpkt_count_records(const uint8_t *data, uint64_t begin, uint64_t end,
                                               const struct vxlanpkt_section *section,
                                               const struct vxlanpkt_rules *rules, const struct vxlanpkt_counted_by *counts,
                                               uint64_t tables, uint64_t number, uint8_t *columns, uint64_t size);

/* Describe the first IP header of every row. `link_types` may hold no data: then all rows begin with a header of `kind`,
 * else with what its number of 16 bits says. */
int64_t vxlanpkt_traits(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_column *link_types,
                        uint8_t *out, uint64_t size);

/* A number of 64 bits for each row that is chosen, 0 for others, made of its key and, unless `frames` is NULL, its frame. */
int64_t vxlanpkt_digest(const struct vxlanpkt_rows *rows, const struct vxlanpkt_frames *frames, const uint64_t *secrets,
                        uint8_t *out, uint64_t size);

/* Look each row up among the latest ones, which are kept in `memory`; returns how many of them were forgotten early. */
int64_t vxlanpkt_sight(const struct vxlanpkt_sighted *rows, uint8_t *memory, uint64_t memory_size, uint8_t *out,
                       uint64_t size);

/* Maps of prefixes. Keys lie behind each other in 16 bytes each. `put` returns how many there was room for, `drop` how
 * many there were, a list up to how many prefixes from the slot `next` on, each as 32 bytes, and look-ups how many rows
 * have a number. */
int64_t vxlanpkt_put_prefixes(struct vxlanpkt_map *map, const uint8_t *keys, uint64_t count, uint32_t length,
                              const uint32_t *values, int64_t stamp);
int64_t vxlanpkt_drop_prefixes(struct vxlanpkt_map *map, const uint8_t *keys, uint64_t count, uint32_t length);
int64_t vxlanpkt_move_prefixes(const struct vxlanpkt_map *from, struct vxlanpkt_map *to);
int64_t vxlanpkt_settle(struct vxlanpkt_map *map);
int64_t vxlanpkt_list_prefixes(const struct vxlanpkt_map *map, uint64_t *next, int64_t before, uint32_t value,
                               uint8_t *out, uint64_t size);
struct vxlanpkt_mapped vxlanpkt_find_prefix(const struct vxlanpkt_map *map, const uint8_t *key, uint32_t length);
int64_t vxlanpkt_look_up(const struct vxlanpkt_map *map, const struct vxlanpkt_asked *asked, uint8_t *out,
                         uint64_t size);
int64_t vxlanpkt_look_up_macs(const struct vxlanpkt_map *map, const struct vxlanpkt_macs *asked, uint8_t *out,
                              uint64_t size);
int64_t vxlanpkt_refresh_macs(struct vxlanpkt_map *map, const struct vxlanpkt_macs *asked,
                              const struct vxlanpkt_senders *senders, uint8_t *out, uint64_t size);

/* Columns of captures, made of those of a decapsulated batch, which lie in `columns`: see kernel/python/columns.py. These
 * return 0 or the bytes of a text, or why nothing was written. */
int64_t vxlanpkt_known(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames,
                       const int64_t *times, const uint32_t *links, uint64_t count, uint32_t unread, uint8_t *out,
                       uint64_t room);
int64_t vxlanpkt_derived(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames, uint32_t what,
                         uint8_t *out, uint64_t room);
uint64_t vxlanpkt_address_room(const uint8_t *columns, uint64_t size, uint64_t rows, uint32_t which);
int64_t vxlanpkt_address_text(const uint8_t *columns, uint64_t size, uint64_t rows, uint32_t which, uint8_t *out,
                              uint64_t room);
int64_t vxlanpkt_mac_text(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames, uint32_t which,
                          uint8_t *out, uint64_t room);
int64_t vxlanpkt_mac_bytes(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames, uint32_t which,
                           uint8_t *out, uint64_t room);
int64_t vxlanpkt_numbers(uint64_t first, uint64_t rows, uint8_t *out, uint64_t room);
uint64_t vxlanpkt_names_room(const uint32_t *items, uint64_t rows, const int32_t *lengths, uint64_t count);
int64_t vxlanpkt_names(const uint32_t *items, uint64_t rows, const uint64_t *starts, const int32_t *lengths,
                       uint64_t count, const uint8_t *text, uint64_t size, uint8_t *out, uint64_t room);
int64_t vxlanpkt_pick(const uint8_t *columns, uint64_t size, uint64_t rows, const uint32_t *widths, uint64_t count,
                      const uint8_t *mask, uint8_t *out, uint64_t room);

/* Number the addresses of rows from the one numbered `first` on, in 32 bits each: 0 where there is none. Returns the first
 * row whose address has no room among the words, or the number of rows; then words are moved to a larger table (from
 * NULL: a new one is made ready). Their texts are made at the end. */
int64_t vxlanpkt_number_addresses(const uint8_t *columns, uint64_t size, uint64_t rows, uint32_t which, uint64_t first,
                                  struct vxlanpkt_words *words, uint8_t *out, uint64_t room);
int64_t vxlanpkt_number_macs(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames,
                             uint32_t which, uint64_t first, struct vxlanpkt_words *words, uint8_t *out,
                             uint64_t room);
int64_t vxlanpkt_move_words(const struct vxlanpkt_words *from, struct vxlanpkt_words *to);
uint64_t vxlanpkt_words_room(const struct vxlanpkt_words *words);
int64_t vxlanpkt_words_text(const struct vxlanpkt_words *words, uint8_t *out, uint64_t room);

/* Releases of structures that consumers call, from any thread; and the exports that were released since this was asked
 * last. */
void vxlanpkt_release_array(struct vxlanpkt_arrow_array *array);
void vxlanpkt_release_schema(struct vxlanpkt_arrow_schema *schema);
void vxlanpkt_release_stream(struct vxlanpkt_arrow_stream *stream);
struct vxlanpkt_export *vxlanpkt_take_released(struct vxlanpkt_releases *releases);
