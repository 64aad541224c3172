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
#include "csrc/plain.h"

/* Where only the headers of a buffer larger than a cache are looked at, they are fetched some rows ahead. Where frames
 * are copied as a whole the processor sees by itself what comes, and a small buffer is in the cache anyway. */
enum { PREFETCH_ROWS = 8, PREFETCH_FROM = 1024 * 1024 };

/* A row of a batch, read once. */
INLINE bool read_row(const struct vxlanpkt_frames *frames, uint64_t row, struct extent *in)
{
    uint64_t offset = ((const volatile item64 *)frames->offsets)[row];
    uint32_t length = ((const volatile item32 *)frames->lengths)[row];
    uint32_t original = length;
    if (frames->original_lengths)
        original = ((const volatile item32 *)frames->original_lengths)[row];
    *in = (struct extent){offset, offset + length, original > length ? original - length : 0};
    return offset <= frames->size && length <= frames->size - offset;
}

/* Have the headers of a row that comes later fetched into the cache. Nothing is read: any address will do. */
INLINE void prefetch_row(const struct vxlanpkt_frames *frames, uint64_t row)
{
    if (row < frames->rows)
        PREFETCH((const void *)((uintptr_t)frames->data + (uintptr_t)((const item64 *)frames->offsets)[row]));
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

static const uint8_t NOWHERE[16];
static const struct underlay UNKNOWN = {0, -1, NOWHERE};

/* Source and destination, which lie behind each other in front of `end`. */
INLINE void put_addresses(uint8_t *src, uint8_t *dst, uint64_t row, const uint8_t *end, uint32_t size)
{
    if (size == 4) {
        put_mapped(src + 16 * row, end - 8);
        put_mapped(dst + 16 * row, end - 4);
    } else {
        memcpy(src + 16 * row, end - 32, 16);
        memcpy(dst + 16 * row, end - 16, 16);
    }
}

/* Find the TCP or UDP ports of a plain inner frame; false if it is none. */
INLINE bool find_plain_inner(const uint8_t *frame, uint64_t length, const struct columns *to, uint64_t row,
                             struct plain_block *block, uint64_t at)
{
    if (length >= 38 && starts_ipv4(frame)) {
        uint64_t total_length = load16(frame + 16);
        uint32_t protocol = fragment_and_protocol(frame);
        if (total_length - 24 > length - 38 || !is_tcp_or_udp(protocol))
            return false;
        block->inner_family[at] = 4;
        block->inner_protocol[at] = (uint8_t)protocol;
        block->inner_ports[at] = load32(frame + 34);
        put_addresses(to->inner_src, to->inner_dst, row, frame + 34, 4);
        return true;
    }
    if (length < 58 || !starts_ipv6(frame) || !is_tcp_or_udp(frame[20]))
        return false;
    uint64_t payload_length = load16(frame + 18);
    if (payload_length - 4 > length - 58)
        return false;
    block->inner_family[at] = 6;
    block->inner_protocol[at] = frame[20];
    block->inner_ports[at] = load32(frame + 54);
    put_addresses(to->inner_src, to->inner_dst, row, frame + 54, 16);
    return true;
}

/* Find the parts of a plain row; false if it is none. Addresses go straight into their columns. */
INLINE bool find_plain_row(const uint8_t *frame, struct extent in, const struct plain_rules *rules,
                           const struct columns *to, uint64_t row, struct plain_block *block, uint64_t at, bool full)
{
    uint64_t length = in.end - in.start;
    uint32_t offset = find_plain_tunnel(frame, length, rules, block, at);
    if (!offset)
        return false;
    block->inner_offset[at] = in.start + offset;
    if (!full)
        return true;
    if (offset == 50) {
        if (!find_plain_inner(frame + 50, length - 50, to, row, block, at))
            return false;
        block->outer_family[at] = 4;
        put_addresses(to->outer_src, to->outer_dst, row, frame + 34, 4);
        return true;
    }
    if (!find_plain_inner(frame + 70, length - 70, to, row, block, at))
        return false;
    block->outer_family[at] = 6;
    put_addresses(to->outer_src, to->outer_dst, row, frame + 54, 16);
    return true;
}

/* What is the same for every plain row. */
INLINE void fill_columns(const struct columns *to, uint64_t rows, bool full)
{
    memset(to->status, REASON_OK, rows);
    memset(to->notes, 0, rows);
    if (!full)
        return;
    for (uint64_t row = 0; row < rows; row++)
        to->inner_link_type[row] = ETHERNET_LINK;
    memset(to->outer_vlan, 0xFF, 2 * rows);
    memset(to->inner_vlan, 0xFF, 2 * rows);
    memset(to->outer_tags, 0, rows);
    memset(to->inner_tags, 0, rows);
    memset(to->inner_ecn, VXLANPKT_NO_ECN, rows);
}

/* Take a block apart into columns: one loop a column, so that each becomes vector instructions. */
INLINE void put_block(const struct columns *to, uint64_t row, const struct plain_block *block, uint64_t count, bool full,
                      uint8_t ip_checksum, uint8_t udp_checksum)
{
    memcpy(to->inner_offset + row, block->inner_offset, 8 * count);
    for (uint64_t at = 0; at < count; at++)
        to->vni[row + at] = (uint32_t)block->vxlan[at] >> 8;
    for (uint64_t at = 0; at < count; at++)
        to->flags[row + at] = (uint32_t)(block->vxlan[at] >> 32);
    for (uint64_t at = 0; at < count; at++)
        to->inner_length[row + at] = ((uint32_t)block->datagram[at] >> 16) - 16;
    memcpy(to->inner_original_length + row, to->inner_length + row, 4 * count);
    if (!full)
        return;
    memcpy(to->outer_family + row, block->outer_family, count);
    memcpy(to->inner_family + row, block->inner_family, count);
    memcpy(to->inner_protocol + row, block->inner_protocol, count);
    for (uint64_t at = 0; at < count; at++)
        to->outer_src_port[row + at] = (uint16_t)(block->datagram[at] >> 48);
    for (uint64_t at = 0; at < count; at++)
        to->outer_dst_port[row + at] = (uint16_t)(block->datagram[at] >> 32);
    for (uint64_t at = 0; at < count; at++)
        to->inner_src_port[row + at] = (uint16_t)(block->inner_ports[at] >> 16);
    for (uint64_t at = 0; at < count; at++)
        to->inner_dst_port[row + at] = (uint16_t)block->inner_ports[at];
    for (uint64_t at = 0; at < count; at++)
        to->inner_ethertype[row + at] = block->inner_family[at] == 4 ? TYPE_IPV4 : TYPE_IPV6;
    for (uint64_t at = 0; at < count; at++)
        to->reserved[row + at] = (uint8_t)block->vxlan[at];
    for (uint64_t at = 0; at < count; at++)
        to->ip_checksum[row + at] = block->outer_family[at] == 4 ? ip_checksum : CHECKSUM_UNCHECKED;
    for (uint64_t at = 0; at < count; at++)
        to->udp_checksum[row + at] = block->checksum[at] ? udp_checksum : CHECKSUM_ABSENT;
}

/* Put any row into the columns; returns whether it was accepted. */
COLD bool decap_any(const struct vxlanpkt_frames *frames, uint64_t row, uint32_t kind,
                    const struct vxlanpkt_rules *rules, uint8_t *out, bool full)
{
    const struct columns to = lay_out(out, frames->rows, full);
    struct vxlanpkt_record record;
    struct extent in;
    clear_record(&record);
    if (read_row(frames, row, &in)) {
        const struct job job = {frames->data, rules, &record};
        decap_frame(&job, in, kind, UNKNOWN, full);
    } else {
        record.status = REASON_ROW_OUT_OF_RANGE;
    }
    put_record(&to, row, &record, full);
    return record.status == REASON_OK;
}

INLINE int64_t decap_rows(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                          uint8_t *out, bool full)
{
    const struct vxlanpkt_frames batch = *frames; /* a copy, which no store can reach, stays in registers */
    const struct columns to = lay_out(out, batch.rows, full);
    const struct plain_rules plain = plain_rules_of(rules, kind);
    const bool far = batch.size > PREFETCH_FROM;
    const uint8_t ip_checksum = rules->verify_ip_checksum ? CHECKSUM_VALID : CHECKSUM_UNCHECKED;
    const uint8_t udp_checksum = rules->verify_udp_checksum ? CHECKSUM_VALID : CHECKSUM_UNCHECKED;
    int64_t accepted = 0;
    fill_columns(&to, batch.rows, full);
    for (uint64_t first = 0; first < batch.rows; first += BLOCK) {
        struct plain_block block;
        uint64_t count = smaller(batch.rows - first, BLOCK);
        uint32_t odd[BLOCK], odd_count = 0;
        for (uint64_t at = 0; at < count; at++) {
            struct extent in;
            if (far)
                prefetch_row(&batch, first + at + PREFETCH_ROWS);
            if (!plain.possible || !read_row(&batch, first + at, &in) || in.missing
                || !find_plain_row(batch.data + in.start, in, &plain, &to, first + at, &block, at, full))
                odd[odd_count++] = (uint32_t)at;
        }
        /* Most blocks are whole: with a constant count the loops need no remainders. */
        if (count == BLOCK)
            put_block(&to, first, &block, BLOCK, full, ip_checksum, udp_checksum);
        else
            put_block(&to, first, &block, count, full, ip_checksum, udp_checksum);
        accepted += (int64_t)(count - odd_count);
        for (uint32_t at = 0; at < odd_count; at++)
            accepted += decap_any(frames, first + odd[at], kind, rules, out, full);
    }
    return accepted;
}

INLINE int64_t decap_columns(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                             uint32_t brief, uint8_t *out)
{
    return brief ? decap_rows(frames, kind, rules, out, false) : decap_rows(frames, kind, rules, out, true);
}

#ifdef WIDE
WIDE static int64_t decap_wide(const struct vxlanpkt_frames *frames, uint32_t kind,
                               const struct vxlanpkt_rules *rules, uint32_t brief, uint8_t *out)
{
    return decap_columns(frames, kind, rules, brief, out);
}
#endif

int64_t vxlanpkt_decap(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                       uint32_t brief, uint8_t *out, uint64_t size)
{
    if (size / (brief ? BRIEF_ROW : FULL_ROW) < frames->rows)
        return VXLANPKT_NO_SPACE;
    if (overlap(out, size, frames->data, frames->size))
        return VXLANPKT_OVERLAP;
#ifdef WIDE
    if (HAS_WIDE)
        return decap_wide(frames, kind, rules, brief, out);
#endif
    return decap_columns(frames, kind, rules, brief, out);
}

struct vxlanpkt_record vxlanpkt_decap_one(const uint8_t *data, uint64_t size, uint64_t missing, uint32_t kind,
                                          const struct vxlanpkt_rules *rules,
                                          const struct vxlanpkt_underlay *underlay)
{
    struct vxlanpkt_record record;
    clear_record(&record);
    const struct job job = {data, rules, &record};
    struct underlay known = UNKNOWN;
    if (underlay)
        known = (struct underlay){underlay->version, underlay->tos, underlay->source};
    if (size > UINT32_MAX)
        record.status = REASON_ROW_OUT_OF_RANGE;
    else
        decap_frame(&job, (struct extent){0, size, missing}, kind, known, true);
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

/* Short frames are copied without a call, by moves of constant size that overlap in the middle. */
INLINE void copy_frame(uint8_t *to, const uint8_t *from, uint64_t length)
{
    if (length - 32 <= 32) {
        memcpy(to, from, 32);
        memcpy(to + length - 32, from + length - 32, 32);
    } else if (length - 64 <= 64) {
        memcpy(to, from, 64);
        memcpy(to + length - 64, from + length - 64, 64);
    } else {
        memcpy(to, from, length);
    }
}

/* Encapsulate any row. */
COLD uint32_t encap_any(const uint8_t *data, struct extent in, const struct vxlanpkt_recipe *recipe,
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
        copy_frame(to + header_length, frame, length);
    put_output(out, row, at, header_length + (mode == ENCAP_MODE_HEADERS ? 0 : length), mode);
    return true;
}

/* Encapsulate a row that is not plain, or is to be refused. */
COLD uint32_t encap_odd(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                        const uint32_t *index, uint32_t identification, uint32_t mode, uint64_t row,
                        struct output *out)
{
    struct extent in;
    const struct vxlanpkt_recipe *recipe;
    uint32_t reason = choose(table, index, row, &recipe);
    out->offsets[row] = out->position;
    out->lengths[row] = 0;
    if (reason == REASON_OK && !read_row(frames, row, &in))
        reason = REASON_ROW_OUT_OF_RANGE;
    if (reason == REASON_OK)
        reason = encap_any(frames->data, in, recipe, identification, mode, row, out);
    out->status[row] = (uint8_t)reason;
    return reason;
}

INLINE int64_t encap_rows(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                          const uint32_t *index, int64_t identification, uint32_t mode, uint32_t shape,
                          struct output out)
{
    const struct vxlanpkt_frames batch = *frames; /* copies, which no store can reach, stay in registers */
    struct vxlanpkt_recipe single = {.plain = false};
    const uint32_t step = identification < 0 ? 0 : 1;
    uint32_t number = identification < 0 ? 0 : (uint32_t)identification;
    const bool far = mode != ENCAP_MODE_COPY && batch.size > PREFETCH_FROM;
    int64_t accepted = (int64_t)batch.rows;
    if (shape != SHAPE_ANY)
        single = *table->recipes;
    memset(out.status, REASON_OK, batch.rows);
    for (uint64_t row = 0; row < batch.rows; row++, number += step) {
        const struct vxlanpkt_recipe *recipe = &single;
        struct extent in;
        if (far)
            prefetch_row(&batch, row + PREFETCH_ROWS);
        if (shape == SHAPE_ANY && choose(table, index, row, &recipe) != REASON_OK)
            recipe = &single;
        bool inside = read_row(&batch, row, &in);
        if (!inside || (shape == SHAPE_ANY && !recipe->plain)
            || !encap_plain(batch.data, in, recipe, shape, number & 0xFFFF, mode, row, &out)) {
            struct output here = out; /* a copy too: nobody else has the address of the other */
            accepted -= encap_odd(frames, table, index, number & 0xFFFF, mode, row, &here) != REASON_OK;
            out.position = here.position;
        }
        if (mode == ENCAP_MODE_IN_PLACE && inside)
            out.floor = larger(out.floor, in.end);
    }
    return accepted;
}

/* The bytes of all rows, where those outside of the buffer do not count if they claim more than it holds. */
uint64_t vxlanpkt_total_length(const struct vxlanpkt_frames *frames)
{
    uint64_t total = 0;
    for (uint64_t row = 0; row < frames->rows; row++)
        total += ((const item32 *)frames->lengths)[row];
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

/* One tunnel of a usual shape has loops of its own, in which sizes and places are constants. */
INLINE int64_t encap_shaped(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                            const uint32_t *index, int64_t identification, uint32_t mode, struct output out)
{
    uint32_t shape = index || !table->count ? SHAPE_ANY : shape_of(table->recipes);
    if (shape == SHAPE_IPV4)
        return encap_rows(frames, table, index, identification, mode, SHAPE_IPV4, out);
    if (shape == SHAPE_IPV6)
        return encap_rows(frames, table, index, identification, mode, SHAPE_IPV6, out);
    return encap_rows(frames, table, index, identification, mode, SHAPE_ANY, out);
}

INLINE int64_t encap_mode(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                          const uint32_t *index, int64_t identification, uint32_t mode, struct output out)
{
    if (mode == ENCAP_MODE_COPY)
        return encap_shaped(frames, table, index, identification, ENCAP_MODE_COPY, out);
    if (mode == ENCAP_MODE_HEADERS)
        return encap_shaped(frames, table, index, identification, ENCAP_MODE_HEADERS, out);
    return encap_shaped(frames, table, index, identification, ENCAP_MODE_IN_PLACE, out);
}

#ifdef WIDE
WIDE static int64_t encap_wide(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                               const uint32_t *index, int64_t identification, uint32_t mode, struct output out)
{
    return encap_mode(frames, table, index, identification, mode, out);
}
#endif

int64_t vxlanpkt_encap(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                       const uint32_t *index, int64_t identification, uint32_t mode, uint8_t *out, uint64_t size)
{
    uint64_t columns = OUTPUT_ROW * frames->rows;
    if (size / OUTPUT_ROW < frames->rows || size - columns < needed_space(frames, table->largest, mode))
        return VXLANPKT_NO_SPACE;
    if (overlap(out, size, frames->data, frames->size))
        return VXLANPKT_OVERLAP;
    struct output to = {
        .data = mode == ENCAP_MODE_IN_PLACE ? frames->data : out + columns,
        .size = size - columns,
    };
    to.offsets = take(&out, frames->rows, 8);
    to.lengths = take(&out, frames->rows, 4);
    to.status = take(&out, frames->rows, 1);
#ifdef WIDE
    if (HAS_WIDE)
        return encap_wide(frames, table, index, identification, mode, to);
#endif
    return encap_mode(frames, table, index, identification, mode, to);
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
