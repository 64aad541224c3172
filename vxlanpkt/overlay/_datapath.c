/* The packet loops of the user-space backends: a TUN or TAP device on one side, UDP sockets on the other. Linux only.
 *
 * No Python.h, no allocation, no state but the caller's. What the library's kernel knows (bounds, rules, hashes, sums)
 * is taken from its headers, of which some functions are left unused.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#define accept accept_span /* sockets have one too */
#include "csrc/contract.h"

#include "csrc/bytes.h"
#include "csrc/scanning.h"
#include "csrc/hashing.h"
#include "csrc/encapsulation.h"
#include "csrc/options.h"
#include "csrc/outer.h"
#include "csrc/inner.h"
#include "csrc/decapsulation.h"
#include "csrc/rows.h"
#include "csrc/altering.h"
#undef accept
#pragma GCC diagnostic pop

#include "overlay/csrc/datapath.h"

#include "overlay/csrc/peers.h"
#include "overlay/csrc/segments.h"
#include "overlay/csrc/joining.h"
#include "overlay/csrc/outgoing.h"
#include "overlay/csrc/tunnel_gso.h"
#include "overlay/csrc/sending.h"
#include "overlay/csrc/receiving.h"
#include "overlay/csrc/loop.h"

/* The declarations of the kernel that this was built with: rules and recipes come from there. */
uint32_t vxlanpkt_datapath_kernel(void) { return VXLANPKT_CONTRACT; }

/* -- queues */

uint32_t vxlanpkt_datapath_run(struct vxlanpkt_queue *queue)
{
    uint32_t halt = run(queue);
    queue->event_time = now_ms();
    __atomic_store_n(&queue->in_use, NULL, __ATOMIC_SEQ_CST);
    return halt;
}

void vxlanpkt_datapath_use(struct vxlanpkt_queue *queue, const struct vxlanpkt_peers *peers)
{
    __atomic_store_n(&queue->peers, peers, __ATOMIC_SEQ_CST);
}

const struct vxlanpkt_peers *vxlanpkt_datapath_in_use(const struct vxlanpkt_queue *queue)
{
    return __atomic_load_n(&queue->in_use, __ATOMIC_SEQ_CST);
}

void vxlanpkt_datapath_stop(struct vxlanpkt_queue *queue) { __atomic_store_n(&queue->stopping, 1, __ATOMIC_RELEASE); }

/* -- peers */

void vxlanpkt_set_next_hop(const struct vxlanpkt_peers *peers, uint32_t number, const struct vxlanpkt_next_hop *hop)
{
    __atomic_store_n(peers->next_hops + number, hop, __ATOMIC_RELEASE);
}

uint32_t vxlanpkt_fill_places(struct vxlanpkt_place *places, uint32_t place_count, uint64_t seed,
                              const struct vxlanpkt_place *items, uint32_t count)
{
    if (!place_count || place_count & (place_count - 1))
        return 0;
    return fill_places(places, place_count, seed, items, count);
}

uint32_t vxlanpkt_find_peer(const struct vxlanpkt_peers *peers, const uint8_t *key, uint32_t length)
{
    return find_peer(peers, key, length);
}

uint32_t vxlanpkt_find_route(const struct vxlanpkt_peers *peers, const uint8_t *address, uint32_t is_ipv4)
{
    return find_route(peers, address, is_ipv4 != 0);
}

/* -- the parts that need no device */

static bool look_inside(const uint8_t *frame, uint64_t size, uint32_t raw, struct inner *inner)
{
    if (size < (raw ? 1 : 14) || size > DATAPATH_BUFFER)
        return false;
    find_inner(frame, size, raw != 0, inner);
    return true;
}

/* Cut a frame; -1 if it is unsound, or there is no room. */
int64_t vxlanpkt_cut_frame(const uint8_t *frame, uint64_t size, uint32_t raw, const struct vxlanpkt_offload *offload,
                           uint8_t *out, uint64_t out_size, uint32_t *lengths, uint32_t most)
{
    struct inner inner;
    struct cut cut;
    uint64_t used = 0;
    if (!look_inside(frame, size, raw, &inner) || !plan_cut(frame, &inner, offload, &cut) || cut.count > most)
        return -1;
    for (uint32_t number = 0; number < cut.count; number++) {
        uint64_t part = part_size(&cut, number), length = cut.at.payload + part;
        if (length > out_size - used)
            return -1;
        put_part(frame, &cut, number, out + used);
        memcpy(out + used + cut.at.payload, frame + cut.at.payload + (uint64_t)number * cut.size, part);
        lengths[number] = (uint32_t)length;
        used += length;
    }
    return (int64_t)used;
}

uint32_t vxlanpkt_finish_checksum(uint8_t *frame, uint64_t size, const struct vxlanpkt_offload *offload)
{
    return finish_checksum(frame, size, offload);
}

/* 1, or 0 for what is not to be handed on. */
uint32_t vxlanpkt_describe_frame(uint8_t *frame, uint64_t size, uint32_t raw, uint32_t mtu,
                                 struct vxlanpkt_offload *offload)
{
    struct inner inner = {.is_ip = false};
    memset(offload, 0, sizeof *offload);
    return !look_inside(frame, size, raw, &inner) || describe_frame(frame, &inner, mtu, offload);
}

static int64_t put_joined(struct joined *joined, struct vxlanpkt_offload *offload, uint8_t *out, uint64_t room)
{
    uint64_t used = joined->at.payload + joined->payload;
    memset(offload, 0, sizeof *offload);
    if (used > room)
        return -1;
    if (joined->count > 1)
        finish_joined(joined, offload);
    else
        offload->flags = DATA_VALID;
    memcpy(out, joined->frame, joined->at.payload);
    out += joined->at.payload;
    for (uint32_t at = 0; at < joined->count; at++) {
        memcpy(out, joined->parts[2 + at].iov_base, joined->parts[2 + at].iov_len);
        out += joined->parts[2 + at].iov_len;
    }
    joined->count = 0;
    return (int64_t)used;
}

/* Join frames that lie one behind the other as the loop joins what it receives; returns how many came of it, or -1. */
int64_t vxlanpkt_join_frames(uint8_t *data, const uint32_t *lengths, uint32_t count, uint32_t raw,
                             struct vxlanpkt_offload *offloads, uint8_t *out, uint64_t out_size, uint32_t *out_lengths)
{
    struct joined joined = {.count = 0};
    uint64_t used = 0;
    int64_t made = 0;
    for (uint32_t at = 0; at <= count; at++) {
        struct inner inner;
        struct transport transport;
        uint64_t size = at < count ? lengths[at] : 0;
        bool joins = at < count && look_inside(data, size, raw, &inner) && is_joinable(data, size, &inner, &transport);
        bool added = joins && joined.count && add_joined(&joined, data, &transport);
        if (!added && joined.count) {
            int64_t length = put_joined(&joined, offloads + made, out + used, out_size - used);
            if (length < 0)
                return -1;
            out_lengths[made++] = (uint32_t)length;
            used += (uint64_t)length;
        }
        if (joins && !added) {
            begin_joined(&joined, data, size, &transport);
        } else if (!joins && at < count) {
            if (size > out_size - used)
                return -1;
            memset(offloads + made, 0, sizeof *offloads);
            memcpy(out + used, data, size);
            out_lengths[made++] = (uint32_t)size;
            used += size;
        }
        data += size;
    }
    return made;
}
