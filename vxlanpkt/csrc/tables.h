/* Numbers found by the longest prefix of a key: the twin of kernel/python/tables.py.
 *
 * One hash table with open addressing holds the prefixes of all lengths; at most half of its slots are taken. The
 * lengths are searched by bisection (Waldvogel, Varghese, Turner, Plattner: Scalable High Speed IP Routing Lookups): a hit
 * says that the answer is this long or longer. So that a hit is sure where a longer prefix is, each has markers in front
 * of it, and a marker holds the number of the longest prefix that is shorter than it. With one length, as with MAC
 * addresses, this is one probe. How long a search takes depends on how many lengths there are, and on memory: never on
 * the number of prefixes.
 *
 * Keys come from strangers: the hash is keyed with secrets. Rows are taken in blocks, so that the slots of one are
 * fetched while others are compared. Whatever the memory holds, no search in it is endless or leaves it.
 */

enum { MAP_BLOCK = 32, SLOT = 32, LONGEST_PREFIX = 128 };

/* Of a slot's state: it is taken; by a prefix; by a marker. */
enum { TAKEN = 1, IS_PREFIX = 2, IS_MARKER = 4 };

struct key {
    uint64_t high, low;
};

struct slot {
    struct key key;
    uint32_t value;
    uint8_t length;
    uint8_t state;
    uint8_t zero[2];
    int64_t stamp;
};

struct prefix_map {
    uint8_t *slots;
    uint64_t count; /* of slots */
    const uint64_t *secrets;
    const uint8_t *lengths;
    uint64_t length_count;
    uint32_t none;
};

struct map_block {
    uint64_t rows[MAP_BLOCK];
    struct key keys[MAP_BLOCK];
    uint32_t values[MAP_BLOCK];
    uint64_t count;
};

/* The parts of a map, from the first cache line in its memory on; false where it is not sound. */
INLINE bool open_map(const struct vxlanpkt_map *map, struct prefix_map *to)
{
    uint64_t skipped = (64 - ((uintptr_t)map->memory & 63)) & 63;
    uint64_t lengths = smaller(map->length_count, LONGEST_PREFIX);
    if (map->size < skipped || map->slots > UINT32_MAX || (map->size - skipped) / SLOT < map->slots
        || lengths != map->length_count || map->used > map->slots)
        return false;
    for (uint64_t at = 0; at < lengths; at++)
        if (map->lengths[at] > LONGEST_PREFIX || map->lengths[at] <= (at ? map->lengths[at - 1] : 0))
            return false;
    *to = (struct prefix_map){map->memory + skipped, map->slots / 2 * 2, map->secrets, map->lengths, lengths, map->none};
    return true;
}

INLINE struct slot read_slot(const struct prefix_map *map, uint64_t at)
{
    struct slot slot;
    memcpy(&slot, map->slots + SLOT * at, SLOT);
    return slot;
}

INLINE void write_slot(const struct prefix_map *map, uint64_t at, const struct slot *slot)
{
    memcpy(map->slots + SLOT * at, slot, SLOT);
}

/* -- keys */

INLINE struct key cut_key(struct key key, uint64_t length)
{
    if (length >= 64)
        key.low = length == 64 ? 0 : key.low & ~(uint64_t)0 << (128 - length);
    else {
        key.high = length ? key.high & ~(uint64_t)0 << (64 - length) : 0;
        key.low = 0;
    }
    return key;
}

/* A key of up to 16 bytes, its rest being zeros. */
INLINE struct key load_key(const uint8_t *at, uint64_t width)
{
    if (width == 4)
        return (struct key){(uint64_t)load32(at) << 32, 0};
    uint8_t bytes[16] = {0};
    memcpy(bytes, at, width);
    return (struct key){load64(bytes), load64(bytes + 8)};
}

/* The slot that a search begins at: the first of two in a cache line. */
INLINE uint64_t home_of(const struct prefix_map *map, struct key key, uint64_t length)
{
    uint64_t mixed = mix(key.high ^ map->secrets[0], key.low ^ map->secrets[1]) ^ map->secrets[2] ^ length;
    return ((mix(mixed, map->secrets[3]) >> 32) * (map->count / 2) >> 32) * 2;
}

/* Whether a search ends at a slot: it is free, or has the prefix or its marker. */
INLINE bool ends_at(const struct slot *slot, struct key key, uint64_t length)
{
    return !slot->state || (slot->key.high == key.high && slot->key.low == key.low && slot->length == length);
}

/* Where a prefix or its marker is, or where it would go; the number of slots if there is neither. */
INLINE uint64_t seek(const struct prefix_map *map, struct key key, uint64_t length, uint64_t home, struct slot *found)
{
    uint64_t at = home;
    for (uint64_t tried = 0; tried < map->count; tried++) {
        *found = read_slot(map, at);
        if (ends_at(found, key, length))
            return at;
        if (++at == map->count)
            at = 0;
    }
    *found = (struct slot){.state = 0};
    return map->count;
}

/* The number of the longest prefix among the first lengths, one length after the other. */
static uint32_t descend(const struct prefix_map *map, struct key key, uint64_t lengths)
{
    struct slot found;
    while (lengths--) {
        struct key cut = cut_key(key, map->lengths[lengths]);
        seek(map, cut, map->lengths[lengths], home_of(map, cut, map->lengths[lengths]), &found);
        if (found.state & IS_PREFIX)
            return found.value;
    }
    return VXLANPKT_NO_VALUE;
}

/* -- changes */

static uint64_t number_of_length(const struct prefix_map *map, uint64_t length)
{
    uint64_t at = 0;
    while (at < map->length_count && map->lengths[at] != length)
        at++;
    return at;
}

/* Make sure that a bisection meets the prefix of this length; returns the slots that were free before. */
static uint64_t put_markers(const struct prefix_map *map, struct key key, uint64_t number, uint64_t *longest)
{
    uint64_t low = 0, high = map->length_count, taken = 0;
    struct slot found;
    for (uint64_t middle = high / 2; middle != number && low < high; middle = (low + high) / 2) {
        uint64_t length = map->lengths[middle];
        if (middle > number) {
            high = middle;
            continue;
        }
        struct key cut = cut_key(key, length);
        uint64_t at = seek(map, cut, length, home_of(map, cut, length), &found);
        low = middle + 1;
        *longest = larger(*longest, length);
        if (at == map->count || found.state & IS_MARKER)
            continue;
        if (!found.state) {
            taken++;
            found = (struct slot){cut, descend(map, cut, middle), (uint8_t)length, TAKEN, {0, 0}, 0};
        }
        found.state |= IS_MARKER;
        write_slot(map, at, &found);
    }
    return taken;
}

/* Put a prefix, or give it another number; false where there may be no room for it and its markers. */
static bool put_prefix(struct vxlanpkt_map *to, const struct prefix_map *map, struct key key, uint64_t number,
                       uint32_t value, int64_t stamp)
{
    uint64_t length = map->lengths[number];
    struct slot found;
    key = cut_key(key, length);
    uint64_t at = seek(map, key, length, home_of(map, key, length), &found);
    if (!(found.state & IS_PREFIX)) {
        if (at == map->count || to->used + 9 > map->count - map->count / 2)
            return false;
        to->used += !found.state;
        to->count++;
    }
    found = (struct slot){key, value, (uint8_t)length, (uint8_t)(found.state | TAKEN | IS_PREFIX), {0, 0}, stamp};
    write_slot(map, at, &found);
    uint64_t longest = to->longest_marker;
    to->used += put_markers(map, key, number, &longest);
    to->longest_marker = (uint32_t)longest;
    if (to->longest_marker > length)
        to->stale = 1;
    return true;
}

/* Free a slot, and move those back that would not be found any more. */
static void free_slot(const struct prefix_map *map, uint64_t hole)
{
    const struct slot empty = {.state = 0};
    uint64_t at = hole;
    for (uint64_t tried = 1; tried < map->count; tried++) {
        if (++at == map->count)
            at = 0;
        struct slot slot = read_slot(map, at);
        if (!slot.state)
            break;
        uint64_t home = home_of(map, slot.key, slot.length);
        uint64_t from_home = at >= home ? at - home : at + map->count - home;
        uint64_t from_hole = at >= hole ? at - hole : at + map->count - hole;
        if (from_home >= from_hole) {
            write_slot(map, hole, &slot);
            hole = at;
        }
    }
    write_slot(map, hole, &empty);
}

static bool drop_prefix(struct vxlanpkt_map *from, const struct prefix_map *map, struct key key, uint64_t number)
{
    uint64_t length = map->lengths[number];
    struct slot found;
    key = cut_key(key, length);
    uint64_t at = seek(map, key, length, home_of(map, key, length), &found);
    if (!(found.state & IS_PREFIX))
        return false;
    from->count -= from->count > 0;
    if (found.state & IS_MARKER) {
        found.state = TAKEN | IS_MARKER;
        found.value = descend(map, key, number);
        write_slot(map, at, &found);
    } else {
        from->used -= from->used > 0;
        free_slot(map, at);
    }
    if (from->longest_marker > length)
        from->stale = 1;
    return true;
}

/* Have every marker hold the number that belongs to it. */
static void settle_markers(const struct prefix_map *map)
{
    for (uint64_t at = 0; at < map->count; at++) {
        struct slot slot = read_slot(map, at);
        if ((slot.state & (IS_MARKER | IS_PREFIX)) != IS_MARKER)
            continue;
        slot.value = descend(map, slot.key, number_of_length(map, slot.length));
        write_slot(map, at, &slot);
    }
}

/* -- batches */

/* Where the search of each row of a block stands: between two lengths, and at which slot. */
struct bisection {
    uint64_t low[MAP_BLOCK], high[MAP_BLOCK], homes[MAP_BLOCK], late[MAP_BLOCK];
    struct key cut[MAP_BLOCK];
};

/* Go on among the longer lengths, or the shorter ones. */
INLINE void turn(struct bisection *to, struct map_block *block, uint64_t at, const struct slot *found, int64_t oldest)
{
    uint64_t middle = (to->low[at] + to->high[at]) / 2;
    if (found->state && (found->stamp >= oldest || !(found->state & IS_PREFIX))) {
        block->values[at] = found->value;
        to->low[at] = middle + 1;
    } else
        to->high[at] = middle;
}

/* One step of each search. Those that do not end in their first cache line go on when the next one was fetched. */
INLINE void step_block(const struct prefix_map *map, struct map_block *block, struct bisection *to, int64_t oldest)
{
    uint64_t late = 0;
    struct slot found;
    for (uint64_t at = 0; at < block->count; at++) {
        if (to->low[at] >= to->high[at])
            continue;
        uint64_t length = map->lengths[(to->low[at] + to->high[at]) / 2];
        to->cut[at] = cut_key(block->keys[at], length);
        to->homes[at] = home_of(map, to->cut[at], length);
        PREFETCH(map->slots + SLOT * to->homes[at]);
    }
    for (uint64_t at = 0; at < block->count; at++) {
        if (to->low[at] >= to->high[at])
            continue;
        uint64_t length = map->lengths[(to->low[at] + to->high[at]) / 2], home = to->homes[at];
        found = read_slot(map, home);
        if (!ends_at(&found, to->cut[at], length)) {
            found = read_slot(map, home + 1);
            if (!ends_at(&found, to->cut[at], length)) {
                to->homes[at] = home + 2 == map->count ? 0 : home + 2;
                PREFETCH(map->slots + SLOT * to->homes[at]);
                to->late[late++] = at;
                continue;
            }
        }
        turn(to, block, at, &found, oldest);
    }
    for (uint64_t number = 0; number < late; number++) {
        uint64_t at = to->late[number];
        seek(map, to->cut[at], map->lengths[(to->low[at] + to->high[at]) / 2], to->homes[at], &found);
        turn(to, block, at, &found, oldest);
    }
}

/* Find the numbers of a block of keys. */
INLINE void bisect_block(const struct prefix_map *map, struct map_block *block, int64_t oldest)
{
    struct bisection to;
    for (uint64_t at = 0; at < block->count; at++) {
        to.low[at] = 0;
        to.high[at] = map->length_count;
        block->values[at] = VXLANPKT_NO_VALUE;
    }
    for (uint64_t left = map->length_count; left; left >>= 1)
        step_block(map, block, &to, oldest);
}

INLINE void find_block(const struct prefix_map *map, struct map_block *block, bool stale, int64_t oldest)
{
    if (!map->count || !map->length_count)
        for (uint64_t at = 0; at < block->count; at++)
            block->values[at] = VXLANPKT_NO_VALUE;
    else if (stale)
        for (uint64_t at = 0; at < block->count; at++)
            block->values[at] = descend(map, block->keys[at], map->length_count);
    else
        bisect_block(map, block, oldest);
    for (uint64_t at = 0; at < block->count; at++)
        if (block->values[at] == VXLANPKT_NO_VALUE)
            block->values[at] = map->none;
}

/* Whether each row has a key, inside of its item, and a family where these are asked for. */
static bool are_keys(const struct vxlanpkt_asked *asked)
{
    return asked->width <= 16 && asked->offset <= asked->stride && asked->width <= asked->stride - asked->offset
           && (!asked->stride || asked->keys_size / asked->stride >= asked->rows)
           && (!asked->families || asked->family_count >= asked->rows);
}

/* The numbers of keys that lie in a column of items, or only of those of one family. */
static uint64_t look_up_keys(const struct vxlanpkt_map *from, const struct prefix_map *map,
                             const struct vxlanpkt_asked *asked, int64_t oldest, uint8_t *out)
{
    struct map_block block;
    uint64_t found = 0;
    for (uint64_t row = 0; row < asked->rows;) {
        for (block.count = 0; row < asked->rows && block.count < MAP_BLOCK; row++) {
            if (asked->families && asked->families[row] != asked->family)
                continue;
            block.rows[block.count] = row;
            block.keys[block.count++] = load_key(asked->keys + asked->stride * row + asked->offset, asked->width);
        }
        find_block(map, &block, from->stale, oldest);
        for (uint64_t at = 0; at < block.count; at++) {
            ((item32 *)out)[block.rows[at]] = block.values[at];
            found += block.values[at] != VXLANPKT_NO_VALUE;
        }
    }
    return found;
}

/* Whether an output shares memory with frames, or with the columns beside them. */
static bool shares_macs(const uint8_t *out, uint64_t size, const struct vxlanpkt_macs *asked)
{
    return shares_memory(out, size, asked->frames) || (asked->vnis && overlap(out, size, asked->vnis, 4 * asked->rows))
           || (asked->status && overlap(out, size, asked->status, asked->rows));
}

INLINE bool is_station(uint64_t mac) { return mac && !(mac >> 40 & 1); }

/* The key of an address in a frame's Ethernet header; false where there is none, or that of a group, or zero, or where
 * the source is. */
INLINE bool take_mac(const struct vxlanpkt_frames *frames, uint64_t row, uint64_t place, uint32_t vni, struct key *key)
{
    struct extent in;
    if (!read_kept(frames, row, &in) || in.end - in.start < 14)
        return false;
    uint64_t mac = load48(frames->data + in.start + place), source = load48(frames->data + in.start + 6);
    *key = (struct key){vni, mac << 16};
    return is_station(mac) && is_station(source);
}

INLINE uint32_t vni_of(const struct vxlanpkt_macs *asked, uint64_t row)
{
    return asked->vnis ? ((const item32 *)asked->vnis)[row] : asked->vni;
}

/* The next rows that have an address, up to a block of them; the numbers of others are written. */
INLINE uint64_t choose_macs(const struct vxlanpkt_macs *asked, uint64_t row, uint64_t place, struct map_block *block)
{
    const struct vxlanpkt_frames *frames = asked->frames;
    for (block->count = 0; row < frames->rows && block->count < MAP_BLOCK; row++) {
        if (asked->status && asked->status[row] != REASON_OK)
            continue;
        block->rows[block->count] = row;
        block->count += take_mac(frames, row, place, vni_of(asked, row), block->keys + block->count);
        if (frames->size > PREFETCH_FROM)
            prefetch_row(frames, row + MAP_BLOCK);
    }
    return row;
}

static uint64_t look_up_macs(const struct prefix_map *map, const struct vxlanpkt_macs *asked, uint8_t *out)
{
    struct map_block block;
    uint64_t found = 0, rows = asked->frames->rows;
    memset(out, 0xFF, 4 * rows); /* VXLANPKT_NO_VALUE */
    for (uint64_t row = 0; row < rows;) {
        row = choose_macs(asked, row, 0, &block);
        find_block(map, &block, false, asked->oldest);
        for (uint64_t at = 0; at < block.count; at++) {
            ((item32 *)out)[block.rows[at]] = block.values[at];
            found += block.values[at] != VXLANPKT_NO_VALUE;
        }
    }
    return found;
}

/* Refresh the entries of senders that are where they were; the others are marked. */
static uint64_t refresh_macs(const struct prefix_map *map, const struct vxlanpkt_macs *asked,
                             const struct vxlanpkt_senders *senders, uint8_t *out)
{
    struct map_block block;
    uint64_t marked = 0, rows = asked->frames->rows, homes[MAP_BLOCK];
    memset(out, 0, rows);
    for (uint64_t row = 0; row < rows;) {
        row = choose_macs(asked, row, 6, &block);
        for (uint64_t at = 0; at < block.count && map->count; at++) {
            homes[at] = home_of(map, block.keys[at], LONGEST_PREFIX);
            PREFETCH(map->slots + SLOT * homes[at]);
        }
        for (uint64_t at = 0; at < block.count; at++) {
            struct slot found = {.state = 0};
            uint64_t place = map->count ? seek(map, block.keys[at], LONGEST_PREFIX, homes[at], &found) : 0;
            uint32_t sender = ((const item32 *)senders->column)[block.rows[at]];
            bool known = found.state & IS_PREFIX && found.stamp >= asked->oldest;
            if (known && found.stamp == VXLANPKT_STATIC)
                continue;
            if (known && found.value < senders->owner_count && sender != VXLANPKT_NO_VALUE
                && ((const item32 *)senders->owners)[found.value] == sender) {
                if (senders->now > found.stamp) {
                    found.stamp = senders->now;
                    write_slot(map, place, &found);
                }
                continue;
            }
            out[block.rows[at]] = 1;
            marked++;
        }
    }
    return marked;
}

/* Write the prefixes out that have not been seen for long, or bear a number; returns how many there was room for. */
static uint64_t list_prefixes(const struct prefix_map *map, uint64_t *next, int64_t before, uint32_t value,
                              uint8_t *out, uint64_t room)
{
    uint64_t written = 0;
    for (; *next < map->count && written < room; ++*next) {
        struct slot slot = read_slot(map, *next);
        if (!(slot.state & IS_PREFIX) || (slot.stamp >= before && before != VXLANPKT_STATIC)
            || (value != VXLANPKT_NO_VALUE && slot.value != value))
            continue;
        uint8_t *to = out + SLOT * written++;
        store64(to, slot.key.high);
        store64(to + 8, slot.key.low);
        slot.state = 0;
        memcpy(to + 16, (const uint8_t *)&slot + 16, 16);
    }
    return written;
}
