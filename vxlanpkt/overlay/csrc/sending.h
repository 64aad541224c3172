/* From the device to the peers: each frame looked up, cut, and sent as runs of datagrams of one size. */

enum { MOST_IN_RUN = 64, LARGEST_RUN = 65507 };

static void put_control(struct msghdr *message, int level, int type, const void *value, size_t size)
{
    struct cmsghdr *control = (struct cmsghdr *)((uint8_t *)message->msg_control + message->msg_controllen);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = (socklen_t)CMSG_LEN(size); /* which it is with musl; a size_t with glibc */
    memcpy(CMSG_DATA(control), value, size);
    message->msg_controllen += (socklen_t)CMSG_SPACE(size);
}

/* Send parts as one datagram, or, if `segment` is not 0, as datagrams of that size; returns 0 or the error. */
static int send_parts(struct vxlanpkt_queue *queue, const struct outgoing *out, struct iovec *parts, uint16_t count,
                      uint32_t segment)
{
    union {
        uint8_t bytes[2 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control;
    struct msghdr message = {
        .msg_name = (void *)(uintptr_t)out->peer->address,
        .msg_namelen = out->peer->address_length,
        .msg_iov = parts,
        .msg_iovlen = count,
        .msg_control = control.bytes,
    };
    memset(&control, 0, sizeof control);
    if (out->tos)
        put_control(&message, queue->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, queue->ipv6 ? IPV6_TCLASS : IP_TOS, &out->tos,
                    sizeof out->tos);
    if (out->ttl != queue->ttl)
        put_control(&message, queue->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, queue->ipv6 ? IPV6_HOPLIMIT : IP_TTL, &out->ttl,
                    sizeof out->ttl);
    if (segment) {
        uint16_t size = (uint16_t)segment;
        put_control(&message, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    }
    if (!message.msg_controllen)
        message.msg_control = NULL;
    for (int tries = 0;; tries++) {
        ssize_t sent = sendmsg(out->sender, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0) {
            COUNT(queue, COUNT_SENDS, 1);
            COUNT(queue, COUNT_SENT_DATAGRAMS, segment ? ((uint64_t)sent + segment - 1) / segment : 1);
            COUNT(queue, COUNT_SENT_BYTES, sent);
            return 0;
        }
        /* ECONNREFUSED and the like are of an earlier datagram. */
        bool again = errno == EINTR || errno == ECONNREFUSED
                     || ((errno == EAGAIN || errno == EWOULDBLOCK) && wait_for_room(queue, out->sender));
        if (!again || tries == PATIENCE)
            return errno ? errno : EAGAIN;
    }
}

/* Whether an error says that segmentation is what cannot be done: some routes and devices cannot, others can. */
INLINE bool refuses_segmentation(int error)
{
    return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT || error == EMSGSIZE;
}

/* Send datagrams as one run, two pieces of memory each; false if they are to go one by one. */
static bool send_together(struct vxlanpkt_queue *queue, const struct outgoing *out, struct iovec *parts, uint32_t count,
                          uint32_t size, int *error)
{
    if (count == 1 || queue->segmentation_pause)
        return false;
    *error = send_parts(queue, out, parts, (uint16_t)(2 * count), size);
    if (!refuses_segmentation(*error))
        return true;
    COUNT(queue, COUNT_SEGMENTATION_REFUSED, 1);
    if (*error == EIO || *error == EOPNOTSUPP || *error == ENOPROTOOPT)
        queue->segmentation_pause = PAUSE;
    return false;
}

/* Send some parts of a cut frame. */
static int send_run(struct vxlanpkt_queue *queue, const struct outgoing *out, struct iovec *parts, uint32_t count,
                    uint32_t size)
{
    int error = 0;
    if (send_together(queue, out, parts, count, size, &error))
        return error;
    for (uint32_t at = 0; at < count; at++) {
        error = send_parts(queue, out, parts + 2 * at, 2, 0);
        if (error)
            return error;
        queue->segmentation_pause -= queue->segmentation_pause != 0;
    }
    return 0;
}

/* Frames that need no cutting, of one size and with one way to go: they wait until the device has no more, or something
 * else is to be sent, and leave as one run. Until then they stay where they were read to. */
struct held {
    struct outgoing first;
    struct iovec parts[2 * MOST_IN_RUN];
    uint32_t count, size, all; /* of bytes: of a datagram, and of all of them */
    bool closed;               /* the last one is shorter, so it stays the last one */
};

static void release(struct vxlanpkt_queue *queue, struct held *held)
{
    struct outgoing out = held->first;
    uint32_t count = held->count;
    int error = 0;
    held->count = 0;
    if (!count)
        return;
    if (send_together(queue, &out, held->parts, count, held->size, &error)) {
        if (error)
            count_failure(queue, &out, error, count);
        return;
    }
    for (struct iovec *part = held->parts; part < held->parts + 2 * count; part += 2) {
        out.frame = part[1].iov_base;
        out.size = part[1].iov_len;
        error = send_parts(queue, &out, part, 2, 0);
        if (error)
            count_failure(queue, &out, error, 1);
        queue->segmentation_pause -= count > 1 && queue->segmentation_pause;
    }
}

static bool goes_with(const struct held *held, const struct outgoing *out, uint32_t size)
{
    const struct outgoing *first = &held->first;
    return !held->closed && size <= held->size && held->count < MOST_IN_RUN && held->all + size <= LARGEST_RUN
           && out->peer == first->peer && out->sender == first->sender && out->tos == first->tos
           && out->ttl == first->ttl;
}

static void send_whole(struct vxlanpkt_queue *queue, struct held *held, const struct outgoing *out)
{
    uint32_t prefix = out->header ? VXLAN_HEADER : 0, size = prefix + (uint32_t)out->size;
    if (!goes_with(held, out, size))
        release(queue, held);
    if (!held->count) {
        held->first = *out;
        held->size = size;
        held->all = 0;
    }
    struct iovec *parts = held->parts + 2 * held->count++;
    parts[0] = (struct iovec){(void *)(uintptr_t)out->header, prefix};
    parts[1] = (struct iovec){out->frame, out->size};
    held->all += size;
    held->closed = size < held->size;
}

static void send_cut(struct vxlanpkt_queue *queue, const struct outgoing *out, const struct cut *cut)
{
    struct iovec parts[2 * MOST_IN_RUN];
    uint32_t prefix = out->header ? VXLAN_HEADER : 0, header = prefix + (uint32_t)cut->at.payload;
    uint32_t size = header + cut->size;
    uint32_t most = size < LARGEST_RUN ? LARGEST_RUN / size : 1;
    if (most > MOST_IN_RUN)
        most = MOST_IN_RUN;
    COUNT(queue, COUNT_SEGMENTED, 1);
    for (uint32_t number = 0; number < cut->count;) {
        uint32_t count = 0;
        for (; count < most && number < cut->count; count++, number++) {
            uint8_t *to = queue->headers + (DATAPATH_LARGEST_HEADER + VXLAN_HEADER) * count;
            if (prefix)
                memcpy(to, out->header, VXLAN_HEADER);
            put_part(out->frame, cut, number, to + prefix);
            parts[2 * count] = (struct iovec){to, header};
            parts[2 * count + 1] = (struct iovec){out->frame + cut->at.payload + (uint64_t)number * cut->size,
                                                  part_size(cut, number)};
        }
        int error = send_run(queue, out, parts, count, size);
        if (error) {
            count_failure(queue, out, error, cut->count - number + count);
            return;
        }
    }
}

/* Take from an inner frame what a recipe asks for, as Tunnel.encap does. */
static void outfit(struct vxlanpkt_queue *queue, struct outgoing *out, uint32_t flow)
{
    const struct vxlanpkt_recipe *recipe = out->peer->recipe;
    uint32_t sender = source_port(flow, 0, queue->sender_count);
    out->sender = queue->senders[sender];
    out->src_port = queue->sender_ports[sender];
    out->header = NULL;
    out->tos = 0;
    out->ttl = queue->ttl;
    if (!recipe)
        return;
    struct inherited found = {.ttl = DEFAULT_TTL};
    inherit(out->frame, out->size, &out->inner, recipe, &found);
    out->header = recipe->header + recipe->length - VXLAN_HEADER;
    out->tos = recipe->inherit_dscp ? (int)(found.tos & 0xFC) : recipe->dscp << 2;
    out->tos |= (int)outer_ecn(recipe->ecn, found.tos & 3);
    out->ttl = recipe->inherit_ttl ? (int)found.ttl : recipe->ttl;
    out->flow_label = outer_flow_label(recipe, found.flow_label, flow);
}

static void send_to(struct vxlanpkt_queue *queue, const struct vxlanpkt_peers *peers, struct held *held,
                    struct outgoing *out, uint32_t peer, const struct cut *cut)
{
    out->peer = peers->peers + peer;
    const struct vxlanpkt_recipe *recipe = out->peer->recipe;
    outfit(queue, out, hash_inner(out->frame, out->size, &out->inner, recipe && recipe->symmetric, queue->raw));
    if (!cut) {
        send_whole(queue, held, out);
        return;
    }
    release(queue, held);
    if (!send_as_one(queue, out, cut))
        send_cut(queue, out, cut);
}

static void flood(struct vxlanpkt_queue *queue, const struct vxlanpkt_peers *peers, struct held *held,
                  struct outgoing *out, const struct cut *cut)
{
    COUNT(queue, COUNT_FLOODED, 1);
    for (uint32_t at = 0; at < peers->flood_count; at++)
        send_to(queue, peers, held, out, peers->flood[at], cut);
}

static void send_by_station(struct vxlanpkt_queue *queue, const struct vxlanpkt_peers *peers, struct held *held,
                            struct outgoing *out, const struct cut *cut)
{
    uint8_t key[16] = {0};
    memcpy(key, out->frame, 6);
    bool is_group = key[0] & 1;
    uint32_t peer = is_group ? DATAPATH_NO_PEER : find_peer(peers, key, DATAPATH_STATION);
    if (peer != DATAPATH_NO_PEER) {
        out->next_hop = next_hop_of(peers, peer);
        send_to(queue, peers, held, out, peer, cut);
    } else if (peers->flood_count) {
        flood(queue, peers, held, out, cut);
    } else if (is_group) {
        COUNT(queue, COUNT_GROUP_DROPPED, 1);
    } else {
        COUNT(queue, COUNT_UNKNOWN_DESTINATION, 1);
        tell(queue, EVENT_UNKNOWN_DESTINATION, NULL, 0, false, out->frame, out->size);
    }
}

/* Take one off TTL or hop limit, and the IPv4 checksum with it (RFC 1624); false if there is none to take off. */
static bool take_off_ttl(uint8_t *ip, bool is_ipv4)
{
    if (!is_ipv4) {
        if (ip[7] <= 1)
            return false;
        ip[7]--;
        return true;
    }
    if (ip[8] <= 1)
        return false;
    ip[8]--;
    store16(ip + 10, fold((uint64_t)load16(ip + 10) + 0x100));
    return true;
}

static void read_address(const uint8_t *ip, bool is_ipv4, uint8_t *address)
{
    if (is_ipv4)
        put_mapped(address, ip + 16);
    else
        memcpy(address, ip + 24, 16);
}

static void send_by_route(struct vxlanpkt_queue *queue, const struct vxlanpkt_peers *peers, struct held *held,
                          struct outgoing *out, const struct cut *cut)
{
    bool is_ipv4 = out->inner.ethertype == TYPE_IPV4;
    uint8_t address[16];
    if (!out->inner.is_ip) {
        COUNT(queue, COUNT_UNSOUND_FRAMES, 1);
        return;
    }
    read_address(out->frame, is_ipv4, address);
    uint32_t peer = find_route(peers, address, is_ipv4);
    if (peer == DATAPATH_NO_PEER) {
        bool is_group = is_ipv4 ? address[12] >> 4 == 0xE : address[0] == 0xFF;
        COUNT(queue, is_group ? COUNT_GROUP_DROPPED : COUNT_UNKNOWN_DESTINATION, 1);
        if (!is_group)
            tell(queue, EVENT_UNKNOWN_DESTINATION, NULL, 0, false, out->frame, out->size);
    } else if (!take_off_ttl(out->frame, is_ipv4)) {
        COUNT(queue, COUNT_TIME_EXCEEDED, 1);
        tell(queue, EVENT_TIME_EXCEEDED, peers->peers + peer, 0, false, out->frame, out->size);
    } else {
        send_to(queue, peers, held, out, peer, cut);
    }
}

/* Send a frame that the device handed out, with what the kernel says is still to be done to it, or hold it. */
static void send_frame(struct vxlanpkt_queue *queue, const struct vxlanpkt_peers *peers, struct held *held,
                       uint8_t *frame, uint64_t size, const struct vxlanpkt_offload *offload)
{
    struct outgoing out = {.frame = frame, .size = size};
    struct cut cut;
    bool is_long = offload->gso_type & ~GSO_ECN;
    bool sound = size >= (queue->raw ? 1 : 14);
    if (sound) {
        find_inner(frame, size, queue->raw, &out.inner);
        if (is_long)
            sound = plan_cut(frame, &out.inner, offload, &cut);
        else if (offload->flags & NEEDS_CSUM) {
            sound = finish_checksum(frame, size, offload);
            COUNT(queue, COUNT_CHECKSUMS_FINISHED, 1);
        }
    }
    if (!sound)
        COUNT(queue, COUNT_UNSOUND_FRAMES, 1);
    else if (queue->raw)
        send_by_route(queue, peers, held, &out, is_long ? &cut : NULL);
    else
        send_by_station(queue, peers, held, &out, is_long ? &cut : NULL);
}
