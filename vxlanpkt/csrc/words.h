/* The addresses of a column, each of them once, and which one each row has: the twin of kernel/python/words.py.
 *
 * A word is what a text is made of. Words lie behind each other in the order in which they were met, and behind them an
 * index: as that of groups, with the same promises.
 */

enum { WORD_PARTS = 3, WORD = 8 * WORD_PARTS };

/* What a word is, its last part: the others are the bytes of the address. */
enum { WORD_MAC = 1, WORD_IPV4 = 4, WORD_IPV6 = 6 };

struct word_block {
    uint64_t rows[GROUP_BLOCK];
    uint64_t words[GROUP_BLOCK][WORD_PARTS];
    uint32_t hashes[GROUP_BLOCK];
    uint64_t count;
};

/* The parts of a table; false where its memory has no room for them, or for any word. */
INLINE bool open_words(const struct vxlanpkt_words *words, struct group_table *table)
{
    uint64_t capacity = words->capacity;
    if (!capacity || capacity > MOST_TEXTS || words->count > capacity || words->size / (WORD + 16) < capacity)
        return false;
    *table = (struct group_table){
        .entries = words->memory,
        .slots = (item64 *)(words->memory + capacity * WORD),
        .slot_count = 2 * capacity,
        .capacity = capacity,
        .count = words->count,
        .key_words = WORD_PARTS,
        .entry_size = WORD,
    };
    return true;
}

INLINE uint32_t hash_word(const uint64_t *word, const uint64_t *secrets)
{
    uint64_t mixed = mix(word[0] ^ secrets[0], word[1] ^ secrets[1]) ^ word[2];
    return (uint32_t)(mix(mixed ^ secrets[2], secrets[3]) >> 32);
}

INLINE bool take_address(const struct columns *of, uint32_t which, uint64_t row, uint64_t *word)
{
    uint8_t family = ((const volatile uint8_t *)families_in(of, which))[row];
    memcpy(word, addresses_in(of, which) + 16 * row, 16);
    word[2] = family;
    return family == WORD_IPV4 || family == WORD_IPV6;
}

INLINE bool take_inner_mac(const struct columns *of, const struct vxlanpkt_frames *frames, uint32_t which, uint64_t row,
                           uint64_t *word)
{
    const uint8_t *mac = find_mac(of, frames, row, which);
    word[0] = word[1] = 0;
    word[2] = WORD_MAC;
    if (mac)
        memcpy(word, mac, 6);
    return mac != NULL;
}

/* Number the rows from `row` on by their words, MAC addresses if there are frames; returns the first one whose word has
 * no room, or how many rows there are. */
INLINE uint64_t number_rows(const struct columns *of, const struct vxlanpkt_frames *frames, uint64_t rows,
                            uint32_t which, uint64_t row, struct vxlanpkt_words *words, struct group_table table,
                            uint8_t *out)
{
    struct word_block block;
    uint64_t numbered = block.count = 0;
    while (row < rows && numbered == block.count) {
        for (block.count = 0; row < rows && block.count < GROUP_BLOCK; row++) {
            uint64_t *word = block.words[block.count];
            bool is = frames ? take_inner_mac(of, frames, which, row, word) : take_address(of, which, row, word);
            uint32_t hash = hash_word(word, words->secrets);
            ((item32 *)out)[row] = 0;
            PREFETCH((const void *)(table.slots + first_slot(&table, hash)));
            block.rows[block.count] = row;
            block.hashes[block.count] = hash;
            block.count += is;
        }
        for (uint64_t at = 0; at < block.count; at++)
            prefetch_group(&table, block.hashes[at]);
        for (numbered = 0; numbered < block.count; numbered++) {
            uint64_t number = claim_group(&table, block.words[numbered], block.hashes[numbered]);
            if (number == table.capacity)
                break;
            ((item32 *)out)[block.rows[numbered]] = (uint32_t)number;
        }
    }
    words->count = table.count;
    return numbered < block.count ? block.rows[numbered] : rows;
}

INLINE uint64_t text_of_word(uint64_t kind)
{
    return kind == WORD_IPV4 ? IPV4_TEXT : kind == WORD_IPV6 ? IPV6_TEXT : kind == WORD_MAC ? MAC_TEXT : 0;
}

INLINE uint64_t kind_of_word(const struct group_table *table, uint64_t number)
{
    return ((const item64 *)(table->entries + number * WORD))[2];
}

/* The bytes that the texts of all words take, at the most. */
static uint64_t words_room(const struct group_table *table)
{
    uint64_t room = 4 * (table->count + 1);
    for (uint64_t number = 0; number < table->count; number++)
        room += text_of_word(kind_of_word(table, number));
    return room;
}

/* The texts of all words; returns how many bytes. Somebody else may write to the words meanwhile. */
static int64_t put_words(const struct group_table *table, uint8_t *out, uint64_t room)
{
    struct text text = text_in(out, table->count);
    struct octets octets;
    fill_octets(&octets);
    room -= 4 * (table->count + 1);
    for (uint64_t number = 0; number < table->count; number++) {
        const uint8_t *word = table->entries + number * WORD;
        uint64_t kind = ((const volatile item64 *)word)[2];
        uint8_t *to = text.bytes + text.length;
        put_offset(&text, number);
        if (room - text.length < text_of_word(kind))
            return VXLANPKT_NO_SPACE;
        if (kind == WORD_IPV4)
            text.length += put_ipv4(to, word + 12, &octets);
        else if (kind == WORD_IPV6)
            text.length += put_ipv6(to, word, &octets);
        else if (kind == WORD_MAC)
            text.length += put_mac(to, word);
    }
    put_offset(&text, table->count);
    return text.length;
}
