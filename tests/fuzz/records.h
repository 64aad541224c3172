/* The job RECORDS: records lie in the data behind each other, what is written is theirs alone, reading them one by one
 * gives the same, and counting them counts as many.
 */

enum { MOST_INTERFACES = 3, RECORD_ROW = 3 * 8 + 6 * 4 + 2 };
#define FINEST_UNITS 1000000000000000000u

/* Columns in their order: offset, raw_timestamp, timestamp_ns, captured_length, original_length, length, frame_length,
 * interface, options_length, fcs_length, timed. */
static const uint8_t RECORD_WIDTHS[] = {8, 8, 8, 4, 4, 4, 4, 4, 4, 1, 1};
enum { RECORD_COLUMNS = sizeof RECORD_WIDTHS };
enum { AT_OFFSET = 0, AT_CAPTURED = 3, AT_LENGTH = 5, AT_FRAME = 6, AT_INTERFACE = 7 };

static uint64_t record_item(struct block out, uint64_t rows, int which, uint64_t row)
{
    const uint8_t *at = out.data;
    uint64_t wide = 0;
    uint32_t word = 0;
    for (int before = 0; before < which; before++)
        at += rows * RECORD_WIDTHS[before];
    at += row * RECORD_WIDTHS[which];
    switch (RECORD_WIDTHS[which]) {
    case 8: memcpy(&wide, at, 8); return wide;
    case 4: memcpy(&word, at, 4); return word;
    default: return *at;
    }
}

/* Nothing was written behind the last row of any column. */
static void check_rest(struct block out, uint64_t rows, uint64_t written)
{
    uint8_t *at = out.data;
    for (int which = 0; which < RECORD_COLUMNS; which++) {
        uint64_t width = RECORD_WIDTHS[which];
        CHECK(is_untouched((struct block){at + written * width, (rows - written) * width}));
        at += rows * width;
    }
}

static void check_stretch(struct block data, uint64_t begin, uint64_t rows, const struct vxlanpkt_stretch *found)
{
    CHECK(found->rows <= rows && begin <= found->position && found->position <= data.size);
    switch (found->stop) {
    case STOP_CUT: CHECK(found->needed > data.size - found->position); break;
    case STOP_FULL: CHECK(!found->needed && (found->rows || !rows)); break;
    default: CHECK(found->stop == STOP_LOOK);
    }
}

/* Each row lies behind the one before, and is what is read of it alone. */
static void check_records(struct block data, uint64_t begin, const struct vxlanpkt_section *section, struct block out,
                          uint64_t rows, const struct vxlanpkt_stretch *found)
{
    uint64_t before = begin, next = begin;
    unsigned mark = block_count;
    for (uint64_t row = 0; row < found->rows; row++) {
        uint64_t offset = record_item(out, rows, AT_OFFSET, row), captured = record_item(out, rows, AT_CAPTURED, row);
        uint64_t length = record_item(out, rows, AT_LENGTH, row);
        CHECK(before < offset && captured <= found->position && offset <= found->position - captured);
        CHECK(length <= captured && length <= record_item(out, rows, AT_FRAME, row));
        CHECK(record_item(out, rows, AT_INTERFACE, row) - section->first < section->count);
        before = offset + captured;
        struct block one = new_block(RECORD_ROW);
        struct vxlanpkt_stretch alone = vxlanpkt_read_records(data.data, next, data.size, section, one.data, 1);
        CHECK(alone.rows == 1 && alone.stop == STOP_FULL && alone.link_type == found->link_type);
        for (int which = 0; which < RECORD_COLUMNS; which++)
            CHECK(record_item(one, 1, which, 0) == record_item(out, rows, which, row));
        next = alone.position;
        free_blocks(mark);
    }
}

/* Where columns lie that records are counted by. */
enum { AT_VNI = RECORD_ROW + 8 + 64, AT_FLOW_ETHERTYPE = RECORD_ROW + 117, AT_CUT_OFF = AT_FLOW_ETHERTYPE + 2 };

/* As many records are counted as can be read at once, and each of them once. */
static void check_counts(struct block data, uint64_t begin, const struct vxlanpkt_section *section)
{
    static const struct vxlanpkt_rules rules = {
        .vni_count = -1, .source_count = -1, .lengths = LENGTHS_SNAPPED, .ports = {[4789 / 8] = 1 << 4789 % 8}};
    uint64_t most = data.size / 12 + 1, packets = 0;
    struct block out = new_block(most * RECORD_ROW), columns = new_block(VXLANPKT_COUNTED_ROWS * (AT_CUT_OFF + 1));
    struct vxlanpkt_groups table = new_table(most + VXLANPKT_COUNTED_ROWS, 7, 1);
    struct vxlanpkt_counted_by count = {
        .groups = &table, .key_columns = 3, .key = {AT_VNI, AT_FLOW_ETHERTYPE, AT_CUT_OFF}, .widths = {4, 2, 1},
        .lengths = VXLANPKT_NO_COLUMN, .other_lengths = VXLANPKT_NO_COLUMN, .timestamps = VXLANPKT_NO_COLUMN,
        .flags = VXLANPKT_NO_COLUMN, .status = VXLANPKT_NO_COLUMN};
    struct vxlanpkt_stretch read = vxlanpkt_read_records(data.data, begin, data.size, section, out.data, most);
    struct vxlanpkt_stretch counted = vxlanpkt_count_records(data.data, begin, data.size, section, &rules, &count, 1, 1,
                                                             columns.data, columns.size);
    CHECK(counted.rows == read.rows && counted.position == read.position && counted.stop == read.stop);
    CHECK(counted.needed == read.needed && (!read.rows || counted.link_type == read.link_type));
    for (uint64_t number = 0; number < table.count; number++) {
        uint64_t of_group;
        memcpy(&of_group, table.memory + number * (8 + 8 * COUNTS) + 8, 8);
        packets += of_group;
    }
    CHECK(packets == counted.rows);
    CHECK(vxlanpkt_count_records(data.data, begin, data.size, section, &rules, &count, 1, 1, columns.data,
                                 columns.size - 1).stop == STOP_UNFIT);
}

static void run_records(struct input *in, const struct head *head)
{
    struct records_section drawn = read_records_section(in);
    uint64_t count = drawn.interfaces % (MOST_INTERFACES + 1);
    bool pcapng = drawn.container & 1;
    if (!count && !pcapng)
        count = 1;
    struct vxlanpkt_interface *interfaces = new_items(count, sizeof *interfaces);
    for (uint64_t which = 0; which < count; which++) {
        struct interface_section each = read_interface_section(in);
        uint64_t units = pcapng ? each.units : each.units & 1 ? 1000000000 : 1000000;
        interfaces[which] = (struct vxlanpkt_interface){
            units <= FINEST_UNITS ? units : 0, (int64_t)each.offset, each.link_type, each.snaplen, each.fcslen,
            each.link_type & 1 ? KIND_ETHERNET : KIND_RAW};
    }
    struct vxlanpkt_section section = {interfaces, count, drawn.first, drawn.limit, pcapng, drawn.container >> 1 & 1};
    struct block data = take_data(in);
    uint64_t begin = drawn.begin < data.size ? drawn.begin : data.size, rows = head->rows;
    struct block out = new_block(rows * RECORD_ROW);
    struct vxlanpkt_stretch found = vxlanpkt_read_records(data.data, begin, data.size, &section, out.data, rows);
    check_stretch(data, begin, rows, &found);
    check_rest(out, rows, found.rows);
    check_records(data, begin, &section, out, rows, &found);
    check_counts(data, begin, &section);
}
