/* The C kernel: its entry points. kernel/python/ is the specification; a header that has a twin there bears its name.
 *
 * No Python.h, no allocation, no state. Every row's range is checked against the buffer here, whatever the caller
 * believes of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/contract.h"

#include "csrc/bytes.h"
#include "csrc/scanning.h"
#include "csrc/hashing.h"
#include "csrc/encapsulation.h"
#include "csrc/options.h"
#include "csrc/outer.h"
#include "csrc/inner.h"
#include "csrc/decapsulation.h"
#include "csrc/plain.h"
#include "csrc/rows.h"
#include "csrc/result.h"
#include "csrc/plain_rows.h"
#include "csrc/four.h"
#include "csrc/decap_four.h"
#include "csrc/decap_batch.h"
#include "csrc/altering.h"
#include "csrc/output.h"
#include "csrc/encap_four.h"
#include "csrc/encap_batch.h"
#include "csrc/records.h"
#include "csrc/writing.h"
#include "csrc/grouping.h"
#include "csrc/sightings.h"
#include "csrc/tables.h"
#include "csrc/filtering.h"
#include "csrc/columns.h"
#include "csrc/counting.h"
#include "csrc/words.h"
#include "csrc/releases.h"

/* -- decapsulation */

int64_t vxlanpkt_decap(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                       uint32_t brief, uint8_t *out, uint64_t size)
{
    if (shares_memory(out, size, frames))
        return VXLANPKT_OVERLAP;
    if (size / (brief ? BRIEF_ROW : FULL_ROW) < frames->rows)
        return VXLANPKT_NO_SPACE;
    return decap_batch(frames, kind, rules, !brief, out);
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

uint64_t vxlanpkt_locate_inner(const uint8_t *data, uint64_t size, const struct vxlanpkt_rules *rules)
{
    struct vxlanpkt_record record;
    clear_record(&record);
    const struct job job = {data, rules, &record};
    if (size > UINT32_MAX)
        return 0;
    decap_frame(&job, (struct extent){0, size, 0}, KIND_ETHERNET, UNKNOWN, false);
    uint64_t end = record.inner_offset + record.inner_length;
    if (record.status != REASON_OK || record.notes & (NOTE_STRIPPED | NOTE_REMARKED) || end > UINT16_MAX)
        return 0;
    return (uint64_t)record.vni << 32 | record.inner_offset << 16 | end;
}

int64_t vxlanpkt_alter(const struct vxlanpkt_frames *frames, const struct vxlanpkt_alterations *alterations,
                       uint8_t *out, uint64_t size)
{
    if (shares_memory(out, size, frames) || shares_alterations(out, size, alterations))
        return VXLANPKT_OVERLAP;
    if (alterations->rows < frames->rows)
        return VXLANPKT_WRONG_COLUMNS;
    if (size / ALTERED_ROW < frames->rows)
        return VXLANPKT_NO_SPACE;
    return alter_rows(frames, alterations, out, size);
}

/* -- encapsulation */

int64_t vxlanpkt_encap(const struct vxlanpkt_frames *frames, const struct vxlanpkt_table *table,
                       const uint32_t *index, int64_t identification, uint32_t mode, uint8_t *out, uint64_t size)
{
    uint64_t columns = OUTPUT_ROW * frames->rows;
    if (shares_memory(out, size, frames) || (index && overlap(out, size, index, 4 * frames->rows)))
        return VXLANPKT_OVERLAP;
    if (size / OUTPUT_ROW < frames->rows || size - columns < needed_space(frames, table->largest, mode))
        return VXLANPKT_NO_SPACE;
    struct output to = {
        .data = mode == ENCAP_MODE_IN_PLACE ? frames->data : out + columns,
        .size = size - columns,
    };
    to.offsets = take(&out, frames->rows, 8);
    to.lengths = take(&out, frames->rows, 4);
    to.status = take(&out, frames->rows, 1);
    const uint32_t shape = index || !table->count ? SHAPE_ANY : shape_of(table->recipes);
    const struct encap_job job = {frames, table, index, identification, mode, shape};
    return (int64_t)frames->rows - encap_batch(&job, to);
}

uint64_t vxlanpkt_total_length(const struct vxlanpkt_frames *frames) { return total_length(frames); }

/* Returns why there is no header, if there is none. */
uint32_t vxlanpkt_encap_header(const uint8_t *data, uint64_t size, const struct vxlanpkt_recipe *recipe,
                               uint32_t identification, struct vxlanpkt_header *header)
{
    return encap_header(data, size, recipe, identification, header->bytes);
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
        inherit(data, size, &inner, recipe, &found);
    }
    return !outer_df(recipe->df, found.df);
}

/* -- filters */

int64_t vxlanpkt_select(const struct vxlanpkt_frames *frames, uint32_t kind, uint8_t *columns, uint64_t columns_size,
                        uint32_t brief, const struct vxlanpkt_step *program, uint64_t steps, uint8_t *out,
                        uint64_t size)
{
    uint64_t row_size = brief ? BRIEF_ROW : FULL_ROW;
    if (shares_memory(out, size, frames) || overlap(out, size, columns, columns_size))
        return VXLANPKT_OVERLAP;
    if (size < frames->rows || columns_size / row_size < frames->rows)
        return VXLANPKT_NO_SPACE;
    if (!is_sound_program(program, steps, row_size, !brief))
        return VXLANPKT_UNSOUND;
    const struct filter_input in = {frames, columns, lay_out(columns, frames->rows, !brief), kind == KIND_ETHERNET};
#ifdef WIDE
    if (HAS_WIDE)
        return select_wide(&in, program, steps, out);
#endif
    return select_rows(&in, program, steps, out);
}

/* -- columns of captures */

int64_t vxlanpkt_known(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames,
                       const int64_t *times, const uint32_t *links, uint64_t count, uint32_t unread, uint8_t *out,
                       uint64_t room)
{
    uint64_t rows = frames->rows;
    if (overlap(out, room, columns, size) || shares_memory(out, room, frames) || overlap(out, room, times, 8 * count)
        || overlap(out, room, links, 4 * count))
        return VXLANPKT_OVERLAP;
    if (size / FULL_ROW < rows || count < rows || room / 8 / KNOWN_COUNT < 1 + (rows + 63) / 64)
        return VXLANPKT_NO_SPACE;
    put_known(columns, frames, times, links, unread, out);
    return 0;
}

int64_t vxlanpkt_derived(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames, uint32_t what,
                         uint8_t *out, uint64_t room)
{
    uint64_t rows = frames->rows;
    if (overlap(out, room, columns, size) || shares_memory(out, room, frames))
        return VXLANPKT_OVERLAP;
    if (size / FULL_ROW < rows || room / derived_width(what) < rows)
        return VXLANPKT_NO_SPACE;
    put_derived(columns, frames, what, out);
    return 0;
}

uint64_t vxlanpkt_address_room(const uint8_t *columns, uint64_t size, uint64_t rows, uint32_t which)
{
    return size / FULL_ROW < rows ? 0 : address_room(columns, rows, which);
}

int64_t vxlanpkt_address_text(const uint8_t *columns, uint64_t size, uint64_t rows, uint32_t which, uint8_t *out,
                              uint64_t room)
{
    if (overlap(out, room, columns, size))
        return VXLANPKT_OVERLAP;
    if (size / FULL_ROW < rows || rows > MOST_TEXTS || room < address_room(columns, rows, which))
        return VXLANPKT_NO_SPACE;
    return put_address_text(columns, rows, which, out, room);
}

int64_t vxlanpkt_mac_text(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames, uint32_t which,
                          uint8_t *out, uint64_t room)
{
    uint64_t rows = frames->rows;
    if (overlap(out, room, columns, size) || shares_memory(out, room, frames))
        return VXLANPKT_OVERLAP;
    if (size / FULL_ROW < rows || rows > MOST_TEXTS || room < 4 * (rows + 1) + MAC_TEXT * rows)
        return VXLANPKT_NO_SPACE;
    return put_mac_text(columns, frames, which, out);
}

int64_t vxlanpkt_mac_bytes(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames, uint32_t which,
                           uint8_t *out, uint64_t room)
{
    if (overlap(out, room, columns, size) || shares_memory(out, room, frames))
        return VXLANPKT_OVERLAP;
    if (size / FULL_ROW < frames->rows || room / 6 < frames->rows)
        return VXLANPKT_NO_SPACE;
    put_mac_bytes(columns, frames, which, out);
    return 0;
}

int64_t vxlanpkt_numbers(uint64_t first, uint64_t rows, uint8_t *out, uint64_t room)
{
    if (room / 8 < rows)
        return VXLANPKT_NO_SPACE;
    for (uint64_t row = 0; row < rows; row++)
        ((item64 *)out)[row] = first + row;
    return 0;
}

uint64_t vxlanpkt_names_room(const uint32_t *items, uint64_t rows, const int32_t *lengths, uint64_t count)
{
    return 4 * (rows + 1) + (rows + 7) / 8 + names_room(items, rows, lengths, count);
}

int64_t vxlanpkt_names(const uint32_t *items, uint64_t rows, const uint64_t *starts, const int32_t *lengths,
                       uint64_t count, const uint8_t *text, uint64_t size, uint8_t *out, uint64_t room)
{
    if (overlap(out, room, items, 4 * rows) || overlap(out, room, starts, 8 * count)
        || overlap(out, room, lengths, 4 * count) || overlap(out, room, text, size))
        return VXLANPKT_OVERLAP;
    if (rows > MOST_TEXTS || room < 4 * (rows + 1) + (rows + 7) / 8)
        return VXLANPKT_NO_SPACE;
    return put_names(items, rows, starts, lengths, count, text, size, out, room);
}

int64_t vxlanpkt_pick(const uint8_t *columns, uint64_t size, uint64_t rows, const uint32_t *widths, uint64_t count,
                      const uint8_t *mask, uint8_t *out, uint64_t room)
{
    uint64_t row_size = 0, picked = 0;
    if (overlap(out, room, columns, size) || overlap(out, room, mask, rows))
        return VXLANPKT_OVERLAP;
    for (uint64_t column = 0; column < count; column++)
        row_size += widths[column];
    for (uint64_t row = 0; row < rows; row++)
        picked += ((const volatile uint8_t *)mask)[row] != 0;
    if (row_size && (size / row_size < rows || room / row_size < picked))
        return VXLANPKT_NO_SPACE;
    return pick(columns, rows, widths, count, mask, picked, out);
}

/* -- their addresses as numbers of words */

int64_t vxlanpkt_number_addresses(const uint8_t *columns, uint64_t size, uint64_t rows, uint32_t which, uint64_t first,
                                  struct vxlanpkt_words *words, uint8_t *out, uint64_t room)
{
    struct group_table table;
    if (overlap(out, room, columns, size) || overlap(out, room, words->memory, words->size)
        || overlap(words->memory, words->size, columns, size))
        return VXLANPKT_OVERLAP;
    if (size / FULL_ROW < rows || room / 4 < rows || !open_words(words, &table))
        return VXLANPKT_NO_SPACE;
    const struct columns of = columns_of(columns, rows);
    return (int64_t)number_rows(&of, NULL, rows, which, first, words, table, out);
}

int64_t vxlanpkt_number_macs(const uint8_t *columns, uint64_t size, const struct vxlanpkt_frames *frames,
                             uint32_t which, uint64_t first, struct vxlanpkt_words *words, uint8_t *out,
                             uint64_t room)
{
    struct group_table table;
    if (overlap(out, room, columns, size) || shares_memory(out, room, frames)
        || overlap(out, room, words->memory, words->size) || overlap(words->memory, words->size, columns, size)
        || shares_memory(words->memory, words->size, frames))
        return VXLANPKT_OVERLAP;
    if (size / FULL_ROW < frames->rows || room / 4 < frames->rows || !open_words(words, &table))
        return VXLANPKT_NO_SPACE;
    const struct columns of = columns_of(columns, frames->rows);
    return (int64_t)number_rows(&of, frames, frames->rows, which, first, words, table, out);
}

int64_t vxlanpkt_move_words(const struct vxlanpkt_words *from, struct vxlanpkt_words *to)
{
    struct group_table old, new;
    if (from && overlap(from->memory, from->size, to->memory, to->size))
        return VXLANPKT_OVERLAP;
    to->count = 0;
    if (!open_words(to, &new) || (from && (!open_words(from, &old) || old.capacity > new.capacity)))
        return VXLANPKT_NO_SPACE;
    move_groups(from ? &old : NULL, &new);
    to->count = from ? from->count : 0;
    return (int64_t)to->count;
}

uint64_t vxlanpkt_words_room(const struct vxlanpkt_words *words)
{
    struct group_table table;
    return open_words(words, &table) ? words_room(&table) : 0;
}

int64_t vxlanpkt_words_text(const struct vxlanpkt_words *words, uint8_t *out, uint64_t room)
{
    struct group_table table;
    if (overlap(out, room, words->memory, words->size))
        return VXLANPKT_OVERLAP;
    if (!open_words(words, &table) || room < words_room(&table))
        return VXLANPKT_NO_SPACE;
    return put_words(&table, out, room);
}

/* -- what consumers of columns call */

void vxlanpkt_release_array(struct vxlanpkt_arrow_array *array) { release_array(array); }

void vxlanpkt_release_schema(struct vxlanpkt_arrow_schema *schema) { release_schema(schema); }

void vxlanpkt_release_stream(struct vxlanpkt_arrow_stream *stream) { release_stream(stream); }

struct vxlanpkt_export *vxlanpkt_take_released(struct vxlanpkt_releases *releases) { return take_released(releases); }

/* -- headers */

/* Returns the count of headers of a walk that came to its end; 0 where there are more, or a fault. */
uint32_t vxlanpkt_walk(const uint8_t *data, uint64_t start, uint64_t end, uint64_t missing, uint32_t kind,
                       const uint8_t *ports, uint32_t tunnels, uint32_t reading, struct vxlanpkt_walk *walk)
{
    walk->count = walk->more = walk->reason = 0;
    walk_headers(data, (struct extent){start, end, missing}, kind, ports, tunnels, reading, walk);
    return walk->more || walk->reason ? 0 : walk->count;
}

struct vxlanpkt_walk vxlanpkt_scan(const uint8_t *data, uint64_t start, uint64_t end, uint64_t missing,
                                   uint32_t kind, uint32_t reading)
{
    struct vxlanpkt_walk walk;
    struct span span;
    struct fault fault;
    walk.count = walk.more = walk.reason = 0;
    if (scan(kind, data, (struct extent){start, end, missing}, reading, &span, &fault))
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

/* -- capture files */

struct vxlanpkt_stretch vxlanpkt_read_records(const uint8_t *data, uint64_t begin, uint64_t end,
                                              const struct vxlanpkt_section *section, uint8_t *out, uint64_t rows)
{
    return read_records(data, smaller(begin, end), end, section, out, rows);
}

struct vxlanpkt_stretch vxlanpkt_count_records(const uint8_t *data, uint64_t begin, uint64_t end,
                                               const struct vxlanpkt_section *section,
                                               const struct vxlanpkt_rules *rules, const struct vxlanpkt_counted_by *counts,
                                               uint64_t tables, uint64_t number, uint8_t *columns, uint64_t size)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)data; /* as batches have them, which may be written to by others */
    begin = smaller(begin, end);
    if (!are_fit_counts(data, end, counts, tables, columns, size))
        return (struct vxlanpkt_stretch){0, begin, 0, STOP_UNFIT, 0};
    return count_records(bytes, begin, end, section, rules, counts, tables, number, columns);
}

int64_t vxlanpkt_choose_rows(const uint8_t *status, uint64_t rows, const uint8_t *wanted, uint64_t count, uint8_t *out,
                             uint64_t size)
{
    if (overlap(out, size, status, rows) || (wanted && overlap(out, size, wanted, count)))
        return VXLANPKT_OVERLAP;
    if (wanted && count < rows)
        return VXLANPKT_WRONG_COLUMNS;
    if (size / 4 < rows)
        return VXLANPKT_NO_SPACE;
    return (int64_t)put_chosen(status, wanted, rows, out);
}

void vxlanpkt_sort_rows(const uint32_t *vnis, uint64_t rows, uint32_t *chosen, uint32_t *spare, uint64_t count)
{
    memcpy(spare, chosen, 4 * count);
    sort_by(vnis, rows, chosen, spare, count, 0);
    sort_by(vnis, rows, spare, chosen, count, 12);
}

struct vxlanpkt_written vxlanpkt_put_records(const struct vxlanpkt_packets *packets,
                                             const struct vxlanpkt_target *target, const uint32_t *chosen,
                                             uint64_t position, uint64_t count, uint8_t *out, uint64_t size)
{
    /* Dividing by a constant is a multiplication. */
    if (target->units == 1000000)
        return put_records(packets, target, chosen, position, count, out, size, 1000000);
    return put_records(packets, target, chosen, position, count, out, size, NANOSECONDS);
}

/* -- groups */

int64_t vxlanpkt_group(const struct vxlanpkt_rows *rows, uint64_t first, struct vxlanpkt_groups *groups)
{
    struct group_table table;
    if (shares_rows(groups->memory, groups->size, rows))
        return VXLANPKT_OVERLAP;
    if (!are_sound(rows, groups->key_size))
        return VXLANPKT_WRONG_COLUMNS;
    if (!open_table(groups, &table))
        return VXLANPKT_NO_SPACE;
    return (int64_t)group_rows(rows, first, groups, table);
}

int64_t vxlanpkt_move_groups(const struct vxlanpkt_groups *from, struct vxlanpkt_groups *to)
{
    struct group_table old, new;
    if (from && overlap(from->memory, from->size, to->memory, to->size))
        return VXLANPKT_OVERLAP;
    to->count = 0;
    if (from && from->key_size != to->key_size)
        return VXLANPKT_WRONG_COLUMNS;
    if (!open_table(to, &new) || (from && (!open_table(from, &old) || old.capacity > new.capacity)))
        return VXLANPKT_NO_SPACE;
    move_groups(from ? &old : NULL, &new);
    to->count = from ? from->count : 0;
    to->left_out = from ? from->left_out : 0;
    return (int64_t)to->count;
}

int64_t vxlanpkt_find_groups(const struct vxlanpkt_groups *groups, const struct vxlanpkt_column *keys, uint8_t *out,
                             uint64_t size)
{
    struct group_table table;
    if (overlap(out, size, keys->data, keys->size) || overlap(out, size, groups->memory, groups->size))
        return VXLANPKT_OVERLAP;
    if (!keys->width || keys->width != groups->key_size)
        return VXLANPKT_WRONG_COLUMNS;
    if (!open_table(groups, &table) || size / 4 < keys->size / keys->width)
        return VXLANPKT_NO_SPACE;
    put_numbers(&table, groups->secrets, keys, out);
    return (int64_t)(keys->size / keys->width);
}

int64_t vxlanpkt_bucket(const struct vxlanpkt_column *timestamps, int64_t width, uint8_t *out, uint64_t size)
{
    uint64_t rows = timestamps->size / 8;
    if (overlap(out, size, timestamps->data, timestamps->size))
        return VXLANPKT_OVERLAP;
    if (timestamps->width != 8 || width <= 0)
        return VXLANPKT_WRONG_COLUMNS;
    if (size / 8 < rows)
        return VXLANPKT_NO_SPACE;
    put_buckets(timestamps->data, rows, width, out);
    return (int64_t)rows;
}

/* -- what frames are, and whether they were seen before */

int64_t vxlanpkt_traits(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_column *link_types,
                        uint8_t *out, uint64_t size)
{
    if (shares_memory(out, size, frames)
        || (link_types->data && overlap(out, size, link_types->data, link_types->size)))
        return VXLANPKT_OVERLAP;
    if (link_types->data && (link_types->width != 2 || link_types->size / 2 < frames->rows))
        return VXLANPKT_WRONG_COLUMNS;
    if (size / TRAIT_ROW < frames->rows)
        return VXLANPKT_NO_SPACE;
    put_traits(frames, kind, link_types->data, out);
    return (int64_t)frames->rows;
}

int64_t vxlanpkt_digest(const struct vxlanpkt_rows *rows, const struct vxlanpkt_frames *frames, const uint64_t *secrets,
                        uint8_t *out, uint64_t size)
{
    if (shares_rows(out, size, rows) || (frames && shares_memory(out, size, frames)))
        return VXLANPKT_OVERLAP;
    if (!have_all_rows(rows) || (frames && frames->rows < rows->count))
        return VXLANPKT_WRONG_COLUMNS;
    if (size / 8 < rows->count)
        return VXLANPKT_NO_SPACE;
    put_digests(rows, frames, secrets, out);
    return (int64_t)rows->count;
}

int64_t vxlanpkt_sight(const struct vxlanpkt_sighted *rows, uint8_t *memory, uint64_t memory_size, uint8_t *out,
                       uint64_t size)
{
    uint64_t count = rows->digests.size / 8, sets = smaller(memory_size / SIGHT_SET, UINT32_MAX);
    const struct vxlanpkt_column *columns[] = {&rows->digests, &rows->marks, &rows->timestamps};
    for (int at = 0; at < 3; at++)
        if (overlap(out, size, columns[at]->data, columns[at]->size)
            || overlap(memory, memory_size, columns[at]->data, columns[at]->size))
            return VXLANPKT_OVERLAP;
    if (overlap(out, size, memory, memory_size))
        return VXLANPKT_OVERLAP;
    if (rows->digests.width != 8 || rows->marks.width != 4 || rows->timestamps.width != 8
        || rows->marks.size / 4 < count || rows->timestamps.size / 8 < count)
        return VXLANPKT_WRONG_COLUMNS;
    if (!sets || size / SIGHTING_ROW < count)
        return VXLANPKT_NO_SPACE;
    return (int64_t)sight_rows(rows, (item64 *)memory, sets, out);
}

/* -- maps of prefixes */

int64_t vxlanpkt_put_prefixes(struct vxlanpkt_map *map, const uint8_t *keys, uint64_t count, uint32_t length,
                              const uint32_t *values, int64_t stamp)
{
    struct prefix_map parts;
    if (overlap(map->memory, map->size, keys, 16 * count) || overlap(map->memory, map->size, values, 4 * count))
        return VXLANPKT_OVERLAP;
    if (!open_map(map, &parts))
        return VXLANPKT_NO_SPACE;
    uint64_t number = number_of_length(&parts, length), done = 0;
    if (number == parts.length_count && length)
        return VXLANPKT_WRONG_COLUMNS;
    for (; done < count; done++) {
        if (!length)
            map->none = ((const item32 *)values)[done];
        else if (!put_prefix(map, &parts, load_key(keys + 16 * done, 16), number, ((const item32 *)values)[done], stamp))
            break;
    }
    return (int64_t)done;
}

int64_t vxlanpkt_drop_prefixes(struct vxlanpkt_map *map, const uint8_t *keys, uint64_t count, uint32_t length)
{
    struct prefix_map parts;
    if (overlap(map->memory, map->size, keys, 16 * count))
        return VXLANPKT_OVERLAP;
    if (!open_map(map, &parts))
        return VXLANPKT_NO_SPACE;
    uint64_t number = number_of_length(&parts, length), dropped = 0;
    for (uint64_t at = 0; at < count; at++) {
        if (!length) {
            dropped += map->none != VXLANPKT_NO_VALUE;
            map->none = VXLANPKT_NO_VALUE;
        } else if (number < parts.length_count)
            dropped += drop_prefix(map, &parts, load_key(keys + 16 * at, 16), number);
    }
    return (int64_t)dropped;
}

/* Put the prefixes of one map into an empty one, which may have other lengths. */
int64_t vxlanpkt_move_prefixes(const struct vxlanpkt_map *from, struct vxlanpkt_map *to)
{
    struct prefix_map old, new;
    bool fits = true;
    if (from && overlap(from->memory, from->size, to->memory, to->size))
        return VXLANPKT_OVERLAP;
    to->used = to->count = to->longest_marker = to->stale = 0;
    to->none = from ? from->none : VXLANPKT_NO_VALUE;
    if (!open_map(to, &new) || (from && !open_map(from, &old)))
        return VXLANPKT_NO_SPACE;
    memset(new.slots, 0, SLOT * new.count);
    for (uint64_t at = 0; from && at < old.count; at++) {
        struct slot slot = read_slot(&old, at);
        uint64_t number = number_of_length(&new, slot.length);
        if (!(slot.state & IS_PREFIX))
            continue;
        if (number == new.length_count)
            return VXLANPKT_WRONG_COLUMNS;
        fits = fits && put_prefix(to, &new, slot.key, number, slot.value, slot.stamp);
    }
    return fits ? (int64_t)to->count : VXLANPKT_NO_SPACE;
}

int64_t vxlanpkt_settle(struct vxlanpkt_map *map)
{
    struct prefix_map parts;
    if (!open_map(map, &parts))
        return VXLANPKT_NO_SPACE;
    if (map->stale)
        settle_markers(&parts);
    map->stale = 0;
    return 0;
}

int64_t vxlanpkt_list_prefixes(const struct vxlanpkt_map *map, uint64_t *next, int64_t before, uint32_t value,
                               uint8_t *out, uint64_t size)
{
    struct prefix_map parts;
    if (overlap(map->memory, map->size, out, size))
        return VXLANPKT_OVERLAP;
    if (!open_map(map, &parts))
        return VXLANPKT_NO_SPACE;
    return (int64_t)list_prefixes(&parts, next, before, value, out, size / SLOT);
}

struct vxlanpkt_mapped vxlanpkt_find_prefix(const struct vxlanpkt_map *map, const uint8_t *key, uint32_t length)
{
    struct prefix_map parts;
    struct slot slot = {.state = 0};
    if (!open_map(map, &parts) || number_of_length(&parts, length) == parts.length_count || !parts.count)
        return (struct vxlanpkt_mapped){0, length ? VXLANPKT_NO_VALUE : map->none, 0};
    struct key cut = cut_key(load_key(key, 16), length);
    seek(&parts, cut, length, home_of(&parts, cut, length), &slot);
    if (!(slot.state & IS_PREFIX))
        return (struct vxlanpkt_mapped){0, VXLANPKT_NO_VALUE, 0};
    return (struct vxlanpkt_mapped){slot.stamp, slot.value, 1};
}

int64_t vxlanpkt_look_up(const struct vxlanpkt_map *map, const struct vxlanpkt_asked *asked, uint8_t *out,
                         uint64_t size)
{
    struct prefix_map parts;
    if (overlap(out, size, asked->keys, asked->keys_size) || overlap(out, size, map->memory, map->size)
        || (asked->families && overlap(out, size, asked->families, asked->family_count)))
        return VXLANPKT_OVERLAP;
    if (!are_keys(asked))
        return VXLANPKT_WRONG_COLUMNS;
    if (!open_map(map, &parts) || size / 4 < asked->rows)
        return VXLANPKT_NO_SPACE;
    return (int64_t)look_up_keys(map, &parts, asked, INT64_MIN, out);
}

int64_t vxlanpkt_look_up_macs(const struct vxlanpkt_map *map, const struct vxlanpkt_macs *asked, uint8_t *out,
                              uint64_t size)
{
    struct prefix_map parts;
    if (shares_macs(out, size, asked) || overlap(out, size, map->memory, map->size))
        return VXLANPKT_OVERLAP;
    if (asked->rows < asked->frames->rows)
        return VXLANPKT_WRONG_COLUMNS;
    if (!open_map(map, &parts) || size / 4 < asked->frames->rows)
        return VXLANPKT_NO_SPACE;
    return (int64_t)look_up_macs(&parts, asked, out);
}

int64_t vxlanpkt_refresh_macs(struct vxlanpkt_map *map, const struct vxlanpkt_macs *asked,
                              const struct vxlanpkt_senders *senders, uint8_t *out, uint64_t size)
{
    struct prefix_map parts;
    if (shares_macs(out, size, asked) || shares_memory(map->memory, map->size, asked->frames)
        || overlap(out, size, map->memory, map->size) || overlap(out, size, senders->column, 4 * senders->rows)
        || overlap(out, size, senders->owners, 4 * senders->owner_count))
        return VXLANPKT_OVERLAP;
    if (smaller(asked->rows, senders->rows) < asked->frames->rows)
        return VXLANPKT_WRONG_COLUMNS;
    if (!open_map(map, &parts) || size < asked->frames->rows)
        return VXLANPKT_NO_SPACE;
    return (int64_t)refresh_macs(&parts, asked, senders, out);
}
