/* Encapsulation of rows, behind each other or in place. Plain rows by plain tunnels take the short way of plain.h, or
 * that of encap_four.h where processors can; any other row goes through encapsulation.h.
 */

INLINE uint32_t choose(const struct vxlanpkt_table *table, const uint32_t *index, uint64_t row,
                       const struct vxlanpkt_recipe **recipe)
{
    uint32_t which = index ? ((const volatile item32 *)index)[row] : 0;
    if (which == VXLANPKT_NO_TUNNEL)
        return REASON_NO_TUNNEL;
    if (which >= table->count)
        return REASON_TUNNEL_OUT_OF_RANGE;
    *recipe = table->recipes + which;
    return REASON_OK;
}

/* Where the header of a row is to be written, if there is room for it and for what is kept behind it. */
INLINE bool find_room(const struct output *out, uint64_t offset, uint64_t header, uint64_t kept, uint32_t mode,
                      uint64_t *at)
{
    if (mode == ENCAP_MODE_IN_PLACE) {
        *at = offset - header;
        return offset >= header && offset - header >= out->floor;
    }
    *at = out->position;
    return header + kept <= out->size - out->position;
}

INLINE void put_output(struct output *out, uint64_t row, uint64_t at, uint64_t length, uint32_t mode)
{
    out->offsets[row] = at;
    out->lengths[row] = (uint32_t)length;
    if (mode != ENCAP_MODE_IN_PLACE)
        out->position += length;
}

/* Encapsulate any row. */
NOINLINE uint32_t encap_any(const uint8_t *data, struct extent in, const struct vxlanpkt_recipe *recipe,
                            uint32_t identification, uint32_t mode, uint64_t row, struct output *out)
{
    uint64_t length = in.end - in.start, at;
    uint64_t kept = mode == ENCAP_MODE_COPY ? length : 0;
    if (length > longest_inner(recipe))
        return REASON_INNER_TOO_LONG;
    if (!find_room(out, in.start, recipe->length, kept, mode, &at))
        return REASON_NO_ROOM;
    encap_header(data + in.start, length, recipe, identification, out->data + at);
    memcpy(out->data + at + recipe->length, data + in.start, kept);
    put_output(out, row, at, recipe->length + (mode == ENCAP_MODE_HEADERS ? 0 : length), mode);
    return REASON_OK;
}

/* Encapsulate a plain row by a plain recipe; false if it is none, or there is no room. */
INLINE bool encap_plain(const uint8_t *data, struct extent in, const struct vxlanpkt_recipe *recipe, uint32_t shape,
                        uint32_t identification, uint32_t mode, uint64_t row, struct output *out)
{
    uint64_t length = in.end - in.start, at;
    uint64_t header_length = shape == SHAPE_ANY ? recipe->length : shape;
    const uint8_t *frame = data + in.start;
    uint32_t flow, tos;
    if (length > (shape == SHAPE_IPV4 ? LARGEST_IPV4_INNER : longest_inner(recipe))
        || !find_plain_flow(frame, length, &flow, &tos)
        || !find_room(out, in.start, header_length, mode == ENCAP_MODE_COPY ? length : 0, mode, &at))
        return false;
    uint8_t *to = out->data + at;
    put_plain_header(to, recipe, shape, flow, tos, frame, (uint32_t)length, identification);
    if (mode == ENCAP_MODE_COPY)
        copy_frame(to + header_length, frame, length, out->wide);
    put_output(out, row, at, header_length + (mode == ENCAP_MODE_HEADERS ? 0 : length), mode);
    return true;
}

/* Encapsulate a row that is not plain, or is to be refused. */
NOINLINE uint32_t encap_odd(const struct encap_job *job, uint32_t identification, uint32_t mode, uint64_t row,
                            struct output *out)
{
    struct extent in;
    const struct vxlanpkt_recipe *recipe;
    uint32_t reason = choose(job->table, job->index, row, &recipe);
    out->offsets[row] = out->position;
    out->lengths[row] = 0;
    if (reason == REASON_OK && !read_kept(job->frames, row, &in))
        reason = REASON_ROW_OUT_OF_RANGE;
    if (reason == REASON_OK)
        reason = encap_any(job->frames->data, in, recipe, identification, mode, row, out);
    out->status[row] = (uint8_t)reason;
    return reason;
}

/* Encapsulate the rows from `row` to `end`; returns how many were refused. */
INLINE int64_t encap_rows(const struct encap_job *job, uint32_t mode, uint32_t shape, uint64_t row, uint64_t end,
                          struct output *to)
{
    const struct vxlanpkt_frames batch = *job->frames; /* copies, which no store can reach, stay in registers */
    struct output out = *to;
    struct vxlanpkt_recipe single = {.plain = false};
    const uint32_t step = numbers_step(job);
    uint32_t number = (uint32_t)number_of(job, row);
    const bool ahead = mode != ENCAP_MODE_COPY && batch.size > PREFETCH_FROM;
    int64_t refused = 0;
    if (shape != SHAPE_ANY)
        single = *job->table->recipes;
    for (; row < end; row++, number += step) {
        const struct vxlanpkt_recipe *recipe = &single;
        struct extent in;
        if (ahead)
            prefetch_row(&batch, row + PREFETCH_ROWS);
        if (shape == SHAPE_ANY && choose(job->table, job->index, row, &recipe) != REASON_OK)
            recipe = &single;
        bool inside = read_kept(&batch, row, &in);
        if (!inside || (shape == SHAPE_ANY && !recipe->plain)
            || !encap_plain(batch.data, in, recipe, shape, number & 0xFFFF, mode, row, &out)) {
            struct output here = out; /* a copy too: nobody else has the address of the other */
            refused += encap_odd(job, number & 0xFFFF, mode, row, &here) != REASON_OK;
            out.position = here.position;
        }
        if (mode == ENCAP_MODE_IN_PLACE && inside)
            out.floor = larger(out.floor, in.end);
    }
    *to = out;
    return refused;
}

/* One tunnel of a usual shape has loops of its own, in which sizes and places are constants. */
INLINE int64_t encap_shaped(const struct encap_job *job, uint32_t mode, uint64_t row, uint64_t end, struct output *out)
{
    if (job->shape == SHAPE_IPV4)
        return encap_rows(job, mode, SHAPE_IPV4, row, end, out);
    if (job->shape == SHAPE_IPV6)
        return encap_rows(job, mode, SHAPE_IPV6, row, end, out);
    return encap_rows(job, mode, SHAPE_ANY, row, end, out);
}

INLINE int64_t encap_mode(const struct encap_job *job, uint64_t row, uint64_t end, struct output *out)
{
    if (job->mode == ENCAP_MODE_COPY)
        return encap_shaped(job, ENCAP_MODE_COPY, row, end, out);
    if (job->mode == ENCAP_MODE_HEADERS)
        return encap_shaped(job, ENCAP_MODE_HEADERS, row, end, out);
    return encap_shaped(job, ENCAP_MODE_IN_PLACE, row, end, out);
}

#ifdef WIDE
NOINLINE WIDE int64_t encap_mode_wide(const struct encap_job *job, uint64_t row, uint64_t end, struct output *out)
{
    return encap_mode(job, row, end, out);
}

/* Four rows at a time where four are plain, and others one by one: ever more of these, where there are no such four. */
static int64_t encap_wide(const struct encap_job *job, struct output *out)
{
    const uint64_t rows = job->frames->rows;
    int64_t refused = 0;
    if (job->shape == SHAPE_ANY)
        return encap_mode_wide(job, 0, rows, out);
    for (uint64_t row = 0, apart = FOUR; row < rows;) {
        uint64_t left = encap_fours(job, row, out);
        apart = left > row ? FOUR : 2 * apart;
        row = smaller(rows, left + apart);
        refused += encap_mode_wide(job, left, row, out);
    }
    return refused;
}
#endif

/* Encapsulate a batch; returns how many rows were refused. */
INLINE int64_t encap_batch(const struct encap_job *job, struct output out)
{
    memset(out.status, REASON_OK, job->frames->rows);
#ifdef WIDE
    out.wide = HAS_WIDE;
    if (out.wide)
        return encap_wide(job, &out);
#endif
    return encap_mode(job, 0, job->frames->rows, &out);
}

/* The bytes of all rows that can be sent: not of those too long for any datagram, nor, where all claim more than the
 * buffer holds, of those outside of it. */
INLINE uint64_t sum_lengths(const struct vxlanpkt_frames *frames)
{
    uint64_t total = 0;
    for (uint64_t row = 0; row < frames->rows; row++) {
        uint64_t length = ((const item32 *)frames->lengths)[row];
        total += length > LARGEST_IPV6_INNER ? 0 : length;
    }
    if (total <= frames->size)
        return total;
    total = 0;
    for (uint64_t row = 0; row < frames->rows; row++) {
        struct extent in;
        if (read_kept(frames, row, &in) && in.end - in.start <= LARGEST_IPV6_INNER)
            total += in.end - in.start;
    }
    return total;
}

#ifdef WIDE
WIDE static uint64_t sum_lengths_wide(const struct vxlanpkt_frames *frames) { return sum_lengths(frames); }
#endif

static uint64_t total_length(const struct vxlanpkt_frames *frames)
{
#ifdef WIDE
    if (HAS_WIDE)
        return sum_lengths_wide(frames);
#endif
    return sum_lengths(frames);
}

/* The bytes that rows may take behind the columns: the largest header for each, and the frames. */
INLINE uint64_t needed_space(const struct vxlanpkt_frames *frames, uint64_t largest, uint32_t mode)
{
    if (mode == ENCAP_MODE_IN_PLACE)
        return 0;
    return frames->rows * largest + (mode == ENCAP_MODE_COPY ? total_length(frames) : 0);
}
