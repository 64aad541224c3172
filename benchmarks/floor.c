/* The ceilings of bulk work: what moving the same bytes costs when nothing else is done. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "floor.h"

/* Have the allocator keep what is freed for whoever comes next. By itself it hands large blocks back to the system now
 * and then, and whether a job pays for new pages depends on what ran before it. */
void keep_freed_memory(void)
{
#ifdef __GLIBC__
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

#define PAGE 4096

/* Where in `room`, which has a page to spare, to copy `source` to. Processors take a load for one that depends on an
 * earlier store if their addresses differ by whole pages only: half a page apart, copying is at its fastest. */
unsigned char *apart(unsigned char *room, const unsigned char *source)
{
    uintptr_t wanted = (uintptr_t)source + PAGE / 2;
    return room + (wanted - (uintptr_t)room) % PAGE;
}

void copy_whole(unsigned char *target, const unsigned char *source, size_t size)
{
    memcpy(target, source, size);
}

/* Frame by frame, behind each other, with the columns that say where each one went. */
void copy_rows(Rows *target, const Rows *source)
{
    uint64_t at = 0;
    for (size_t row = 0; row < source->count; row++) {
        uint32_t length = source->lengths[row];
        memcpy(target->data + at, source->data + source->offsets[row], length);
        target->offsets[row] = at;
        target->lengths[row] = length;
        at += length;
    }
}

/* As copy_rows, into `size` bytes and columns that are allocated for it and freed again; -1 if there is no memory. */
int copy_rows_fresh(const Rows *source, size_t size)
{
    unsigned char *room = malloc(size + PAGE);
    Rows target = {
        .offsets = malloc(source->count * sizeof *target.offsets),
        .lengths = malloc(source->count * sizeof *target.lengths),
        .count = source->count,
    };
    int made = room && target.offsets && target.lengths;
    if (made) {
        target.data = apart(room, source->data);
        copy_rows(&target, source);
        /* Without this the compiler may see that nobody reads what was copied, and leave it out. */
        __asm__ volatile("" : : "r"(&target) : "memory");
    }
    free(room);
    free(target.offsets);
    free(target.lengths);
    return made ? 0 : -1;
}

/* Copy and add up 64 bits at a time: two sums of 32-bit halves, which cannot overflow in a frame. */
static uint64_t copy_and_sum(unsigned char *restrict target, const unsigned char *restrict source, size_t size)
{
    uint64_t low = 0, high = 0, word = 0;
    size_t at = 0;
    for (; at + sizeof word <= size; at += sizeof word) {
        memcpy(&word, source + at, sizeof word);
        memcpy(target + at, &word, sizeof word);
        low += word & UINT32_MAX;
        high += word >> 32;
    }
    if (at < size) {
        word = 0;
        memcpy(&word, source + at, size - at);
        memcpy(target + at, &word, size - at);
        low += word & UINT32_MAX;
        high += word >> 32;
    }
    return low + high;
}

/* The one's complement sum in 16 bits, read in network order (RFC 1071 section 2B). */
static uint16_t fold(uint64_t sum)
{
    while (sum >> 16) {
        sum = (sum & UINT16_MAX) + (sum >> 16);
    }
    uint16_t folded = (uint16_t)sum;
    unsigned char bytes[sizeof folded];
    memcpy(bytes, &folded, sizeof folded);
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

void copy_and_sum_rows(Rows *target, const Rows *source, uint16_t *sums)
{
    uint64_t at = 0;
    for (size_t row = 0; row < source->count; row++) {
        uint32_t length = source->lengths[row];
        sums[row] = fold(copy_and_sum(target->data + at, source->data + source->offsets[row], length));
        target->offsets[row] = at;
        target->lengths[row] = length;
        at += length;
    }
}

/* The fixed cost of a call from Python, by the number of arguments. */

void nothing0(void)
{
}

void nothing1(const void *a)
{
    (void)a;
}

void nothing2(const void *a, size_t b)
{
    (void)a;
    (void)b;
}

void nothing3(const void *a, size_t b, const void *c)
{
    (void)a;
    (void)b;
    (void)c;
}

void nothing4(const void *a, size_t b, const void *c, size_t d)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
}

void nothing5(const void *a, size_t b, const void *c, size_t d, const void *e)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    (void)e;
}

void nothing6(const void *a, size_t b, const void *c, size_t d, const void *e, size_t f)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    (void)e;
    (void)f;
}

void nothing7(const void *a, size_t b, const void *c, size_t d, const void *e, size_t f, const void *g)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    (void)e;
    (void)f;
    (void)g;
}

void nothing8(const void *a, size_t b, const void *c, size_t d, const void *e, size_t f, const void *g, size_t h)
{
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    (void)e;
    (void)f;
    (void)g;
    (void)h;
}

/* Tables. A probe is what a look-up cannot do without: a hash, a slot that is probably not in the cache, a comparison.
 * Slots are fetched for 32 keys at a time, as one after the other would wait for each. A key is never 0. */

static uint64_t place_of(uint64_t key, uint64_t count)
{
    return ((key * 0x9E3779B97F4A7C15u) >> 32) * count >> 32;
}

void fill_slots(Slot *slots, uint64_t count, const uint64_t *keys, size_t rows)
{
    for (size_t row = 0; row < rows; row++) {
        uint64_t at = place_of(keys[row], count);
        while (slots[at].key && slots[at].key != keys[row]) {
            at = at + 1 == count ? 0 : at + 1;
        }
        slots[at] = (Slot){keys[row], row};
    }
}

static uint32_t probe(const Slot *slots, uint64_t count, uint64_t key, uint64_t at)
{
    while (slots[at].key) {
        if (slots[at].key == key) {
            return (uint32_t)slots[at].value;
        }
        at = at + 1 == count ? 0 : at + 1;
    }
    return UINT32_MAX;
}

void probe_slots(const Slot *slots, uint64_t count, const uint64_t *keys, size_t rows, uint32_t *values)
{
    uint64_t places[32];
    for (size_t begin = 0; begin < rows; begin += 32) {
        size_t block = rows - begin < 32 ? rows - begin : 32;
        for (size_t at = 0; at < block; at++) {
            places[at] = place_of(keys[begin + at], count);
#if defined(__GNUC__)
            __builtin_prefetch(slots + places[at]);
#endif
        }
        for (size_t at = 0; at < block; at++) {
            values[begin + at] = probe(slots, count, keys[begin + at], places[at]);
        }
    }
}

/* As a proxy does that keeps its routes in a list, and the one used last in front. */
void walk_routes(Route *routes, size_t count, const uint32_t *addresses, size_t rows, uint32_t *values)
{
    for (size_t row = 0; row < rows; row++) {
        values[row] = UINT32_MAX;
        for (size_t at = 0; at < count; at++) {
            if ((addresses[row] & routes[at].mask) == routes[at].network) {
                Route found = routes[at];
                routes[at] = routes[0];
                routes[0] = found;
                values[row] = found.value;
                break;
            }
        }
    }
}
