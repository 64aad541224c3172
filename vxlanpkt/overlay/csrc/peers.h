/* Which peer a packet goes to: a hash table that does not change once it is made.
 *
 * Whoever may choose addresses must not be able to choose those that meet in one place, so the hash is keyed.
 */

enum { MAPPED_BITS = 96 };

static uint64_t place_of(const uint8_t *key, uint32_t length, uint64_t seed)
{
    uint64_t mixed = mix(load64(key) ^ seed, load64(key + 8) ^ K1 ^ seed << 32);
    return mix(mixed ^ K2, length ^ K3 ^ seed);
}

static uint32_t find_peer(const struct vxlanpkt_peers *peers, const uint8_t *key, uint32_t length)
{
    uint32_t mask = peers->place_count - 1;
    if (!peers->place_count)
        return DATAPATH_NO_PEER;
    for (uint64_t at = place_of(key, length, peers->seed);; at++) {
        const struct vxlanpkt_place *place = peers->places + (at & mask);
        if (place->peer == DATAPATH_NO_PEER)
            return DATAPATH_NO_PEER;
        if (place->length == length && !memcmp(place->key, key, 16))
            return place->peer;
    }
}

/* Keep the first `length` bits of an address. */
static void mask_address(const uint8_t *address, uint32_t length, uint8_t *masked)
{
    uint64_t high = load64(address), low = load64(address + 8);
    if (length <= 64) {
        low = 0;
        high = length == 0 ? 0 : high & ~(uint64_t)0 << (64 - length);
    } else {
        low &= length >= 128 ? ~(uint64_t)0 : ~(uint64_t)0 << (128 - length);
    }
    store64(masked, high);
    store64(masked + 8, low);
}

/* The peer of the longest prefix that an address lies in. IPv4 is in its mapped form: its prefixes are those of 96 bits
 * and more there, which an IPv6 packet to such an address does not get at. */
static uint32_t find_route(const struct vxlanpkt_peers *peers, const uint8_t *address, bool is_ipv4)
{
    uint8_t masked[16];
    bool is_mapped = !load64(address) && load32(address + 8) == 0xFFFF;
    for (uint32_t at = 0; at < peers->length_count; at++) {
        if (is_mapped && is_ipv4 != (peers->lengths[at] >= MAPPED_BITS))
            continue;
        mask_address(address, peers->lengths[at], masked);
        uint32_t peer = find_peer(peers, masked, peers->lengths[at]);
        if (peer != DATAPATH_NO_PEER)
            return peer;
    }
    return DATAPATH_NO_PEER;
}

/* Put items into free places; returns how many were new: the first of two that are equal stays. */
static uint32_t fill_places(struct vxlanpkt_place *places, uint32_t place_count, uint64_t seed,
                            const struct vxlanpkt_place *items, uint32_t count)
{
    uint32_t mask = place_count - 1, used = 0;
    for (uint32_t at = 0; at < place_count; at++)
        places[at].peer = DATAPATH_NO_PEER;
    for (uint32_t at = 0; at < count && used + 1 < place_count; at++) {
        uint64_t hash = place_of(items[at].key, items[at].length, seed);
        struct vxlanpkt_place *place = places + (hash & mask);
        while (place->peer != DATAPATH_NO_PEER
               && (place->length != items[at].length || memcmp(place->key, items[at].key, 16)))
            place = places + (++hash & mask);
        if (place->peer != DATAPATH_NO_PEER)
            continue;
        *place = items[at];
        used++;
    }
    return used;
}
