/* The flows in the tunnels of a capture: packets, bytes, first and last time by VNI and inner 5-tuple.
 *
 * INPUT is "mapped.h" or "buffered.h".
 */

#include <inttypes.h>

#include INPUT

enum { WORDS = 5, FIRST_SLOTS = 1 << 16 };

/* Two addresses, IPv4 as its mapped form, and behind them VNI, protocol and ports; told apart word by word. */
typedef struct {
    uint64_t words[WORDS];
} Key;

typedef struct {
    Key key;
    uint64_t packets, bytes, first, last;
} Flow;

/* A slot is the number of a flow plus one, with as much of its hash: most others are ruled out without a look at them. */
typedef struct {
    uint32_t hash, flow;
} Slot;

typedef struct {
    Slot *slots;
    Flow *flows;
    size_t mask, count;
} Table;

static void *allocated(size_t count, size_t size)
{
    void *made = calloc(count, size);
    if (!made) {
        die("calloc");
    }
    return made;
}

static Table table_of(size_t slots)
{
    return (Table){allocated(slots, sizeof(Slot)), allocated(slots / 2, sizeof(Flow)), slots - 1, 0};
}

static uint32_t hash_of(const Key *key)
{
    uint64_t hash = 0;
    for (int word = 0; word < WORDS; word++) {
        hash = (hash ^ key->words[word]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

static void put_slot(Table *table, uint32_t hash, uint32_t flow)
{
    size_t at = hash & table->mask;
    while (table->slots[at].flow) {
        at = (at + 1) & table->mask;
    }
    table->slots[at] = (Slot){hash, flow};
}

static void grow(Table *table)
{
    Table larger = table_of(2 * (table->mask + 1));
    for (size_t at = 0; at <= table->mask; at++) {
        if (table->slots[at].flow) {
            put_slot(&larger, table->slots[at].hash, table->slots[at].flow);
        }
    }
    memcpy(larger.flows, table->flows, table->count * sizeof(Flow));
    larger.count = table->count;
    free(table->slots);
    free(table->flows);
    *table = larger;
}

static Flow *flow_of(Table *table, const Key *key, uint64_t now)
{
    uint32_t hash = hash_of(key);
    for (size_t at = hash & table->mask; table->slots[at].flow; at = (at + 1) & table->mask) {
        Flow *flow = &table->flows[table->slots[at].flow - 1];
        if (table->slots[at].hash == hash && memcmp(&flow->key, key, sizeof *key) == 0) {
            return flow;
        }
    }
    if (2 * (table->count + 1) > table->mask) {
        grow(table);
    }
    Flow *flow = &table->flows[table->count++];
    flow->key = *key;
    flow->first = now;
    put_slot(table, hash, (uint32_t)table->count);
    return flow;
}

/* Fill the key of a TCP or UDP packet in a frame; 0 if it is none. */
static int key_of(Bytes inner, uint32_t vni, Key *key)
{
    uint16_t type = 0;
    uint8_t protocol = 0;
    Bytes packet = network_layer(inner, &type);
    Bytes segment = transport_layer(packet, type, &protocol);
    if ((protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP) || segment.size < 4) {
        return 0;
    }
    uint8_t bytes[sizeof *key] = {0};
    if (type == ETHERTYPE_IPV4) {
        memset(bytes + 10, 0xff, 2);
        memset(bytes + 26, 0xff, 2);
        memcpy(bytes + 12, packet.data + 12, 4);
        memcpy(bytes + 28, packet.data + 16, 4);
    } else {
        memcpy(bytes, packet.data + 8, 32);
    }
    memcpy(key, bytes, sizeof *key);
    key->words[4] = (uint64_t)vni << 40 | (uint64_t)protocol << 32 | (uint64_t)load16(segment.data) << 16 |
                    load16(segment.data + 2);
    return 1;
}

static void print_address(FILE *out, const uint8_t *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    for (size_t at = memcmp(address, mapped, sizeof mapped) == 0 ? sizeof mapped : 0; at < 16; at++) {
        fprintf(out, "%02x", address[at]);
    }
}

static void print_flow(FILE *out, const Flow *flow)
{
    uint64_t word = flow->key.words[4];
    uint8_t addresses[32];
    memcpy(addresses, flow->key.words, sizeof addresses);
    fprintf(out, "%" PRIu64 " %u ", word >> 40, (unsigned)(word >> 32 & 0xff));
    print_address(out, addresses);
    fputc(' ', out);
    print_address(out, addresses + 16);
    fprintf(out, " %u %u %" PRIu64 " %" PRIu64 "\n", (unsigned)(word >> 16 & 0xffff), (unsigned)(word & 0xffff),
            flow->packets, flow->bytes);
}

int main(int count, char **arguments)
{
    if (count != 2 && count != 3) {
        fputs("usage: flows CAPTURE [ANSWER]\n", stderr);
        return 2;
    }
    static Input in;
    open_capture(&in, arguments[1]);
    Bytes frame, inner;
    Table table = table_of(FIRST_SLOTS);
    RecordHeader header;
    uint32_t vni;
    Key key;
    while (next_record(&in, &header, &frame)) {
        if (inner_frame(frame, &inner, &vni) && key_of(inner, vni, &key)) {
            uint64_t now = header.seconds * UINT64_C(1000000) + header.fraction;
            Flow *flow = flow_of(&table, &key, now);
            flow->packets++;
            flow->bytes += inner.size;
            flow->last = now;
        }
    }
    if (count == 3) {
        FILE *out = fopen(arguments[2], "w");
        for (size_t at = 0; out && at < table.count; at++) {
            print_flow(out, &table.flows[at]);
        }
        if (!out || fclose(out) != 0) {
            die(arguments[2]);
        }
    }
    printf("%zu flows\n", table.count);
    return 0;
}
