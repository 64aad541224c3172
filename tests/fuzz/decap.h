/* The job DECAP: what must hold of any batch, whatever its rows and its bytes. */

#define BRIEF_COLUMNS(COLUMN) \
    COLUMN(inner_offset) COLUMN(vni) COLUMN(flags) COLUMN(inner_length) COLUMN(inner_original_length) \
    COLUMN(status) COLUMN(notes)

#define FULL_COLUMNS(COLUMN)                                                                                       \
    COLUMN(inner_offset) COLUMN(outer_src) COLUMN(outer_dst) COLUMN(inner_src) COLUMN(inner_dst) COLUMN(vni)       \
    COLUMN(flags) COLUMN(inner_length) COLUMN(inner_original_length) COLUMN(outer_vlan) COLUMN(outer_src_port)     \
    COLUMN(outer_dst_port) COLUMN(inner_link_type) COLUMN(inner_vlan) COLUMN(inner_ethertype)                      \
    COLUMN(inner_src_port) COLUMN(inner_dst_port) COLUMN(inner_tcp_flags) COLUMN(status) COLUMN(notes)             \
    COLUMN(reserved) COLUMN(outer_family) COLUMN(outer_tags) COLUMN(ip_checksum) COLUMN(udp_checksum)              \
    COLUMN(inner_tags) COLUMN(inner_family) COLUMN(inner_protocol) COLUMN(inner_ecn)

/* A column as a field of the record: where it is, and how wide. */
struct place {
    size_t at, width;
};

#define PLACE(name) {offsetof(struct vxlanpkt_record, name), sizeof((struct vxlanpkt_record){.status = 0}).name},
static const struct place BRIEF_PLACES[] = {BRIEF_COLUMNS(PLACE)};
static const struct place FULL_PLACES[] = {FULL_COLUMNS(PLACE)};

struct columns {
    const struct place *places;
    unsigned count;
};
static const struct columns BRIEF = {BRIEF_PLACES, sizeof BRIEF_PLACES / sizeof *BRIEF_PLACES};
static const struct columns FULL = {FULL_PLACES, sizeof FULL_PLACES / sizeof *FULL_PLACES};

static uint64_t row_size(struct columns columns)
{
    uint64_t size = 0;
    for (unsigned which = 0; which < columns.count; which++)
        size += columns.places[which].width;
    return size;
}

/* A row of the columns, which lie behind each other, is this record. */
static void check_columns(struct columns columns, const uint8_t *out, uint64_t rows, uint64_t row,
                          const struct vxlanpkt_record *record)
{
    for (unsigned which = 0; which < columns.count; which++) {
        struct place place = columns.places[which];
        CHECK(!memcmp(out + row * place.width, (const uint8_t *)record + place.at, place.width));
        out += rows * place.width;
    }
}

/* Decapsulate into a buffer of exactly the size needed, after one that is a byte too small was refused. */
static struct block decap_batch(const struct vxlanpkt_frames *frames, uint32_t kind,
                                const struct vxlanpkt_rules *rules, bool brief, int64_t *count)
{
    struct block out = new_block(frames->rows * row_size(brief ? BRIEF : FULL));
    if (out.size) {
        struct block small = new_block(out.size - 1);
        CHECK(vxlanpkt_decap(frames, kind, rules, brief, small.data, small.size) == VXLANPKT_NO_SPACE);
        CHECK(is_untouched(small));
    }
    if (out.size && out.size <= frames->size)
        CHECK(vxlanpkt_decap(frames, kind, rules, brief, frames->data, frames->size) == VXLANPKT_OVERLAP);
    *count = vxlanpkt_decap(frames, kind, rules, brief, out.data, out.size);
    return out;
}

/* An accepted inner frame lies in its row, and lacks no more than the row does. */
static void check_bounds(const struct vxlanpkt_record *record, uint64_t size, uint64_t missing)
{
    CHECK(record->status <= REASON_OUTER_SOURCE);
    if (record->status != REASON_OK) {
        CHECK(!record->inner_length && !record->inner_original_length);
        return;
    }
    CHECK(record->inner_offset <= size && record->inner_length <= size - record->inner_offset);
    CHECK(record->inner_original_length >= record->inner_length);
    CHECK(record->inner_original_length - record->inner_length <= missing);
}

/* The number for an inner frame that is handed out as it is, and no number for others. */
static void check_place(struct block frame, const struct vxlanpkt_rules *rules)
{
    uint64_t place = vxlanpkt_locate_inner(frame.data, frame.size, rules);
    struct vxlanpkt_record record = vxlanpkt_decap_one(frame.data, frame.size, 0, KIND_ETHERNET, rules, NULL);
    bool is_altered = record.notes & (NOTE_STRIPPED | NOTE_REMARKED);
    uint64_t end = record.inner_offset + record.inner_length;
    if (record.status != REASON_OK || is_altered || end > UINT16_MAX)
        CHECK(place == 0);
    else
        CHECK(place >> 32 == record.vni && (place >> 16 & UINT16_MAX) == record.inner_offset
              && (place & UINT16_MAX) == end);
}

/* What one frame alone gives, in a block of its own. */
static struct vxlanpkt_record decap_alone(const uint8_t *frame, uint64_t size, uint64_t missing, uint32_t kind,
                                          const struct vxlanpkt_rules *rules,
                                          const struct vxlanpkt_underlay *underlay)
{
    unsigned mark = block_count;
    struct block alone = copy_of(frame, size);
    struct vxlanpkt_record record = vxlanpkt_decap_one(alone.data, size, missing, kind, rules, underlay);
    CHECK(is_same(alone.data, frame, size));
    check_bounds(&record, size, missing);
    check_place(alone, rules);
    free_blocks(mark);
    return record;
}

/* The record that a row must have. */
static struct vxlanpkt_record expected_record(const struct vxlanpkt_frames *frames, uint64_t row, uint32_t kind,
                                              const struct vxlanpkt_rules *rules)
{
    uint64_t offset = frames->offsets[row];
    uint32_t length = frames->lengths[row];
    uint32_t original = frames->original_lengths ? frames->original_lengths[row] : length;
    if (!is_inside(frames, row))
        return (struct vxlanpkt_record){
            .status = REASON_ROW_OUT_OF_RANGE,
            .outer_vlan = VXLANPKT_UNTAGGED,
            .inner_vlan = VXLANPKT_UNTAGGED,
            .inner_link_type = VXLANPKT_NO_LINK_TYPE,
            .inner_ecn = VXLANPKT_NO_ECN,
        };
    struct vxlanpkt_record record =
        decap_alone(frames->data + offset, length, original > length ? original - length : 0, kind, rules, NULL);
    CHECK(record.status != REASON_ROW_OUT_OF_RANGE);
    if (record.inner_offset) /* it is never 0 where it was reached: a VXLAN header lies before */
        record.inner_offset += offset;
    return record;
}

static void run_decap(struct input *in, const struct head *head)
{
    struct rules drawn = read_rules(in);
    struct underlay around = read_underlay(in);
    const struct vxlanpkt_rules *rules = make_rules(&drawn);
    struct vxlanpkt_underlay underlay = make_underlay(&around);
    struct batch batch = read_batch(in, head);
    const struct vxlanpkt_frames *frames = &batch.frames;
    uint32_t kind = head->kind % 16;
    struct block before = copy_of(frames->data, frames->size);
    struct vxlanpkt_record records[MOST_ROWS];
    int64_t full_count, brief_count, accepted = 0;
    struct block full = decap_batch(&batch.given, kind, rules, false, &full_count);
    struct block brief = decap_batch(&batch.given, kind, rules, true, &brief_count);
    for (uint64_t row = 0; row < frames->rows; row++) {
        struct vxlanpkt_record *record = records + row % batch.drawn;
        if (row < batch.drawn)
            *record = expected_record(frames, row, kind, rules);
        check_columns(FULL, full.data, frames->rows, row, record);
        check_columns(BRIEF, brief.data, frames->rows, row, record);
        accepted += record->status == REASON_OK;
    }
    CHECK(full_count == accepted && brief_count == accepted);
    uint8_t *status = new_items(frames->rows, 1);
    for (uint64_t row = 0; row < frames->rows; row++)
        status[row] = records[row % batch.drawn].status;
    check_select(&batch.given, kind, full, false, status);
    check_select(&batch.given, kind, brief, true, status);
    decap_alone(frames->data, frames->size, missing_bytes(head, frames->size), kind, rules, &underlay);
    CHECK(is_same(frames->data, before.data, before.size));
}
