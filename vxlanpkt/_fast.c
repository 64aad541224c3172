/* The C kernel: its entry points. kernel/python.py is the specification; each header below is named as its twin there.
 *
 * No Python.h, no allocation, no state. Every row's range is checked against the buffer here, whatever the caller
 * believes of it, and a row's range is read once, so that another thread which writes into the columns cannot move it
 * between check and use.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "csrc/contract.h"

#include "csrc/bytes.h"
#include "csrc/scanning.h"
#include "csrc/hashing.h"
#include "csrc/encapsulation.h"
#include "csrc/decapsulation.h"

#define PREFETCH_ROWS 8

/* A row of a batch, read once. */
INLINE bool read_row(const struct vxlanpkt_frames *frames, uint64_t row, struct extent *in)
{
    uint64_t offset = ((const volatile uint64_t *)frames->offsets)[row];
    uint32_t length = ((const volatile uint32_t *)frames->lengths)[row];
    uint32_t original = frames->original_lengths ? frames->original_lengths[row] : length;
    *in = (struct extent){offset, offset + length, original > length ? original - length : 0};
    return offset <= frames->size && length <= frames->size - offset;
}

/* Have the headers of a row that comes later fetched into the cache. */
INLINE void prefetch_row(const struct vxlanpkt_frames *frames, uint64_t row)
{
    if (row < frames->rows && frames->offsets[row] < frames->size)
        PREFETCH(frames->data + frames->offsets[row]);
}

/* Whether an output shares memory with an input. */
INLINE bool overlap(const uint8_t *a, uint64_t a_size, const uint8_t *b, uint64_t b_size)
{
    uintptr_t first = (uintptr_t)a, second = (uintptr_t)b;
    return first < second ? second - first < a_size : first - second < b_size;
}

/* -- decapsulation */

/* The columns of a result behind each other, widest items first, so that each is aligned. */
struct columns {
    uint64_t *inner_offset;
    uint8_t *outer_src, *outer_dst, *inner_src, *inner_dst;
    uint32_t *vni, *flags, *inner_length, *inner_original_length;
    uint16_t *outer_vlan, *outer_src_port, *outer_dst_port, *inner_link_type;
    uint16_t *inner_vlan, *inner_ethertype, *inner_src_port, *inner_dst_port;
    uint8_t *status, *notes, *reserved, *outer_family, *outer_tags, *ip_checksum;
    uint8_t *udp_checksum, *inner_tags, *inner_family, *inner_protocol, *inner_ecn;
};

enum { BRIEF_ROW = 8 + 4 * 4 + 2, FULL_ROW = 8 + 4 * 16 + 4 * 4 + 8 * 2 + 11 };

/* Take the next column of items of `width` bytes off the buffer. */
INLINE void *take(uint8_t **at, uint64_t rows, uint64_t width)
{
    void *column = *at;
    *at += rows * width;
    return column;
}

INLINE struct columns lay_out(uint8_t *at, uint64_t rows, bool full)
{
    struct columns to = {0};
    to.inner_offset = take(&at, rows, 8);
    if (full) {
        to.outer_src = take(&at, rows, 16);
        to.outer_dst = take(&at, rows, 16);
        to.inner_src = take(&at, rows, 16);
        to.inner_dst = take(&at, rows, 16);
    }
    to.vni = take(&at, rows, 4);
    to.flags = take(&at, rows, 4);
    to.inner_length = take(&at, rows, 4);
    to.inner_original_length = take(&at, rows, 4);
    if (full) {
        to.outer_vlan = take(&at, rows, 2);
        to.outer_src_port = take(&at, rows, 2);
        to.outer_dst_port = take(&at, rows, 2);
        to.inner_link_type = take(&at, rows, 2);
        to.inner_vlan = take(&at, rows, 2);
        to.inner_ethertype = take(&at, rows, 2);
        to.inner_src_port = take(&at, rows, 2);
        to.inner_dst_port = take(&at, rows, 2);
    }
    to.status = take(&at, rows, 1);
    to.notes = take(&at, rows, 1);
    if (full) {
        to.reserved = take(&at, rows, 1);
        to.outer_family = take(&at, rows, 1);
        to.outer_tags = take(&at, rows, 1);
        to.ip_checksum = take(&at, rows, 1);
        to.udp_checksum = take(&at, rows, 1);
        to.inner_tags = take(&at, rows, 1);
        to.inner_family = take(&at, rows, 1);
        to.inner_protocol = take(&at, rows, 1);
        to.inner_ecn = take(&at, rows, 1);
    }
    return to;
}

INLINE void put_record(const struct columns *to, uint64_t row, const struct vxlanpkt_record *record, bool full)
{
    to->inner_offset[row] = record->inner_offset;
    to->vni[row] = record->vni;
    to->flags[row] = record->flags;
    to->inner_length[row] = record->inner_length;
    to->inner_original_length[row] = record->inner_original_length;
    to->status[row] = record->status;
    to->notes[row] = record->notes;
    if (!full)
        return;
    memcpy(to->outer_src + 16 * row, record->outer_src, 16);
    memcpy(to->outer_dst + 16 * row, record->outer_dst, 16);
    memcpy(to->inner_src + 16 * row, record->inner_src, 16);
    memcpy(to->inner_dst + 16 * row, record->inner_dst, 16);
    to->outer_vlan[row] = record->outer_vlan;
    to->outer_src_port[row] = record->outer_src_port;
    to->outer_dst_port[row] = record->outer_dst_port;
    to->inner_link_type[row] = record->inner_link_type;
    to->inner_vlan[row] = record->inner_vlan;
    to->inner_ethertype[row] = record->inner_ethertype;
    to->inner_src_port[row] = record->inner_src_port;
    to->inner_dst_port[row] = record->inner_dst_port;
    to->reserved[row] = record->reserved;
    to->outer_family[row] = record->outer_family;
    to->outer_tags[row] = record->outer_tags;
    to->ip_checksum[row] = record->ip_checksum;
    to->udp_checksum[row] = record->udp_checksum;
    to->inner_tags[row] = record->inner_tags;
    to->inner_family[row] = record->inner_family;
    to->inner_protocol[row] = record->inner_protocol;
    to->inner_ecn[row] = record->inner_ecn;
}

INLINE int64_t decap_rows(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                          uint8_t *out, bool full)
{
    const struct columns to = lay_out(out, frames->rows, full);
    int64_t accepted = 0;
    for (uint64_t row = 0; row < frames->rows; row++) {
        struct extent in;
        struct vxlanpkt_record record;
        prefetch_row(frames, row + PREFETCH_ROWS);
        clear_record(&record);
        if (read_row(frames, row, &in)) {
            struct job job = {frames->data, rules, &record, {.tos = -1}};
            decap_frame(&job, in, kind, full);
        } else {
            record.status = REASON_ROW_OUT_OF_RANGE;
        }
        accepted += record.status == REASON_OK;
        put_record(&to, row, &record, full);
    }
    return accepted;
}

int64_t vxlanpkt_decap(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                       uint32_t brief, uint8_t *out, uint64_t size)
{
    if (size / (brief ? BRIEF_ROW : FULL_ROW) < frames->rows)
        return VXLANPKT_NO_SPACE;
    if (overlap(out, size, frames->data, frames->size))
        return VXLANPKT_OVERLAP;
    if (brief)
        return decap_rows(frames, kind, rules, out, false);
    return decap_rows(frames, kind, rules, out, true);
}

struct vxlanpkt_record vxlanpkt_decap_one(const uint8_t *data, uint64_t size, uint64_t missing, uint32_t kind,
                                          const struct vxlanpkt_rules *rules,
                                          const struct vxlanpkt_underlay *underlay)
{
    struct vxlanpkt_record record;
    clear_record(&record);
    struct job job = {data, rules, &record, {.tos = -1}};
    if (underlay)
        job.underlay = *underlay;
    if (size > UINT32_MAX)
        record.status = REASON_ROW_OUT_OF_RANGE;
    else
        decap_frame(&job, (struct extent){0, size, missing}, kind, true);
    return record;
}

/* -- encapsulation */

/* Where encapsulated rows go. */
struct output {
    uint64_t *offsets;
    uint32_t *lengths;
    uint8_t *status;
    uint8_t *data;
    uint64_t size, position, floor;
};

enum { OUTPUT_ROW = 8 + 4 + 1 };

INLINE uint32_t choose(const struct vxlanpkt_table *table, const uint32_t *index, uint64_t row,
                       const struct vxlanpkt_recipe **recipe)
{
    uint32_t which = index ? index[row] : 0;
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
        if (offset < header || offset - header < out->floor)
            return false;
        *at = offset - header;
        return true;
    }
    *at = out->position;
    return header + kept <= out->size - out->position;
}

INLINE uint32_t encap_row(const struct vxlanpkt_frames *frames, uint64_t row, const struct vxlanpkt_recipe *recipe,
                          uint32_t identification, uint32_t mode, struct output *out)
{
    struct extent in;
    if (!read_row(frames, row, &in))
        return REASON_ROW_OUT_OF_RANGE;
    uint64_t length = in.end - in.start, at;
    uint64_t kept = mode == ENCAP_MODE_COPY ? length : 0;
    const uint8_t *frame = frames->data + in.start;
    if (length > LARGEST_IPV6_INNER || (recipe->family == 4 && length > LARGEST_IPV4_INNER))
        return REASON_INNER_TOO_LONG;
    if (!find_room(out, in.start, recipe->length, kept, mode, &at))
        return REASON_NO_ROOM;
    uint8_t *to = out->data + at;
    encap_header(frame, length, recipe, identification, to);
    if (kept)
        memcpy(to + recipe->length, frame, kept);
    out->offsets[row] = at;
    out->lengths[row] = recipe->length + (uint32_t)(mode == ENCAP_MODE_HEADERS ? 0 : length);
    if (mode != ENCAP_MODE_IN_PLACE)
        out->position += out->lengths[row];
    return REASON_OK;
}

INLINE int64_t encap_rows(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                          const uint32_t *index, int64_t identification, uint32_t mode, struct output out)
{
    int64_t accepted = 0;
    uint32_t number = identification < 0 ? 0 : (uint32_t)identification;
    uint32_t step = identification < 0 ? 0 : 1;
    for (uint64_t row = 0; row < frames->rows; row++, number += step) {
        const struct vxlanpkt_recipe *recipe;
        prefetch_row(frames, row + PREFETCH_ROWS);
        out.offsets[row] = out.position;
        out.lengths[row] = 0;
        uint32_t reason = choose(table, index, row, &recipe);
        if (reason == REASON_OK)
            reason = encap_row(frames, row, recipe, number & 0xFFFF, mode, &out);
        out.status[row] = (uint8_t)reason;
        accepted += reason == REASON_OK;
        struct extent in;
        if (mode == ENCAP_MODE_IN_PLACE && read_row(frames, row, &in))
            out.floor = larger(out.floor, in.end);
    }
    return accepted;
}

/* The bytes of all rows, where those outside of the buffer do not count if they claim more than it holds. */
uint64_t vxlanpkt_total_length(const struct vxlanpkt_frames *frames)
{
    uint64_t total = 0;
    for (uint64_t row = 0; row < frames->rows; row++)
        total += frames->lengths[row];
    if (total <= frames->size)
        return total;
    total = 0;
    for (uint64_t row = 0; row < frames->rows; row++) {
        struct extent in;
        if (read_row(frames, row, &in))
            total += in.end - in.start;
    }
    return total;
}

/* The bytes that rows may take behind the columns: the largest header for each, and the frames. */
INLINE uint64_t needed_space(const struct vxlanpkt_frames *frames, uint64_t largest, uint32_t mode)
{
    if (mode == ENCAP_MODE_IN_PLACE)
        return 0;
    return frames->rows * largest + (mode == ENCAP_MODE_COPY ? vxlanpkt_total_length(frames) : 0);
}

int64_t vxlanpkt_encap(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                       const uint32_t *index, int64_t identification, uint32_t mode, uint8_t *out, uint64_t size)
{
    if (size / OUTPUT_ROW < frames->rows
        || size - OUTPUT_ROW * frames->rows < needed_space(frames, table->largest, mode))
        return VXLANPKT_NO_SPACE;
    if (overlap(out, size, frames->data, frames->size))
        return VXLANPKT_OVERLAP;
    struct output to = {.data = out + OUTPUT_ROW * frames->rows, .size = size - OUTPUT_ROW * frames->rows};
    to.offsets = take(&out, frames->rows, 8);
    to.lengths = take(&out, frames->rows, 4);
    to.status = take(&out, frames->rows, 1);
    if (mode == ENCAP_MODE_COPY)
        return encap_rows(frames, table, index, identification, ENCAP_MODE_COPY, to);
    if (mode == ENCAP_MODE_HEADERS)
        return encap_rows(frames, table, index, identification, ENCAP_MODE_HEADERS, to);
    to.data = frames->data;
    return encap_rows(frames, table, index, identification, ENCAP_MODE_IN_PLACE, to);
}

struct vxlanpkt_header vxlanpkt_encap_header(const uint8_t *data, uint64_t size,
                                             const struct vxlanpkt_recipe *recipe, uint32_t identification)
{
    struct vxlanpkt_header header;
    header.length = recipe->length;
    header.reason = encap_header(data, size, recipe, identification, header.bytes);
    return header;
}

/* Whether the outer IPv4 header of this frame has DF clear, so that its identification matters (RFC 6864). */
uint32_t vxlanpkt_clears_df(const uint8_t *data, uint64_t size, const struct vxlanpkt_recipe *recipe)
{
    struct inner inner = {.is_ip = false};
    struct inherited found = {.df = false};
    if (recipe->family != 4)
        return 0;
    if (size >= (recipe->raw ? 1 : 14)) {
        find_inner(data, size, recipe->raw, &inner);
        inherit(data, &inner, recipe->raw, &found);
    }
    return !outer_df(recipe->df, found.df);
}

/* -- headers */

struct vxlanpkt_walk vxlanpkt_walk(const uint8_t *data, uint64_t start, uint64_t end, uint64_t missing,
                                   uint32_t kind, const uint8_t *ports, uint32_t tunnels, uint32_t any_length)
{
    struct vxlanpkt_walk walk;
    walk.count = walk.more = walk.reason = 0;
    walk_headers(data, (struct extent){start, end, missing}, kind, ports, tunnels, any_length, &walk);
    return walk;
}

struct vxlanpkt_walk vxlanpkt_scan(const uint8_t *data, uint64_t start, uint64_t end, uint64_t missing,
                                   uint32_t kind, uint32_t any_length)
{
    struct vxlanpkt_walk walk;
    struct span span;
    struct fault fault;
    walk.count = walk.more = walk.reason = 0;
    if (scan(kind, data, (struct extent){start, end, missing}, any_length, &span, &fault))
        put_row(&walk, &span);
    else
        put_fault(&walk, &fault);
    return walk;
}

uint32_t vxlanpkt_flow_hash(const uint8_t *data, uint64_t size, uint32_t symmetric, uint32_t raw)
{
    return flow_hash(data, size, symmetric, raw);
}

uint32_t vxlanpkt_sum(const uint8_t *data, uint64_t size) { return ones_complement_sum(data, size); }
