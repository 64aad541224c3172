/* The job WALK: the headers that a walk finds lie in each other, and a scan of each alone says the same. */

enum { START = 0, HEADER_END = 1, END = 2, KEY = 3, MISSING = 4, PLACE_ITEMS = 5 };

/* Where a header may lie. */
struct range {
    uint64_t start, end, missing;
};

static void check_fault(const struct vxlanpkt_walk *found)
{
    CHECK(found->reason && found->reason < REASON_NO_ROOM && found->field <= FIELD_DATA_OFFSET && !found->more);
}

/* A header lies in its range, and a scan of that range in a block of its own gives it again. */
static void check_header(const uint8_t *data, char kind, const int64_t *place, struct range in, uint32_t reading)
{
    CHECK(kind >= 0 && kind < KIND_RAW && place[START] == (int64_t)in.start);
    CHECK(place[START] <= place[HEADER_END] && place[HEADER_END] <= place[END] && place[END] <= (int64_t)in.end);
    CHECK(place[KEY] >= VXLANPKT_NO_KEY && place[MISSING] >= 0);
    unsigned mark = block_count;
    struct block alone = copy_of(data + in.start, in.end - in.start);
    struct vxlanpkt_walk found =
        vxlanpkt_scan(alone.data, 0, alone.size, in.missing, (uint32_t)kind, reading);
    CHECK(!found.reason && found.count == 1 && !found.more && found.kinds[0] == kind);
    for (int item = START; item < PLACE_ITEMS; item++)
        CHECK(found.places[item] + (item <= END ? (int64_t)in.start : 0) == place[item]);
    free_blocks(mark);
}

/* Walk from the first byte, and on as long as there is more. */
static void check_walk(struct block data, uint32_t kind, uint64_t missing, const uint8_t *ports, uint32_t tunnels,
                       uint32_t reading)
{
    struct range in = {0, data.size, missing};
    struct vxlanpkt_walk found;
    do {
        uint32_t count =
            vxlanpkt_walk(data.data, in.start, in.end, in.missing, kind, ports, tunnels, reading, &found);
        CHECK(found.count <= VXLANPKT_WALK_ROWS && count == (found.more || found.reason ? 0 : found.count));
        for (uint32_t number = 0; number < found.count; number++) {
            const int64_t *place = found.places + PLACE_ITEMS * (size_t)number;
            check_header(data.data, found.kinds[number], place, in, reading);
            in = (struct range){(uint64_t)place[HEADER_END], (uint64_t)place[END], (uint64_t)place[MISSING]};
        }
        kind = found.kind;
        tunnels = found.tunnels;
        CHECK(!found.more || found.count == VXLANPKT_WALK_ROWS);
    } while (found.more);
    if (found.reason)
        check_fault(&found);
}

static void run_walk(struct input *in, const struct head *head)
{
    static uint8_t *ports;
    struct walk_section drawn = read_walk_section(in);
    struct block data = take_data(in);
    uint32_t kind = head->kind % 16;
    uint64_t missing = missing_bytes(head, data.size);
    uint32_t reading = head->options & OPTION_ANY_LENGTH ? READING_CAPTURED
                       : head->options & OPTION_BY_IP    ? READING_IP
                                                         : READING_STRICT;
    if (!ports) {
        ports = malloc(65536);
        CHECK(ports);
        memset(ports, KIND_NOTHING, 65536);
        ports[4789] = ports[8472] = KIND_VXLAN;
        ports[4790] = KIND_VXLANGPE;
    }
    uint8_t usual = ports[drawn.port];
    ports[drawn.port] = drawn.port_kind % KIND_RAW;
    check_walk(data, kind, missing, ports, drawn.tunnels, reading);
    ports[drawn.port] = usual;
    uint64_t end = drawn.end < data.size ? drawn.end : data.size, start = drawn.start < end ? drawn.start : end;
    struct vxlanpkt_walk found = vxlanpkt_scan(data.data, start, end, missing, kind, reading);
    if (found.reason)
        check_fault(&found);
    else
        check_header(data.data, found.kinds[0], found.places, (struct range){start, end, missing}, reading);
}
