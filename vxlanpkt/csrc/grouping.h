/* Rows of a batch counted by the key that some of their columns make: the twin of kernel/python/grouping.py.
 *
 * Groups lie behind each other in the order in which they were met, each with its key and its counts in one place, as
 * a row that is counted touches both. Behind them lies an index, a hash table with open addressing: a slot holds 32
 * bits of a hash and the number of a group plus 1, or 0. At most half of the slots are taken.
 *
 * Keys come from strangers. The hash is keyed with secrets that they do not know, so that nobody can choose keys that
 * meet in the same slots. Whatever the memory holds, no number in it is followed out of bounds, and no search is
 * endless.
 */

enum { KEY_WORDS = VXLANPKT_LARGEST_KEY / 8, COUNT_WORDS = 7 };
enum { PACKETS, BYTES, OTHER_BYTES, FIRST_TIME, LAST_TIME, ALL_FLAGS, FIRST_NUMBER };

/* Rows are taken so many at a time, so that what one needs of memory is fetched while others are worked on. */
enum { GROUP_BLOCK = 32 };

struct group_table {
    uint8_t *entries;
    item64 *slots;
    uint64_t slot_count, capacity, count, key_words, entry_size, left_out;
    bool closed;
};

struct group_block {
    uint64_t rows[GROUP_BLOCK];
    uint64_t keys[GROUP_BLOCK][KEY_WORDS];
    uint32_t hashes[GROUP_BLOCK];
    uint64_t count;
};

INLINE uint64_t entry_size_of(uint64_t key_size) { return (key_size + 7) / 8 * 8 + 8 * COUNT_WORDS; }

/* The parts of a table; false where its memory has no room for them. */
INLINE bool open_table(const struct vxlanpkt_groups *groups, struct group_table *table)
{
    uint64_t entry_size = entry_size_of(groups->key_size);
    if (groups->key_size > VXLANPKT_LARGEST_KEY || groups->capacity > UINT32_MAX || groups->count > groups->capacity
        || groups->size / (entry_size + 16) < groups->capacity)
        return false;
    *table = (struct group_table){
        .entries = groups->memory,
        .slots = (item64 *)(groups->memory + groups->capacity * entry_size),
        .slot_count = 2 * groups->capacity,
        .capacity = groups->capacity,
        .count = groups->count,
        .key_words = (groups->key_size + 7) / 8,
        .entry_size = entry_size,
        .left_out = groups->left_out,
        .closed = groups->closed != 0,
    };
    return true;
}

/* -- keys */

INLINE void gather(uint8_t *to, const uint8_t *from, const struct group_block *block, uint64_t width)
{
    for (uint64_t at = 0; at < block->count; at++)
        memcpy(to + VXLANPKT_LARGEST_KEY * at, from + width * block->rows[at], width);
}

/* Put a column into the keys of a block: with a constant width a copy is one move. */
static void gather_column(const struct vxlanpkt_column *column, struct group_block *block, uint64_t offset)
{
    uint8_t *to = (uint8_t *)block->keys + offset;
    switch (column->width) {
    case 1: gather(to, column->data, block, 1); break;
    case 2: gather(to, column->data, block, 2); break;
    case 4: gather(to, column->data, block, 4); break;
    case 8: gather(to, column->data, block, 8); break;
    case 16: gather(to, column->data, block, 16); break;
    default: gather(to, column->data, block, column->width);
    }
}

/* Pairs of words are mixed each with secrets of its own, then all of them once more. A key ends with zeros, which are
 * mixed too. */
INLINE uint32_t hash_key(const uint64_t *key, uint64_t words, const uint64_t *secrets)
{
    uint64_t mixed = secrets[KEY_WORDS];
    for (uint64_t at = 0; at < words; at += 2)
        mixed ^= mix(key[at] ^ secrets[at], key[at + 1] ^ secrets[at + 1]);
    return (uint32_t)(mix(mixed, secrets[KEY_WORDS + 1]) >> 32);
}

INLINE bool is_same_key(const uint8_t *entry, const uint64_t *key, uint64_t words)
{
    uint64_t differ = 0;
    for (uint64_t at = 0; at < words; at++)
        differ |= ((const item64 *)entry)[at] ^ key[at];
    return differ == 0;
}

/* -- the index */

INLINE uint64_t first_slot(const struct group_table *table, uint32_t hash)
{
    return (uint64_t)hash * table->slot_count >> 32;
}

/* The number of the group that has a key; or the number of groups, and the slot where its own would go. */
INLINE uint64_t find_group(const struct group_table *table, const uint64_t *key, uint32_t hash, uint64_t *place)
{
    uint64_t at = first_slot(table, hash);
    for (uint64_t tried = 0; tried < table->slot_count; tried++) {
        uint64_t slot = table->slots[at], group = (uint32_t)slot - 1;
        if (!slot) {
            *place = at;
            break;
        }
        if (slot >> 32 == hash && group < table->count
            && is_same_key(table->entries + group * table->entry_size, key, table->key_words))
            return group;
        if (++at == table->slot_count)
            at = 0;
    }
    return table->count;
}

/* Have the group fetched that a hash probably leads to. */
INLINE void prefetch_group(const struct group_table *table, uint32_t hash)
{
    uint64_t group = (uint32_t)table->slots[first_slot(table, hash)] - 1;
    if (group < table->count) {
        const uint8_t *entry = table->entries + group * table->entry_size;
        PREFETCH(entry);
        PREFETCH(entry + table->entry_size - 1);
    }
}

/* The number of the group that has a key, a new one if need be; the capacity where there is no room for that. */
INLINE uint64_t claim_group(struct group_table *table, const uint64_t *key, uint32_t hash)
{
    uint64_t place = table->slot_count, group = find_group(table, key, hash, &place);
    if (group < table->count)
        return group;
    if (group == table->capacity || place == table->slot_count)
        return table->capacity;
    item64 *words = (item64 *)(table->entries + group * table->entry_size);
    for (uint64_t at = 0; at < table->key_words; at++)
        words[at] = key[at];
    table->slots[place] = (uint64_t)hash << 32 | (group + 1);
    table->count++;
    return group;
}

/* -- counts */

/* The group of a row, a new one if need be; NULL if there is no room for that. */
INLINE uint8_t *group_of(struct group_table *table, const uint64_t *key, uint32_t hash, uint64_t number)
{
    uint64_t before = table->count, group = claim_group(table, key, hash);
    uint8_t *entry = table->entries + group * table->entry_size;
    if (group < before)
        return entry;
    if (group == table->capacity)
        return NULL;
    item64 *counts = (item64 *)entry + table->key_words;
    for (uint64_t at = 0; at < COUNT_WORDS; at++)
        counts[at] = 0;
    counts[FIRST_TIME] = counts[LAST_TIME] = (uint64_t)INT64_MIN;
    counts[FIRST_NUMBER] = number;
    return entry;
}

INLINE uint32_t item32_of(const struct vxlanpkt_column *column, uint64_t row)
{
    return column->data ? ((const item32 *)column->data)[row] : 0;
}

INLINE uint32_t item16_of(const struct vxlanpkt_column *column, uint64_t row)
{
    uint16_t value = 0;
    if (column->data)
        memcpy(&value, column->data + 2 * row, 2);
    return value;
}

/* Where there is no time, neither the first nor the last one becomes it: it is the least of all, and one less than that,
 * unsigned, the greatest. */
INLINE void count_time(item64 *counts, uint64_t time)
{
    const uint64_t sign = (uint64_t)1 << 63;
    if ((time ^ sign) - 1 < (counts[FIRST_TIME] ^ sign) - 1)
        counts[FIRST_TIME] = time;
    if ((time ^ sign) > (counts[LAST_TIME] ^ sign))
        counts[LAST_TIME] = time;
}

INLINE void count_row(item64 *counts, const struct vxlanpkt_rows *rows, uint64_t row)
{
    counts[PACKETS] += 1;
    counts[BYTES] += item32_of(&rows->lengths, row);
    counts[OTHER_BYTES] += item32_of(&rows->other_lengths, row);
    counts[ALL_FLAGS] |= item16_of(&rows->flags, row);
    if (rows->timestamps.data)
        count_time(counts, ((const item64 *)rows->timestamps.data)[row]);
}

/* -- batches */

/* The next rows that are to be counted, up to a block of them; returns the row behind them. */
INLINE uint64_t choose_rows(const struct vxlanpkt_rows *rows, uint64_t row, struct group_block *block)
{
    const uint8_t *selected = rows->selected.data, *status = rows->status.data;
    block->count = 0;
    for (; row < rows->count && block->count < GROUP_BLOCK; row++) {
        block->rows[block->count] = row;
        block->count += (!selected || selected[row]) && (!status || status[row] == REASON_OK);
    }
    return row;
}

/* Count a block; returns how many of its rows there was room for. */
INLINE uint64_t count_block(const struct vxlanpkt_rows *rows, struct group_table *table, struct group_block *block,
                            const uint64_t *secrets)
{
    if (!table->capacity) { /* there is no slot that could be looked at */
        table->left_out += table->closed ? block->count : 0;
        return table->closed ? block->count : 0;
    }
    for (uint64_t at = 0, offset = 0; at < rows->key_columns; offset += rows->key[at++].width)
        gather_column(rows->key + at, block, offset);
    for (uint64_t at = 0; at < block->count; at++) {
        block->hashes[at] = hash_key(block->keys[at], table->key_words, secrets);
        PREFETCH((const void *)(table->slots + first_slot(table, block->hashes[at])));
    }
    for (uint64_t at = 0; at < block->count; at++)
        prefetch_group(table, block->hashes[at]);
    for (uint64_t at = 0; at < block->count; at++) {
        uint8_t *entry = group_of(table, block->keys[at], block->hashes[at], rows->number + block->rows[at]);
        if (!entry && !table->closed)
            return at;
        table->left_out += !entry;
        if (entry)
            count_row((item64 *)entry + table->key_words, rows, block->rows[at]);
    }
    return block->count;
}

/* Whether a column has an item of this width for each row; one that is not there has none. */
INLINE bool fits(const struct vxlanpkt_column *column, uint64_t rows, uint64_t width)
{
    return !column->data || (column->width == width && column->size / width >= rows);
}

/* Whether every column has an item for each row. */
static bool have_all_rows(const struct vxlanpkt_rows *rows)
{
    if (rows->key_columns > VXLANPKT_KEY_COLUMNS)
        return false;
    for (uint64_t at = 0; at < rows->key_columns; at++) {
        uint64_t width = rows->key[at].width;
        bool is_there = rows->key[at].data || !rows->count;
        if (!is_there || !width || width > VXLANPKT_LARGEST_KEY || !fits(rows->key + at, rows->count, width))
            return false;
    }
    return fits(&rows->lengths, rows->count, 4) && fits(&rows->other_lengths, rows->count, 4)
           && fits(&rows->timestamps, rows->count, 8) && fits(&rows->flags, rows->count, 2)
           && fits(&rows->selected, rows->count, 1) && fits(&rows->status, rows->count, 1);
}

static bool are_sound(const struct vxlanpkt_rows *rows, uint64_t key_size)
{
    uint64_t size = 0;
    for (uint64_t at = 0; at < rows->key_columns && at < VXLANPKT_KEY_COLUMNS; at++)
        size += rows->key[at].width;
    return size == key_size && key_size <= VXLANPKT_LARGEST_KEY && have_all_rows(rows);
}

INLINE bool shares_column(const uint8_t *out, uint64_t size, const struct vxlanpkt_column *column)
{
    return column->data && overlap(out, size, column->data, column->size);
}

/* Whether an output shares memory with the columns of rows that are to be counted. */
static bool shares_rows(const uint8_t *out, uint64_t size, const struct vxlanpkt_rows *rows)
{
    for (uint64_t at = 0; at < rows->key_columns && at < VXLANPKT_KEY_COLUMNS; at++)
        if (shares_column(out, size, rows->key + at))
            return true;
    return shares_column(out, size, &rows->lengths) || shares_column(out, size, &rows->other_lengths)
           || shares_column(out, size, &rows->timestamps) || shares_column(out, size, &rows->flags)
           || shares_column(out, size, &rows->selected) || shares_column(out, size, &rows->status);
}

INLINE uint64_t group_rows(const struct vxlanpkt_rows *rows, uint64_t row, struct vxlanpkt_groups *groups,
                           struct group_table table)
{
    struct group_block block = {0}; /* keys end with zeros */
    uint64_t counted = 0;
    while (row < rows->count && counted == block.count) {
        row = choose_rows(rows, row, &block);
        counted = count_block(rows, &table, &block, groups->secrets);
    }
    groups->count = table.count;
    groups->left_out = table.left_out;
    return counted < block.count ? block.rows[counted] : rows->count;
}

/* Put the groups of one table, in the same order, into an empty one. */
static void move_groups(const struct group_table *from, const struct group_table *to)
{
    memset((void *)to->slots, 0, 8 * to->slot_count);
    if (!from)
        return;
    memcpy(to->entries, from->entries, from->count * from->entry_size);
    for (uint64_t at = 0; at < from->slot_count; at++) {
        uint64_t slot = from->slots[at], place = first_slot(to, (uint32_t)(slot >> 32));
        if (!slot)
            continue;
        while (to->slots[place]) /* one is free: there are as many as in the old table, or more */
            place = place + 1 == to->slot_count ? 0 : place + 1;
        to->slots[place] = slot;
    }
}

/* The number of the bucket that a time lies in: times are divided, and rounded down. */
static void put_buckets(const uint8_t *times, uint64_t rows, int64_t width, uint8_t *out)
{
    /* The bucket that came last is most often the next one too: its first time, and how many of its times there are. */
    int64_t bucket = 0, begin = 0;
    uint64_t span = 0;
    for (uint64_t row = 0; row < rows; row++) {
        int64_t time = (int64_t)((const item64 *)times)[row];
        if ((uint64_t)time - (uint64_t)begin >= span) {
            bucket = time / width - (time % width < 0);
            begin = (int64_t)((uint64_t)bucket * (uint64_t)width);
            span = begin > time ? 0 : smaller((uint64_t)width, (uint64_t)INT64_MAX - (uint64_t)begin + 1);
        }
        ((item64 *)out)[row] = (uint64_t)(time == INT64_MIN ? INT64_MIN : bucket);
    }
}

/* Which group each key has; its number, or VXLANPKT_NO_GROUP. */
static void put_numbers(const struct group_table *table, const uint64_t *secrets, const struct vxlanpkt_column *keys,
                        uint8_t *out)
{
    uint64_t key[KEY_WORDS] = {0}, place;
    for (uint64_t row = 0; row < keys->size / keys->width; row++) {
        memcpy(key, keys->data + keys->width * row, keys->width);
        uint64_t group = find_group(table, key, hash_key(key, table->key_words, secrets), &place);
        ((item32 *)out)[row] = group < table->count ? (uint32_t)group : VXLANPKT_NO_GROUP;
    }
}
