/* Records of a capture counted as they are read, a block at a time: the twin of kernel/python/counting.py.
 *
 * The columns of a block stay in the processor's first caches, and nothing is handed to the caller between its passes. A
 * table whose memory somebody has written over may count less than there was, but does no harm.
 */

enum { DERIVED_ROW = 2 + 1, COUNTED_ROW = RECORD_ROW + FULL_ROW + DERIVED_ROW, BLOCK_ROWS = VXLANPKT_COUNTED_ROWS };

/* A block of records: where its columns lie. There is room for BLOCK_ROWS in each, but those of decapsulation lie as close
 * as there are rows. */
struct counted_block {
    uint8_t *records, *decapsulated, *derived;
    uint64_t rows, number;
};

INLINE struct counted_block block_in(uint8_t *columns)
{
    uint8_t *decapsulated = columns + BLOCK_ROWS * RECORD_ROW;
    return (struct counted_block){columns, decapsulated, decapsulated + BLOCK_ROWS * FULL_ROW, 0, 0};
}

/* A column, by the bytes of a row in the columns before it. */
INLINE struct vxlanpkt_column counted_column(const struct counted_block *block, uint64_t place, uint64_t width)
{
    struct vxlanpkt_column column = {NULL, block->rows * width, width};
    if (place == VXLANPKT_NO_COLUMN)
        return column;
    if (place < RECORD_ROW)
        column.data = block->records + BLOCK_ROWS * place;
    else if (place < RECORD_ROW + FULL_ROW)
        column.data = block->decapsulated + block->rows * (place - RECORD_ROW);
    else
        column.data = block->derived + BLOCK_ROWS * (place - RECORD_ROW - FULL_ROW);
    return column;
}

INLINE bool is_counted_place(uint64_t place, uint64_t width, bool needed)
{
    if (place == VXLANPKT_NO_COLUMN)
        return !needed;
    return width && width <= VXLANPKT_LARGEST_KEY && place <= COUNTED_ROW && width <= COUNTED_ROW - place;
}

/* Whether a count asks for columns that there are, with a key of the table's size. */
static bool is_sound_count(const struct vxlanpkt_counted_by *count)
{
    uint64_t size = 0;
    if (count->key_columns > VXLANPKT_KEY_COLUMNS)
        return false;
    for (uint64_t at = 0; at < count->key_columns; at++) {
        if (!is_counted_place(count->key[at], count->widths[at], true))
            return false;
        size += count->widths[at];
    }
    return size == count->groups->key_size && is_counted_place(count->lengths, 4, false)
           && is_counted_place(count->other_lengths, 4, false) && is_counted_place(count->timestamps, 8, false)
           && is_counted_place(count->flags, 2, false) && is_counted_place(count->status, 1, false);
}

/* Whether everything that is to be written is apart from everything else, and has the room that it says. */
static bool are_fit_counts(const uint8_t *data, uint64_t size, const struct vxlanpkt_counted_by *counts, uint64_t tables,
                           const uint8_t *columns, uint64_t columns_size)
{
    struct group_table table;
    if (columns_size / COUNTED_ROW < BLOCK_ROWS || overlap(columns, columns_size, data, size))
        return false;
    for (uint64_t at = 0; at < tables; at++) {
        const struct vxlanpkt_groups *groups = counts[at].groups;
        if (!is_sound_count(counts + at) || !open_table(groups, &table)
            || overlap(groups->memory, groups->size, data, size)
            || overlap(groups->memory, groups->size, columns, columns_size))
            return false;
        for (uint64_t other = 0; other < at; other++)
            if (overlap(groups->memory, groups->size, counts[other].groups->memory, counts[other].groups->size))
                return false;
    }
    return true;
}

/* Whether every table has room for a block whose rows are all new to it. */
INLINE bool have_room(const struct vxlanpkt_counted_by *counts, uint64_t tables)
{
    for (uint64_t at = 0; at < tables; at++)
        if (!counts[at].groups->closed && counts[at].groups->capacity - counts[at].groups->count < BLOCK_ROWS)
            return false;
    return true;
}

static void count_in(const struct counted_block *block, const struct vxlanpkt_counted_by *count)
{
    struct group_table table;
    struct vxlanpkt_rows rows = {.count = block->rows, .key_columns = count->key_columns, .number = block->number};
    for (uint64_t at = 0; at < count->key_columns; at++)
        rows.key[at] = counted_column(block, count->key[at], count->widths[at]);
    rows.lengths = counted_column(block, count->lengths, 4);
    rows.other_lengths = counted_column(block, count->other_lengths, 4);
    rows.timestamps = counted_column(block, count->timestamps, 8);
    rows.flags = counted_column(block, count->flags, 2);
    rows.status = counted_column(block, count->status, 1);
    if (open_table(count->groups, &table))
        group_rows(&rows, 0, count->groups, table);
}

/* Decapsulate the records of a block, which lie in `data`, and count them. */
INLINE void count_read(const struct vxlanpkt_section *section, const struct vxlanpkt_rules *rules,
                                   const struct counted_block *block, uint8_t *data, uint64_t size)
{
    const struct record_columns of = lay_out_records(block->records, BLOCK_ROWS);
    const struct vxlanpkt_frames frames = {data, size, of.offset, of.length, of.frame_length, block->rows};
    uint64_t index = of.interface[0] - section->first;
    decap_batch(&frames, index < section->count ? section->interfaces[index].kind : KIND_NOTHING, rules, true,
                block->decapsulated);
    put_derived(block->decapsulated, &frames, DERIVED_FLOW_ETHERTYPE, block->derived);
    put_derived(block->decapsulated, &frames, DERIVED_CUT_OFF, block->derived + 2 * BLOCK_ROWS);
}

static struct vxlanpkt_stretch count_records(uint8_t *data, uint64_t begin, uint64_t end,
                                             const struct vxlanpkt_section *section, const struct vxlanpkt_rules *rules,
                                             const struct vxlanpkt_counted_by *counts, uint64_t tables, uint64_t number,
                                             uint8_t *columns)
{
    struct vxlanpkt_stretch all = {0, begin, 0, STOP_FULL, 0};
    struct counted_block block = block_in(columns);
    while (have_room(counts, tables)) {
        struct vxlanpkt_stretch found = read_records(data, all.position, end, section, columns, BLOCK_ROWS);
        if (found.rows) {
            if (all.rows && found.link_type != all.link_type)
                break;
            block.rows = found.rows;
            block.number = number + all.rows;
            count_read(section, rules, &block, data, end);
            for (uint64_t at = 0; at < tables; at++)
                count_in(&block, counts + at);
            all.link_type = found.link_type;
            all.rows += found.rows;
        }
        all.position = found.position;
        all.needed = found.needed;
        all.stop = found.stop;
        if (found.stop != STOP_FULL)
            break;
    }
    return all;
}
