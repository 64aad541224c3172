/* The jobs ENCAP and HEADER: outer headers of anything, into every place, and back. */

enum { OUTPUT_ROW = 8 + 4 + 1, LONGEST_FRAME = 65535 - 8 - 8 };

/* The folded sum of some bytes, word by word. */
static uint32_t plain_sum(const uint8_t *data, uint64_t size)
{
    uint32_t sum = 0;
    for (uint64_t at = 0; at < size; at++) {
        sum += at & 1 ? data[at] : (uint32_t)data[at] << 8;
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return sum;
}

/* Rules that accept whatever a recipe makes. */
static const struct vxlanpkt_rules *accepting(const struct vxlanpkt_recipe *recipe)
{
    static struct vxlanpkt_rules rules = {.vni_count = 0};
    if (!rules.vni_count)
        memset(rules.ports, 0xFF, sizeof rules.ports);
    rules.vni_count = rules.source_count = -1;
    rules.gpe = recipe->gpe;
    rules.verify_ip_checksum = rules.zero_checksum6 = rules.ip_options = 1;
    /* What is taken from an inner checksum is right only if that one is. */
    rules.verify_udp_checksum = recipe->udp_checksum == UDP_CHECKSUM_FULL;
    return &rules;
}

/* What a tunnel's other end takes out of a packet is the frame that went in. */
static void check_way_back(const uint8_t *packet, uint64_t size, const struct vxlanpkt_recipe *recipe)
{
    uint64_t inner = size - recipe->length;
    const uint8_t *vxlan = packet + recipe->length - 8;
    struct vxlanpkt_record record = decap_alone(packet, size, 0, KIND_ETHERNET, accepting(recipe), NULL);
    /* Where nothing is inside, nothing says which IP it is: it is announced as Ethernet. */
    if (inner < (recipe->gpe && recipe->raw ? 1 : 14)) {
        CHECK(record.status == REASON_INNER_TRUNCATED);
        return;
    }
    CHECK(record.status == REASON_OK);
    CHECK(record.inner_offset == recipe->length && record.inner_length == inner);
    CHECK(record.vni == ((uint32_t)vxlan[4] << 16 | (uint32_t)vxlan[5] << 8 | vxlan[6]));
    CHECK(record.outer_family == recipe->family && !record.notes);
}

/* The header of one frame, or why there is none. */
struct outcome {
    uint32_t reason, length;
    const uint8_t *bytes;
};

static struct outcome encap_alone(struct block frame, const struct vxlanpkt_recipe *recipe, uint32_t identification)
{
    struct vxlanpkt_header *header = new_items(1, sizeof *header);
    uint32_t reason = vxlanpkt_encap_header(frame.data, frame.size, recipe, identification, header);
    return (struct outcome){reason, recipe->length, header->bytes};
}

/* What is expected of a row, before there is any question of room; the header, if it can be sent. */
static struct outcome expected_header(const struct vxlanpkt_frames *frames, const uint8_t *data, uint64_t row,
                                      const struct vxlanpkt_table *table, uint32_t which, uint32_t identification)
{
    struct outcome none = {.reason = REASON_OK};
    if (which == VXLANPKT_NO_TUNNEL)
        none.reason = REASON_NO_TUNNEL;
    else if (which >= table->count)
        none.reason = REASON_TUNNEL_OUT_OF_RANGE;
    else if (!is_inside(frames, row))
        none.reason = REASON_ROW_OUT_OF_RANGE;
    if (none.reason != REASON_OK)
        return none;
    struct block frame = copy_of(data + frames->offsets[row], frames->lengths[row]);
    return encap_alone(frame, table->recipes + which, identification);
}

/* The bytes of all rows that can be sent, or, where they claim more than there is, of those that lie in the buffer. */
static uint64_t total_length(const struct vxlanpkt_frames *frames)
{
    uint64_t claimed = 0, inside = 0;
    for (uint64_t row = 0; row < frames->rows; row++) {
        uint64_t length = frames->lengths[row] > LONGEST_FRAME ? 0 : frames->lengths[row];
        claimed += length;
        inside += is_inside(frames, row) ? length : 0;
    }
    return claimed <= frames->size ? claimed : inside;
}

/* Where output goes, and what it must become: the buffers are compared as a whole in the end. */
struct expected {
    struct block out, frames;
    uint64_t position, floor;
};

static void expect_row(struct expected *expected, uint64_t rows, uint64_t row, uint64_t at, uint32_t length,
                       uint32_t reason)
{
    memcpy(expected->out.data + 8 * row, &at, 8);
    memcpy(expected->out.data + 8 * rows + 4 * row, &length, 4);
    expected->out.data[12 * rows + row] = (uint8_t)reason;
}

/* Put a row where it belongs; returns whether it is sent. */
static bool expect(struct expected *expected, const struct vxlanpkt_frames *frames, uint64_t row,
                   const struct outcome *header, uint32_t mode)
{
    bool in_place = mode == ENCAP_MODE_IN_PLACE;
    uint64_t offset = frames->offsets[row], at = in_place ? offset - header->length : expected->position;
    uint32_t reason = header->reason, kept = mode == ENCAP_MODE_HEADERS ? 0 : frames->lengths[row];
    uint8_t *out = expected->out.data + OUTPUT_ROW * frames->rows;
    if (reason == REASON_OK && in_place && (offset < header->length || at < expected->floor))
        reason = REASON_NO_ROOM;
    if (in_place && is_inside(frames, row) && offset + frames->lengths[row] > expected->floor)
        expected->floor = offset + frames->lengths[row];
    if (reason != REASON_OK) {
        expect_row(expected, frames->rows, row, expected->position, 0, reason);
        return false;
    }
    expect_row(expected, frames->rows, row, at, header->length + kept, REASON_OK);
    memcpy((in_place ? expected->frames.data : out) + at, header->bytes, header->length);
    if (!in_place) {
        if (kept)
            memcpy(out + at + header->length, frames->data + offset, kept);
        expected->position += header->length + kept;
    }
    return true;
}

/* Encapsulate as `mode` says, and compare every byte of the output and of the frames with what is expected. */
static void check_mode(const struct batch *batch, const struct vxlanpkt_table *table, bool has_index,
                       int64_t identification, uint32_t mode)
{
    const struct vxlanpkt_frames *given = &batch->frames;
    const uint32_t *index = has_index ? batch->given_index : NULL;
    struct vxlanpkt_frames frames = batch->given;
    frames.data = copy_of(given->data, given->size).data;
    uint64_t size = OUTPUT_ROW * frames.rows;
    if (mode != ENCAP_MODE_IN_PLACE)
        size += frames.rows * table->largest + (mode == ENCAP_MODE_COPY ? total_length(given) : 0);
    struct block out = new_block(size), small = new_block(size ? size - 1 : 0);
    struct expected expected = {new_block(size), copy_of(given->data, given->size), 0, 0};
    if (size)
        CHECK(vxlanpkt_encap(&frames, table, index, identification, mode, small.data, small.size)
              == VXLANPKT_NO_SPACE);
    if (size && size <= frames.size)
        CHECK(vxlanpkt_encap(&frames, table, index, identification, mode, frames.data, frames.size)
              == VXLANPKT_OVERLAP);
    CHECK(is_untouched(small) && is_same(frames.data, given->data, given->size));
    int64_t count = vxlanpkt_encap(&frames, table, index, identification, mode, out.data, out.size), accepted = 0;
    for (uint64_t row = 0; row < frames.rows; row++) {
        uint32_t which = has_index ? batch->index[row] : 0;
        unsigned mark = block_count;
        uint64_t at = expected.position;
        uint32_t number = identification < 0 ? 0 : (uint32_t)(identification + (int64_t)row) & 0xFFFF;
        /* In place, what later rows hold may have become a header of an earlier one. */
        struct outcome header = expected_header(given, expected.frames.data, row, table, which, number);
        bool is_sent = expect(&expected, given, row, &header, mode);
        accepted += is_sent;
        if (is_sent && mode == ENCAP_MODE_COPY && row < batch->drawn)
            check_way_back(expected.out.data + OUTPUT_ROW * frames.rows + at, expected.position - at,
                           table->recipes + which);
        free_blocks(mark);
    }
    CHECK(count == accepted);
    CHECK(is_same(out.data, expected.out.data, size));
    CHECK(is_same(frames.data, expected.frames.data, frames.size));
}

static void run_encap(struct input *in, const struct head *head)
{
    struct vxlanpkt_recipe recipes[MOST_RECIPES];
    uint64_t count = head->options & OPTION_TWO_RECIPES ? 2 : 1, largest = 0;
    bool has_index = head->options & OPTION_INDEX;
    if (head->options & OPTION_NO_RECIPE)
        count = 0;
    for (uint64_t which = 0; which < count; which++) {
        struct recipe drawn = read_recipe(in);
        recipes[which] = make_recipe(&drawn);
        largest = recipes[which].length > largest ? recipes[which].length : largest;
    }
    struct vxlanpkt_table table = {copy_items(recipes, count, sizeof *recipes), count, largest};
    struct batch batch = read_batch(in, head);
    int64_t identification = head->options & OPTION_NO_IDENTIFICATION ? -1 : (int64_t)(head->number & 0xFFFF);
    CHECK(vxlanpkt_total_length(&batch.given) == total_length(&batch.frames));
    for (uint32_t mode = ENCAP_MODE_COPY; mode <= ENCAP_MODE_HEADERS; mode++) {
        unsigned mark = block_count;
        check_mode(&batch, &table, has_index, identification, mode);
        free_blocks(mark);
    }
}

static void run_header(struct input *in, const struct head *head)
{
    struct recipe drawn = read_recipe(in);
    struct block data = take_data(in);
    struct vxlanpkt_recipe *recipe = new_items(1, sizeof *recipe);
    *recipe = make_recipe(&drawn);
    bool is_ipv4 = recipe->family == 4;
    struct outcome header = encap_alone(data, recipe, head->number & 0xFFFF);
    uint32_t clears = vxlanpkt_clears_df(data.data, data.size, recipe);
    for (uint32_t symmetric = 0; symmetric < 2; symmetric++)
        for (uint32_t raw = 0; raw < 2; raw++)
            vxlanpkt_flow_hash(data.data, data.size, symmetric, raw);
    CHECK(vxlanpkt_sum(data.data, data.size) == plain_sum(data.data, data.size));
    bool fits = data.size <= LONGEST_FRAME - (is_ipv4 ? 20u : 0u);
    CHECK(header.reason == (fits ? REASON_OK : REASON_INNER_TOO_LONG));
    if (!fits)
        return;
    const uint8_t *ip = header.bytes + recipe->ip_offset, *udp = header.bytes + recipe->length - 16;
    uint32_t port = (uint32_t)udp[0] << 8 | udp[1];
    CHECK(port >= recipe->low_port && port < recipe->high_port);
    CHECK(is_ipv4 ? plain_sum(ip, 20) == 0xFFFF && clears == !(ip[6] & 0x40) : !clears);
}
