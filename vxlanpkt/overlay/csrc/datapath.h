/* What the packet loops and their Python side hand each other. The compiler and cffi read this same text. */

/* Stands for the declarations below, as VXLANPKT_CONTRACT does for the kernel's: tests/overlay computes it. */
#define VXLANPKT_DATAPATH 0x997DE15C

#define DATAPATH_HEADERS 64
#define DATAPATH_LARGEST_HEADER 256
#define DATAPATH_BUFFER 69632
#define DATAPATH_SENDERS 64
#define DATAPATH_EVENTS 64
#define DATAPATH_EVENT_BYTES 600
#define DATAPATH_REASONS 256
#define DATAPATH_COUNTS 34
#define DATAPATH_NO_PEER 4294967295
#define DATAPATH_PREFIXES 129
#define DATAPATH_SOURCE 255
#define DATAPATH_STATION 254

/* Why a loop came back: all but the first two are the end of its queue. */
enum vxlanpkt_halt {
    HALT_STOPPED = 0,
    HALT_EVENTS = 1,
    HALT_DEVICE_GONE = 2,
    HALT_SOCKET_GONE = 3
};

enum vxlanpkt_event_kind {
    EVENT_UNKNOWN_DESTINATION = 1,
    EVENT_TOO_BIG = 2,
    EVENT_TIME_EXCEEDED = 3
};

/* What is counted: the names, in small letters, are those of Python's side. */
enum vxlanpkt_count {
    COUNT_DEVICE_READS = 0,
    COUNT_DEVICE_BYTES = 1,
    COUNT_SENDS = 2,
    COUNT_SENT_DATAGRAMS = 3,
    COUNT_SENT_BYTES = 4,
    COUNT_SEGMENTED = 5,
    COUNT_CHECKSUMS_FINISHED = 6,
    COUNT_FLOODED = 7,
    COUNT_GROUP_DROPPED = 8,
    COUNT_UNKNOWN_DESTINATION = 9,
    COUNT_UNSOUND_FRAMES = 10,
    COUNT_TIME_EXCEEDED = 11,
    COUNT_TOO_BIG = 12,
    COUNT_NO_BUFFERS = 13,
    COUNT_SEND_BUFFER_FULL = 14,
    COUNT_SEND_ERRORS = 15,
    COUNT_SEGMENTATION_REFUSED = 16,
    COUNT_RECEIVES = 17,
    COUNT_RECEIVED_DATAGRAMS = 18,
    COUNT_RECEIVED_BYTES = 19,
    COUNT_RECEIVE_TRUNCATED = 20,
    COUNT_RECEIVE_ERRORS = 21,
    COUNT_DEVICE_WRITES = 22,
    COUNT_WRITTEN_BYTES = 23,
    COUNT_COALESCED = 24,
    COUNT_UNFINISHED_CHECKSUMS = 25,
    COUNT_LONG_FRAMES = 26,
    COUNT_BOUNDARIES_LOST = 27,
    COUNT_WRITE_ERRORS = 28,
    COUNT_READ_ERRORS = 29,
    COUNT_EVENTS = 30,
    COUNT_EVENTS_LOST = 31,
    COUNT_TUNNEL_GSO_FRAMES = 32,
    COUNT_TUNNEL_GSO_REFUSED = 33
};

/* struct virtio_net_hdr, as it stands before each frame: numbers in the machine's own order. */
struct vxlanpkt_offload {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_length;
    uint16_t gso_size;
    uint16_t checksum_start;
    uint16_t checksum_offset;
};

/* One peer: its recipe, of which the fields are used that a UDP socket leaves open (NULL for bare IP), and its address. */
struct vxlanpkt_peer {
    const void *recipe;
    uint8_t address[28];
    uint32_t address_length;
};

/* What frames that leave as one are addressed to, and by whom: the MAC addresses of the next hop and of the interface
 * below, behind each other; and the longest IP packet on the way. It never changes. */
struct vxlanpkt_next_hop {
    uint8_t macs[12];
    uint32_t mtu;
};

/* A place of the hash table: a prefix of an address, a station's MAC address (DATAPATH_STATION), or the address that a
 * peer sends from (DATAPATH_SOURCE). IPv4 is in its mapped form, a MAC address in the first 6 bytes. */
struct vxlanpkt_place {
    uint8_t key[16];
    uint32_t length;
    uint32_t peer;
};

/* All that is known of the peers, and the rules for what they send and for what others do (NULL for bare IP). It never
 * changes but for the next hop of each peer (NULL where none has any, or this one has not): a queue is given another one. `lengths` are those of the prefixes,
 * the longest first; the number of places is a power of two, and one at least is free (peer DATAPATH_NO_PEER). */
struct vxlanpkt_peers {
    const void *rules;
    const void *rules_for_strangers;
    const struct vxlanpkt_peer *peers;
    const struct vxlanpkt_place *places;
    const uint32_t *flood;
    const struct vxlanpkt_next_hop **next_hops;
    uint64_t seed;
    uint32_t place_count;
    uint32_t flood_count;
    uint32_t length_count;
    uint8_t lengths[129];
};

/* Something that Python is told of: the first bytes of a packet that went nowhere, and the peer's address, if there is
 * one. `inward` is 1 where it came from a peer. */
struct vxlanpkt_event {
    uint32_t kind;
    uint32_t error;
    uint32_t length;
    uint32_t inward;
    uint8_t address[28];
    uint8_t head[600];
};

/* One queue of the device and what goes with it. A loop alone writes to `in_use`, the counts and the events; others may
 * read them at any time. `peers` and `stopping` are written by others. `sender_ports` are those of the senders. `sent` has room for frames that wait and for one
 * more. */
struct vxlanpkt_queue {
    const struct vxlanpkt_peers *peers;
    const struct vxlanpkt_peers *in_use;
    int32_t device;
    int32_t receiver;
    int32_t stop;
    int32_t stopping;
    int32_t senders[64];
    uint16_t sender_ports[64];
    int32_t tunnel_gso;
    uint32_t sender_count;
    uint32_t mtu;
    uint8_t raw;
    uint8_t vnet_header;
    uint8_t long_frames4;
    uint8_t long_frames6;
    uint8_t ipv6;
    uint8_t ttl;
    uint8_t groups_segments;
    uint32_t segmentation_pause;
    uint32_t tunnel_gso_pause;
    uint32_t tunnel_gso_turn;
    uint32_t event_count;
    uint64_t event_time;
    uint64_t counts[34];
    uint64_t reasons[256];
    struct vxlanpkt_event events[64];
    uint8_t headers[16896];
    uint8_t sent[139264];
    uint8_t received[69632];
};

uint32_t vxlanpkt_datapath_kernel(void);
uint32_t vxlanpkt_datapath_run(struct vxlanpkt_queue *queue);
void vxlanpkt_datapath_use(struct vxlanpkt_queue *queue, const struct vxlanpkt_peers *peers);
const struct vxlanpkt_peers *vxlanpkt_datapath_in_use(const struct vxlanpkt_queue *queue);
void vxlanpkt_datapath_stop(struct vxlanpkt_queue *queue);
void vxlanpkt_set_next_hop(const struct vxlanpkt_peers *peers, uint32_t number, const struct vxlanpkt_next_hop *hop);

uint32_t vxlanpkt_fill_places(struct vxlanpkt_place *places, uint32_t place_count, uint64_t seed,
                              const struct vxlanpkt_place *items, uint32_t count);
uint32_t vxlanpkt_find_peer(const struct vxlanpkt_peers *peers, const uint8_t *key, uint32_t length);
uint32_t vxlanpkt_find_route(const struct vxlanpkt_peers *peers, const uint8_t *address, uint32_t is_ipv4);

/* The parts of the loops that need no device, for tests and for whoever wants them: they return the bytes written. */
int64_t vxlanpkt_cut_frame(const uint8_t *frame, uint64_t size, uint32_t raw, const struct vxlanpkt_offload *offload,
                           uint8_t *out, uint64_t out_size, uint32_t *lengths, uint32_t most);
uint32_t vxlanpkt_finish_checksum(uint8_t *frame, uint64_t size, const struct vxlanpkt_offload *offload);
uint32_t vxlanpkt_describe_frame(uint8_t *frame, uint64_t size, uint32_t raw, uint32_t mtu,
                                 struct vxlanpkt_offload *offload);
int64_t vxlanpkt_join_frames(uint8_t *data, const uint32_t *lengths, uint32_t count, uint32_t raw,
                             struct vxlanpkt_offload *offloads, uint8_t *out, uint64_t out_size, uint32_t *out_lengths);
