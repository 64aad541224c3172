/* The job GROUP: groups are those that a search through all rows finds, however often the table has to grow; and a table
 * that somebody wrote over does no harm.
 */

enum { MOST_GROUPED = 200, KEYS = 4, COUNTED = 6, COUNTS = 7 };

/* Lengths, other lengths, timestamps, flags, selected, status. */
static const uint8_t COUNTED_WIDTHS[COUNTED] = {4, 4, 8, 2, 1, 1};

/* What is known of a group: the first row that has its key, and its counts. */
struct expected_group {
    uint64_t row;
    uint64_t counts[COUNTS];
};

static struct vxlanpkt_column take_column(const uint8_t **at, uint64_t rows, uint64_t width, bool unaligned)
{
    struct vxlanpkt_column column = {give(*at, rows * width, unaligned), rows * width, width};
    *at += rows * width;
    return column;
}

/* Columns behind each other, of as many rows as the data have. Returns the size of the key. */
static uint64_t take_rows(const struct group_section *drawn, const struct head *head, struct block data,
                          struct vxlanpkt_rows *rows)
{
    const uint8_t widths[KEYS] = {drawn->width_a, drawn->width_b, drawn->width_c, drawn->width_d};
    struct vxlanpkt_column *counted[COUNTED] = {&rows->lengths, &rows->other_lengths, &rows->timestamps,
                                                &rows->flags,   &rows->selected,      &rows->status};
    bool unaligned = head->options & OPTION_UNALIGNED;
    uint64_t key_size = 0, row_size = 0;
    const uint8_t *at = data.data;
    for (int which = 0; which < KEYS; which++)
        key_size += widths[which];
    for (int which = 0; which < COUNTED; which++)
        row_size += drawn->given >> which & 1 ? COUNTED_WIDTHS[which] : 0;
    rows->count = data.size / (key_size + row_size ? key_size + row_size : 1);
    if (rows->count > MOST_GROUPED)
        rows->count = MOST_GROUPED;
    for (int which = 0; which < KEYS; which++)
        if (widths[which])
            rows->key[rows->key_columns++] = take_column(&at, rows->count, widths[which], unaligned);
    for (int which = 0; which < COUNTED; which++)
        if (drawn->given >> which & 1)
            *counted[which] = take_column(&at, rows->count, COUNTED_WIDTHS[which], unaligned);
    return key_size;
}

/* The keys of all rows behind each other. */
static struct vxlanpkt_column all_keys(const struct vxlanpkt_rows *rows, uint64_t key_size)
{
    struct block keys = new_block(rows->count * key_size);
    for (uint64_t row = 0, at = 0; row < rows->count; row++)
        for (uint64_t which = 0; which < rows->key_columns; at += rows->key[which++].width)
            memcpy(keys.data + at, rows->key[which].data + rows->key[which].width * row, rows->key[which].width);
    return (struct vxlanpkt_column){keys.data, keys.size, key_size};
}

/* An item of a column as a number; 0 where there is none. */
static uint64_t item_of(const struct vxlanpkt_column *column, uint64_t row)
{
    uint64_t wide = 0;
    uint32_t word = 0;
    uint16_t half = 0;
    if (!column->data)
        return 0;
    const uint8_t *at = column->data + column->width * row;
    switch (column->width) {
    case 8: memcpy(&wide, at, 8); return wide;
    case 4: memcpy(&word, at, 4); return word;
    case 2: memcpy(&half, at, 2); return half;
    default: return *at;
    }
}

/* The number of the group that has the key of a row; `count` if there is none. */
static uint64_t search(const struct expected_group *groups, uint64_t count, const struct vxlanpkt_column *keys,
                       uint64_t row)
{
    for (uint64_t number = 0; number < count; number++)
        if (is_same(keys->data + keys->width * groups[number].row, keys->data + keys->width * row, keys->width))
            return number;
    return count;
}

static uint64_t count_slowly(const struct vxlanpkt_rows *rows, uint64_t first, const struct vxlanpkt_column *keys,
                             struct expected_group *groups)
{
    const uint64_t none = (uint64_t)INT64_MIN;
    uint64_t count = 0;
    for (uint64_t row = first; row < rows->count; row++) {
        if ((rows->selected.data && !rows->selected.data[row]) || item_of(&rows->status, row) != REASON_OK)
            continue;
        uint64_t number = search(groups, count, keys, row);
        uint64_t *counts = groups[number].counts;
        if (number == count)
            groups[count++] = (struct expected_group){row, {0, 0, 0, none, none, 0, rows->number + row}};
        counts[0]++;
        counts[1] += item_of(&rows->lengths, row);
        counts[2] += item_of(&rows->other_lengths, row);
        uint64_t time = rows->timestamps.data ? item_of(&rows->timestamps, row) : none;
        if (time != none && (counts[3] == none || (int64_t)time < (int64_t)counts[3]))
            counts[3] = time;
        if ((int64_t)time > (int64_t)counts[4])
            counts[4] = time;
        counts[5] |= item_of(&rows->flags, row);
    }
    return count;
}

/* A new table, after one with a byte too little was refused. */
static struct vxlanpkt_groups new_table(uint64_t capacity, uint64_t key_size, uint64_t secret)
{
    struct block memory = new_block(capacity * ((key_size + 7) / 8 * 8 + 8 * COUNTS + 16));
    struct vxlanpkt_groups table = {
        .memory = memory.data, .size = memory.size, .capacity = capacity, .key_size = key_size};
    for (uint64_t which = 0; which < 10; which++)
        table.secrets[which] = secret * (2 * which + 1);
    if (memory.size) {
        table.size--;
        CHECK(vxlanpkt_move_groups(NULL, &table) == VXLANPKT_NO_SPACE && is_untouched(memory));
        table.size++;
    }
    CHECK(vxlanpkt_move_groups(NULL, &table) == 0);
    return table;
}

static void check_groups(const struct vxlanpkt_groups *table, const struct expected_group *groups, uint64_t count,
                         const struct vxlanpkt_column *keys)
{
    uint64_t padded = (table->key_size + 7) / 8 * 8;
    CHECK(table->count == count);
    for (uint64_t number = 0; number < count; number++) {
        const uint8_t *entry = table->memory + number * (padded + 8 * COUNTS);
        CHECK(is_same(entry, keys->data + keys->width * groups[number].row, keys->width));
        for (uint64_t at = keys->width; at < padded; at++)
            CHECK(!entry[at]);
        CHECK(is_same(entry + padded, groups[number].counts, 8 * COUNTS));
    }
}

static void check_numbers(const struct vxlanpkt_groups *table, const struct expected_group *groups, uint64_t count,
                          const struct vxlanpkt_column *keys, uint64_t rows)
{
    struct block numbers = new_block(4 * rows);
    CHECK(vxlanpkt_find_groups(table, keys, numbers.data, numbers.size) == (int64_t)rows);
    for (uint64_t row = 0; row < rows; row++) {
        uint32_t number;
        uint64_t wanted = search(groups, count, keys, row);
        memcpy(&number, numbers.data + 4 * row, 4);
        CHECK(number == (wanted < count ? wanted : VXLANPKT_NO_GROUP));
    }
}

static void check_buckets(const struct vxlanpkt_column *times, uint64_t rows, int64_t width)
{
    struct block out = new_block(8 * rows);
    CHECK(vxlanpkt_bucket(times, width, out.data, out.size) == (int64_t)rows);
    for (uint64_t row = 0; row < rows; row++) {
        int64_t bucket, time = (int64_t)item_of(times, row);
        memcpy(&bucket, out.data + 8 * row, 8);
        CHECK(bucket == (time == INT64_MIN ? time : time / width - (time % width < 0)));
    }
}

/* A closed table has the groups that were met first, and counts the rows of all others. */
static void check_closed(const struct vxlanpkt_rows *rows, uint64_t first, const struct expected_group *groups,
                         uint64_t count, const struct vxlanpkt_column *keys, uint64_t capacity, uint64_t secret)
{
    struct vxlanpkt_groups table = new_table(capacity, keys->width, secret);
    uint64_t kept = count < capacity ? count : capacity, left_out = 0;
    table.closed = 1;
    CHECK(vxlanpkt_group(rows, first, &table) == (int64_t)rows->count);
    check_groups(&table, groups, kept, keys);
    for (uint64_t number = kept; number < count; number++)
        left_out += groups[number].counts[0];
    CHECK(table.left_out == left_out);
}

/* Whatever a table holds, and however many groups it says that it has, nothing goes out of bounds or on for ever. */
static void use_broken_table(const struct vxlanpkt_rows *rows, const struct vxlanpkt_column *keys, uint64_t capacity,
                             uint64_t count, struct block data)
{
    struct vxlanpkt_groups table = new_table(capacity, keys->width, 0), larger = new_table(capacity + 3, keys->width, 0);
    for (uint64_t at = 0; at < table.size && data.size; at++)
        table.memory[at] = data.data[at % data.size];
    table.count = count;
    table.closed = count & 1;
    int64_t at = vxlanpkt_group(rows, 0, &table);
    CHECK(count > capacity ? at == VXLANPKT_NO_SPACE : at >= 0 && at <= (int64_t)rows->count);
    struct block numbers = new_block(4 * rows->count);
    if (keys->width)
        vxlanpkt_find_groups(&table, keys, numbers.data, numbers.size);
    vxlanpkt_move_groups(&table, &larger);
}

static void run_group(struct input *in, const struct head *head)
{
    struct group_section drawn = read_group_section(in);
    struct block data = take_data(in);
    struct vxlanpkt_rows rows = {.count = 0, .number = head->number};
    uint64_t key_size = take_rows(&drawn, head, data, &rows), first = drawn.first;
    struct vxlanpkt_column keys = all_keys(&rows, key_size);
    if (key_size > VXLANPKT_LARGEST_KEY) {
        struct vxlanpkt_groups table = {.key_size = key_size};
        CHECK(vxlanpkt_group(&rows, first, &table) == VXLANPKT_WRONG_COLUMNS);
        return;
    }
    static struct expected_group expected[MOST_GROUPED + 1];
    uint64_t count = count_slowly(&rows, first, &keys, expected);
    unsigned mark = block_count;
    struct vxlanpkt_groups table = new_table(drawn.capacity, key_size, head->number);
    int64_t at = (int64_t)first;
    while ((at = vxlanpkt_group(&rows, (uint64_t)at, &table)) < (int64_t)rows.count) {
        CHECK(at >= 0 && table.count == table.capacity);
        struct vxlanpkt_groups larger = new_table(2 * table.capacity + 1, key_size, head->number);
        CHECK(vxlanpkt_move_groups(&table, &larger) == (int64_t)table.count);
        table = larger;
    }
    CHECK(at == (int64_t)rows.count);
    check_groups(&table, expected, count, &keys);
    if (key_size)
        check_numbers(&table, expected, count, &keys, rows.count);
    if (table.size)
        CHECK(vxlanpkt_find_groups(&table, &keys, table.memory, table.size) == VXLANPKT_OVERLAP);
    if (rows.timestamps.data)
        check_buckets(&rows.timestamps, rows.count, (int64_t)head->number + 1);
    check_closed(&rows, first, expected, count, &keys, drawn.capacity, head->number);
    free_blocks(mark);
    use_broken_table(&rows, &keys, drawn.capacity, drawn.count, data);
}
