/* Filters: programs over columns. A step is asked of a block of rows at a time, in a loop without branches where it looks at
 * columns alone, so that compilers make vector instructions of it.
 */

enum { FILTER_BLOCK = 256, FILTER_BYTES = 8, MOST_INNER_TAGS = 255 };

struct filter_input {
    const struct vxlanpkt_frames *frames;
    const uint8_t *data; /* all columns */
    struct columns columns;
    bool ethernet; /* rows begin with an Ethernet header */
};

/* Rows from `first` on; for each 0 or 1: whether a step is asked of it, what it found, and registers. */
struct filter_block {
    uint64_t first, count;
    uint8_t asked[FILTER_BLOCK];
    uint8_t found[FILTER_BLOCK];
    uint8_t registers[VXLANPKT_REGISTERS][FILTER_BLOCK];
};

/* -- a program is trusted with nothing */

INLINE bool fits_row(uint64_t before, uint64_t width, uint64_t row_size)
{
    return before <= row_size && width <= row_size - before;
}

INLINE bool is_sound_range(const struct vxlanpkt_step *step, uint64_t row_size)
{
    return (step->width == 1 || step->width == 2 || step->width == 4) && fits_row(step->column, step->width, row_size)
           && step->low <= step->high && (uint64_t)step->high >> (8 * step->width) == 0;
}

static bool is_sound_step(const struct vxlanpkt_step *step, uint64_t row_size, bool full)
{
    if (step->join > JOIN_OR || step->target >= VXLANPKT_REGISTERS
        || (step->guard >= VXLANPKT_REGISTERS && step->guard != VXLANPKT_NO_GUARD))
        return false;
    switch (step->kind) {
    case STEP_KIND_RANGE: return is_sound_range(step, row_size);
    case STEP_KIND_ADDRESS: return fits_row(step->column, 16, row_size) && fits_row(step->family, 1, row_size);
    case STEP_KIND_ROW:
    case STEP_KIND_INNER: return true;
    case STEP_KIND_PACKET: return full;
    case STEP_KIND_REGISTER: return step->low < VXLANPKT_REGISTERS;
    default: return false;
    }
}

static bool is_sound_program(const struct vxlanpkt_step *program, uint64_t steps, uint64_t row_size, bool full)
{
    for (uint64_t at = 0; at < steps; at++)
        if (!is_sound_step(program + at, row_size, full))
            return false;
    return true;
}

/* -- columns */

/* Whether (item & mask) - low, in the item's own width, is at most high - low. */
#define FIND_RANGE(bits, type)                                                                     \
    INLINE void find_range##bits(const uint8_t *column, const struct vxlanpkt_step *step,          \
                                 struct filter_block *block)                                       \
    {                                                                                              \
        const type *items = (const type *)(column + block->first * sizeof(type));                  \
        const uint##bits##_t mask = (uint##bits##_t)step->mask, low = (uint##bits##_t)step->low;   \
        const uint##bits##_t span = (uint##bits##_t)(step->high - step->low);                      \
        const uint64_t count = block->count;                                                       \
        for (uint64_t at = 0; at < count; at++)                                                    \
            block->found[at] = (uint##bits##_t)((uint##bits##_t)(items[at] & mask) - low) <= span; \
    }

FIND_RANGE(8, uint8_t)
FIND_RANGE(16, item16)
FIND_RANGE(32, item32)

INLINE void find_range(const struct filter_input *in, const struct vxlanpkt_step *step, struct filter_block *block)
{
    const uint8_t *column = in->data + in->frames->rows * step->column;
    if (step->width == 1)
        find_range8(column, step, block);
    else if (step->width == 2)
        find_range16(column, step, block);
    else
        find_range32(column, step, block);
}

INLINE void find_addresses(const struct filter_input *in, const struct vxlanpkt_step *step, struct filter_block *block)
{
    const uint8_t *items = in->data + in->frames->rows * step->column + 16 * block->first;
    const uint8_t *families = in->data + in->frames->rows * step->family + block->first;
    uint64_t value[2], bits[2];
    memcpy(value, step->value, 16);
    memcpy(bits, step->bits, 16);
    for (uint64_t at = 0; at < block->count; at++) {
        uint64_t item[2];
        memcpy(item, items + 16 * at, 16);
        uint64_t differs = ((item[0] & bits[0]) ^ value[0]) | ((item[1] & bits[1]) ^ value[1]);
        block->found[at] = (uint8_t)((differs == 0) & (families[at] == step->low));
    }
}

/* -- bytes of frames */

/* The inner frame of a row, as the columns say it, if that lies in the buffer. */
INLINE bool read_inner(const struct filter_input *in, uint64_t row, struct extent *inner)
{
    uint64_t offset = ((const volatile item64 *)in->columns.inner_offset)[row];
    uint32_t length = ((const volatile item32 *)in->columns.inner_length)[row];
    *inner = (struct extent){offset, offset + length, 0};
    return offset <= in->frames->size && length <= in->frames->size - offset;
}

/* What an inner Ethernet header and its tags carry, or a bare packet. How many tags there are is not known from
 * MOST_INNER_TAGS on. */
INLINE bool read_packet(const struct filter_input *in, uint64_t row, struct extent *packet)
{
    uint32_t link = ((const item16 *)in->columns.inner_link_type)[row], tags = in->columns.inner_tags[row];
    if (!read_inner(in, row, packet) || tags == MOST_INNER_TAGS)
        return false;
    if (link == RAW_LINK)
        return true;
    uint64_t header = 14 + 4 * (uint64_t)tags;
    if (link != ETHERNET_LINK || header > packet->end - packet->start)
        return false;
    packet->start += header;
    return true;
}

INLINE bool has_bytes(const struct filter_input *in, const struct vxlanpkt_step *step, uint64_t row)
{
    struct extent where;
    uint64_t value, bits, bytes;
    if (step->kind == STEP_KIND_ROW ? !in->ethernet || !read_kept(in->frames, row, &where)
        : step->kind == STEP_KIND_INNER ? !read_inner(in, row, &where)
                                        : !read_packet(in, row, &where))
        return false;
    if (where.end - where.start < FILTER_BYTES || step->low > where.end - where.start - FILTER_BYTES)
        return false;
    memcpy(&bytes, in->frames->data + where.start + step->low, FILTER_BYTES);
    memcpy(&value, step->value, FILTER_BYTES);
    memcpy(&bits, step->bits, FILTER_BYTES);
    return (bytes & bits) == value;
}

/* Frames lie all over memory, so those that are not asked are left alone. */
INLINE void find_bytes(const struct filter_input *in, const struct vxlanpkt_step *step, struct filter_block *block)
{
    for (uint64_t at = 0; at < block->count; at++)
        block->found[at] = block->asked[at] && has_bytes(in, step, block->first + at);
}

/* -- programs */

/* The rows whose answer matters: those in the guard that are not decided whatever it is. False if there are none. */
INLINE bool choose_asked(const struct vxlanpkt_step *step, struct filter_block *block)
{
    const uint8_t *target = block->registers[step->target];
    const uint8_t decided = step->join == JOIN_OR;
    if (step->guard == VXLANPKT_NO_GUARD)
        memset(block->asked, 1, FILTER_BLOCK);
    else
        memcpy(block->asked, block->registers[step->guard], FILTER_BLOCK);
    if (step->join != JOIN_SET)
        for (uint64_t at = 0; at < FILTER_BLOCK; at++)
            block->asked[at] = (uint8_t)(block->asked[at] & (target[at] ^ decided));
    return memchr(block->asked, 1, block->count) != NULL;
}

INLINE void find_step(const struct filter_input *in, const struct vxlanpkt_step *step, struct filter_block *block)
{
    switch (step->kind) {
    case STEP_KIND_RANGE: find_range(in, step, block); break;
    case STEP_KIND_ADDRESS: find_addresses(in, step, block); break;
    case STEP_KIND_REGISTER: memcpy(block->found, block->registers[step->low], FILTER_BLOCK); break;
    default: find_bytes(in, step, block);
    }
}

/* Registers and answers are joined whole, so that the loops have constant counts; what is behind the last row is read by
 * nobody. */
INLINE void run_step(const struct filter_input *in, const struct vxlanpkt_step *step, struct filter_block *block)
{
    uint8_t *target = block->registers[step->target];
    const uint8_t negate = step->negate != 0;
    if (!choose_asked(step, block)) {
        if (step->join != JOIN_OR)
            memset(target, 0, FILTER_BLOCK);
        return;
    }
    find_step(in, step, block);
    if (step->join == JOIN_OR)
        for (uint64_t at = 0; at < FILTER_BLOCK; at++)
            target[at] = (uint8_t)(target[at] | ((block->found[at] ^ negate) & block->asked[at]));
    else /* what JOIN_AND asked is what the register held */
        for (uint64_t at = 0; at < FILTER_BLOCK; at++)
            target[at] = (uint8_t)((block->found[at] ^ negate) & block->asked[at]);
}

/* So many registers are in use. */
INLINE uint32_t count_registers(const struct vxlanpkt_step *program, uint64_t steps)
{
    uint32_t count = 1;
    for (uint64_t at = 0; at < steps; at++) {
        const struct vxlanpkt_step *step = program + at;
        count = (uint32_t)larger(count, step->target + 1u);
        if (step->guard != VXLANPKT_NO_GUARD)
            count = (uint32_t)larger(count, step->guard + 1u);
        if (step->kind == STEP_KIND_REGISTER)
            count = (uint32_t)larger(count, step->low + 1u);
    }
    return count;
}

INLINE int64_t select_rows(const struct filter_input *in, const struct vxlanpkt_step *program, uint64_t steps,
                           uint8_t *out)
{
    const uint32_t registers = count_registers(program, steps);
    const uint64_t rows = in->frames->rows;
    struct filter_block block;
    int64_t matches = 0;
    memset(block.found, 0, FILTER_BLOCK);
    for (block.first = 0; block.first < rows; block.first += FILTER_BLOCK) {
        block.count = smaller(rows - block.first, FILTER_BLOCK);
        memset(block.registers, 0, (size_t)registers * FILTER_BLOCK);
        for (uint64_t at = 0; at < steps; at++)
            run_step(in, program + at, &block);
        const uint8_t *status = in->columns.status + block.first;
        for (uint64_t at = 0; at < block.count; at++) {
            uint8_t matched = (uint8_t)(block.registers[0][at] & (status[at] == REASON_OK));
            out[block.first + at] = matched;
            matches += matched;
        }
    }
    return matches;
}

#ifdef WIDE
WIDE static int64_t select_wide(const struct filter_input *in, const struct vxlanpkt_step *program, uint64_t steps,
                                uint8_t *out)
{
    return select_rows(in, program, steps, out);
}
#endif
