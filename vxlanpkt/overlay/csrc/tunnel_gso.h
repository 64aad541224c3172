/* Long frames of TCP that leave as one, behind their outer headers, by a TAP of which the kernel hands all that comes to
 * the interface below. Whoever is last there cuts them: a network card, or the kernel in its place (Linux 6.17).
 *
 * They bear the addresses and the port of a UDP socket, which goes on taking one in 61 of them: that keeps the kernel's
 * neighbour entry alive, and finds out when the path's MTU has shrunk.
 */

enum { OUTER_CSUM = 8, GSO_UDP_TUNNEL_IPV4 = 0x20, GSO_UDP_TUNNEL_IPV6 = 0x40 };
enum { ETHERNET_HEADER = 14, UDP_AND_VXLAN = 16, PRIORITY_BITS = 0x18 };
enum { SOCKET_TURN = 61 }; /* a prime: of peers that take turns, each has its share */
enum { LARGEST_OUTER = ETHERNET_HEADER + IPV6_FIXED + UDP_AND_VXLAN };

/* struct virtio_net_hdr_v1_hash_tunnel: the last two are little-endian on every machine. */
struct tunnel_offload {
    struct vxlanpkt_offload inner;
    uint16_t buffers;
    uint8_t hash[8];
    uint8_t outer_transport[2], inner_network[2];
};

/* What stands before a frame. */
struct preamble {
    struct tunnel_offload offload;
    uint8_t outer[LARGEST_OUTER];
};

/* Write the outer headers, as Tunnel.encap does but for the MAC addresses and the source port, and a UDP checksum as the
 * kernel wants it of what is still to be cut: the sum of the pseudo-header. Returns their length. */
static uint32_t put_outer(const struct outgoing *out, uint8_t *to)
{
    const struct vxlanpkt_recipe *recipe = out->peer->recipe;
    uint32_t length = (uint32_t)out->size, size = recipe->length - recipe->ip_offset;
    uint8_t *ip = to + ETHERNET_HEADER, *udp = ip + size - UDP_AND_VXLAN;
    memcpy(to, out->next_hop->macs, sizeof out->next_hop->macs);
    memcpy(ip - 2, recipe->header + recipe->ip_offset - 2, size + 2);
    store16(udp, out->src_port);
    store16(udp + 4, UDP_AND_VXLAN + length);
    if (recipe->family == 4)
        patch_ipv4(ip, recipe, (uint32_t)out->tos, (uint32_t)out->ttl, IPV4_FIXED + UDP_AND_VXLAN + length, true, 0);
    else
        patch_ipv6(ip, (uint32_t)out->tos, (uint32_t)out->ttl, UDP_AND_VXLAN + length, out->flow_label);
    if (recipe->udp_checksum != UDP_CHECKSUM_ZERO) {
        uint32_t address = recipe->family == 4 ? 4 : 16;
        const uint8_t *src = udp - 2 * address;
        store16(udp + 6, fold(pseudo_header_sum(src, src + address, address, PROTOCOL_UDP, UDP_AND_VXLAN + length)));
    }
    return ETHERNET_HEADER + size;
}

static void describe_tunnel(const struct outgoing *out, const struct cut *cut, uint32_t outer,
                            struct tunnel_offload *to)
{
    const struct vxlanpkt_recipe *recipe = out->peer->recipe;
    bool is_ipv4 = recipe->family == 4;
    uint32_t inner_network = outer + (uint32_t)cut->at.network;
    memset(to, 0, sizeof *to);
    to->inner.flags = NEEDS_CSUM | (recipe->udp_checksum != UDP_CHECKSUM_ZERO ? OUTER_CSUM : 0);
    to->inner.gso_type = (uint8_t)(cut->gso_type | (is_ipv4 ? GSO_UDP_TUNNEL_IPV4 : GSO_UDP_TUNNEL_IPV6));
    to->inner.header_length = (uint16_t)(outer + cut->at.payload);
    to->inner.gso_size = (uint16_t)cut->size;
    to->inner.checksum_start = (uint16_t)(outer + cut->at.segment);
    to->inner.checksum_offset = TCP_CHECKSUM;
    to->outer_transport[0] = ETHERNET_HEADER + (is_ipv4 ? IPV4_FIXED : IPV6_FIXED);
    to->inner_network[0] = (uint8_t)inner_network;
    to->inner_network[1] = (uint8_t)(inner_network >> 8);
}

static const struct vxlanpkt_next_hop *next_hop_of(const struct vxlanpkt_peers *peers, uint32_t peer)
{
    return peers->next_hops ? __atomic_load_n(peers->next_hops + peer, __ATOMIC_ACQUIRE) : NULL;
}

/* Whether a long frame may leave as one. With some TOS of IPv4 the kernel gives a socket's datagrams a priority, by which
 * they could overtake what has none: a flow's frames then all go by the socket. */
static bool leaves_as_one(struct vxlanpkt_queue *queue, const struct outgoing *out, const struct cut *cut)
{
    if (!out->next_hop || cut->at.protocol != PROTOCOL_TCP || cut->count < 2 || cut->at.end != out->size)
        return false;
    const struct vxlanpkt_recipe *recipe = out->peer->recipe;
    uint64_t headers = recipe->length - recipe->ip_offset + cut->at.payload;
    if (out->size > longest_inner(recipe) || headers + cut->size > out->next_hop->mtu)
        return false;
    if (recipe->family == 4 && out->tos & PRIORITY_BITS)
        return false;
    if (queue->tunnel_gso_pause) {
        queue->tunnel_gso_pause--;
        return false;
    }
    queue->tunnel_gso_turn = (queue->tunnel_gso_turn + 1) % SOCKET_TURN;
    return queue->tunnel_gso_turn;
}

/* Send a long frame as one; false if it is to go by the socket. */
static bool send_as_one(struct vxlanpkt_queue *queue, const struct outgoing *out, const struct cut *cut)
{
    if (!leaves_as_one(queue, out, cut))
        return false;
    struct preamble preamble;
    uint32_t outer = put_outer(out, preamble.outer);
    describe_tunnel(out, cut, outer, &preamble.offload);
    struct iovec parts[2] = {{&preamble, offsetof(struct preamble, outer) + outer}, {out->frame, out->size}};
    int error = 0;
    for (int tries = 0; tries <= PATIENCE; tries++) {
        if (writev(queue->tunnel_gso, parts, 2) >= 0) {
            COUNT(queue, COUNT_TUNNEL_GSO_FRAMES, 1);
            COUNT(queue, COUNT_SENDS, 1);
            COUNT(queue, COUNT_SENT_DATAGRAMS, cut->count);
            COUNT(queue, COUNT_SENT_BYTES, out->size + (cut->count - 1) * cut->at.payload + cut->count * VXLAN_HEADER);
            return true;
        }
        error = errno;
        if (error != EINTR && (error != EAGAIN || !wait_for_room(queue, queue->tunnel_gso)))
            break;
    }
    if (error == EAGAIN) {
        count_failure(queue, out, error, cut->count);
        return true;
    }
    COUNT(queue, COUNT_TUNNEL_GSO_REFUSED, 1);
    queue->tunnel_gso_pause = PAUSE;
    return false;
}
