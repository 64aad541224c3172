/* Rows of a batch, and the columns that results lie in. A row's range is used as it was read and checked, so that another
 * thread which writes into the columns cannot move it in between.
 */

/* Where only the headers of a buffer larger than a cache are looked at, they are fetched some rows ahead. Where frames
 * are copied as a whole the processor sees by itself what comes, and a small buffer is in the cache anyway. */
enum { PREFETCH_ROWS = 8, PREFETCH_FROM = 1024 * 1024 };

/* A row of a batch as it is there: whether it lies in the buffer, and where. */
INLINE bool read_kept(const struct vxlanpkt_frames *frames, uint64_t row, struct extent *in)
{
    uint64_t offset = ((const volatile item64 *)frames->offsets)[row];
    uint32_t length = ((const volatile item32 *)frames->lengths)[row];
    *in = (struct extent){offset, offset + length, 0};
    return offset <= frames->size && length <= frames->size - offset;
}

/* A row, and what was cut off it. */
INLINE bool read_row(const struct vxlanpkt_frames *frames, uint64_t row, struct extent *in)
{
    bool inside = read_kept(frames, row, in);
    if (frames->original_lengths) {
        uint64_t length = in->end - in->start, original = ((const volatile item32 *)frames->original_lengths)[row];
        in->missing = original > length ? original - length : 0;
    }
    return inside;
}

/* Have the headers of a row that comes later fetched into the cache. Nothing is read: any address will do. */
INLINE void prefetch_row(const struct vxlanpkt_frames *frames, uint64_t row)
{
    if (row < frames->rows)
        PREFETCH((const void *)((uintptr_t)frames->data + (uintptr_t)((const item64 *)frames->offsets)[row]));
}

INLINE bool overlap(const void *a, uint64_t a_size, const void *b, uint64_t b_size)
{
    uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;
    return first < second ? second - first < a_size : first - second < b_size;
}

/* Whether an output shares memory with a batch or its columns. */
static bool shares_memory(const uint8_t *out, uint64_t size, const struct vxlanpkt_frames *frames)
{
    return overlap(out, size, frames->data, frames->size) || overlap(out, size, frames->offsets, 8 * frames->rows)
           || overlap(out, size, frames->lengths, 4 * frames->rows)
           || (frames->original_lengths && overlap(out, size, frames->original_lengths, 4 * frames->rows));
}

/* Take the next column of items of `width` bytes off the buffer. */
INLINE void *take(uint8_t **at, uint64_t rows, uint64_t width)
{
    void *column = *at;
    *at += rows * width;
    return column;
}
