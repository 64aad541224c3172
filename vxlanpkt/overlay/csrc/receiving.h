/* From the peers to the device: each datagram judged by the library's rules, segments joined, frames written. */

/* Write pieces of memory, the first of which is left for the offload, to the device. */
static void write_parts(struct vxlanpkt_queue *queue, struct iovec *parts, int count, struct vxlanpkt_offload *offload)
{
    parts[0] = (struct iovec){offload, sizeof *offload};
    if (!queue->vnet_header) {
        parts++;
        count--;
    }
    ssize_t written;
    do
        written = writev(queue->device, parts, count);
    while (written < 0 && errno == EINTR);
    if (written < 0) {
        COUNT(queue, COUNT_WRITE_ERRORS, 1); /* EIO: the device is down; EAGAIN, ENOBUFS: its kernel has no room */
        return;
    }
    COUNT(queue, COUNT_DEVICE_WRITES, 1);
    COUNT(queue, COUNT_WRITTEN_BYTES, (uint64_t)written - (queue->vnet_header ? sizeof *offload : 0));
}

static void write_frame(struct vxlanpkt_queue *queue, uint8_t *frame, uint64_t size, struct vxlanpkt_offload *offload)
{
    struct iovec parts[2] = {{0}, {frame, size}};
    write_parts(queue, parts, 2, offload);
}

/* Write a long frame to a device that takes none: in parts. */
static void write_cut(struct vxlanpkt_queue *queue, uint8_t *frame, const struct inner *inner,
                      const struct vxlanpkt_offload *offload)
{
    struct vxlanpkt_offload none = {.flags = 0};
    struct iovec parts[3];
    struct cut cut;
    if (!plan_cut(frame, inner, offload, &cut))
        return;
    for (uint32_t number = 0; number < cut.count; number++) {
        put_part(frame, &cut, number, queue->headers);
        parts[1] = (struct iovec){queue->headers, cut.at.payload};
        parts[2] = (struct iovec){frame + cut.at.payload + (uint64_t)number * cut.size, part_size(&cut, number)};
        write_parts(queue, parts, 3, &none);
    }
}

/* Write a frame as it came, which may be long, or lack its checksum, where the sender's kernel is on this machine. */
static void deliver(struct vxlanpkt_queue *queue, uint8_t *frame, uint64_t size, const struct inner *inner)
{
    struct vxlanpkt_offload offload;
    if (!describe_frame(frame, inner, queue->mtu, &offload)) {
        COUNT(queue, COUNT_BOUNDARIES_LOST, 1);
        return;
    }
    if (offload.flags & NEEDS_CSUM)
        COUNT(queue, COUNT_UNFINISHED_CHECKSUMS, 1);
    if (offload.gso_type) {
        COUNT(queue, COUNT_LONG_FRAMES, 1);
        if (!(offload.gso_type == GSO_TCPV4 ? queue->long_frames4 : queue->long_frames6)) {
            write_cut(queue, frame, inner, &offload);
            return;
        }
    } else if (offload.flags & NEEDS_CSUM && !queue->vnet_header) {
        finish_checksum(frame, size, &offload);
    }
    write_frame(queue, frame, size, &offload);
}

static void flush(struct vxlanpkt_queue *queue, struct joined *joined)
{
    struct vxlanpkt_offload offload = {.flags = DATA_VALID};
    if (joined->count == 1) {
        write_frame(queue, joined->frame, joined->length, &offload);
    } else if (joined->count) {
        finish_joined(joined, &offload);
        joined->parts[1] = (struct iovec){joined->frame, joined->at.payload};
        write_parts(queue, joined->parts, (int)joined->count + 2, &offload);
        COUNT(queue, COUNT_COALESCED, joined->count);
    }
    joined->count = 0;
}

/* Take a frame that passed: join it to those before, or write it. Order within a flow is kept, as all are in one. */
static void take_frame(struct vxlanpkt_queue *queue, struct joined *joined, uint8_t *frame, uint64_t size, bool alone)
{
    struct inner inner = {.is_ip = false};
    struct transport at;
    if (size >= (queue->raw ? 1 : 14))
        find_inner(frame, size, queue->raw, &inner);
    bool joins = !alone && inner.is_ip && (inner.ethertype == TYPE_IPV4 ? queue->long_frames4 : queue->long_frames6)
                 && inner.ip.end - inner.at <= queue->mtu && is_joinable(frame, size, &inner, &at);
    if (joins && joined->count && add_joined(joined, frame, &at))
        return;
    flush(queue, joined);
    if (joins)
        begin_joined(joined, frame, size, &at);
    else
        deliver(queue, frame, size, &inner);
}

/* Where a datagram came from, and what it is judged by. */
struct origin {
    const struct vxlanpkt_rules *rules;
    uint8_t address[16];
    uint32_t version;
    int32_t tos;
    bool known;
};

/* Judge a VXLAN datagram's payload; what passes becomes `frame` and `size`. */
static uint32_t judge_vxlan(const struct origin *from, uint8_t **frame, uint64_t *size)
{
    struct vxlanpkt_record record;
    clear_record(&record);
    const struct job job = {*frame, from->rules, &record};
    struct underlay underlay = {from->version, from->tos, from->address};
    decap_frame(&job, (struct extent){0, *size, 0}, KIND_VXLAN, underlay, false);
    if (record.status != REASON_OK)
        return record.status;
    *frame += record.inner_offset;
    *size = record.inner_length;
    bool is_ethernet = record.inner_link_type == ETHERNET_LINK;
    if (!is_ethernet)
        return REASON_GPE_NEXT_PROTOCOL; /* the device takes nothing else */
    if (record.notes & NOTE_REMARKED && !remark(*frame, *size, true, record.inner_ethertype, record.inner_ecn))
        return REASON_INNER_TRUNCATED;
    if (record.notes & NOTE_STRIPPED) {
        memmove(*frame + 4, *frame, 12);
        *frame += 4;
        *size -= 4;
    }
    return REASON_OK;
}

/* Judge a datagram that is an IP packet; behind the packet there may be no more. */
static uint32_t judge_packet(struct vxlanpkt_queue *queue, const struct origin *from, uint8_t *packet, uint64_t *size)
{
    struct span ip;
    struct fault fault;
    if (!scan_raw(packet, (struct extent){0, *size, 0}, false, &ip, &fault))
        return fault.reason;
    if (ip.kind == KIND_IPV4 && ones_complement_sum(packet, ip.header_end) != 0xFFFF)
        return REASON_IPV4_CHECKSUM;
    if (!from->known)
        return REASON_SOURCE_REFUSED;
    *size = ip.end;
    if (take_off_ttl(packet, ip.kind == KIND_IPV4))
        return REASON_OK;
    COUNT(queue, COUNT_TIME_EXCEEDED, 1);
    tell(queue, EVENT_TIME_EXCEEDED, NULL, 0, true, packet, *size);
    *size = 0;
    return REASON_OK;
}

static void take_datagram(struct vxlanpkt_queue *queue, struct joined *joined, const struct origin *from,
                          uint8_t *payload, uint64_t size, bool alone)
{
    uint32_t reason = queue->raw ? judge_packet(queue, from, payload, &size)
                                 : judge_vxlan(from, &payload, &size);
    __atomic_store_n(queue->reasons + reason, queue->reasons[reason] + 1, __ATOMIC_RELAXED);
    if (reason == REASON_OK && size)
        take_frame(queue, joined, payload, size, alone);
}

static void read_origin(const struct msghdr *message, const struct vxlanpkt_peers *peers, struct origin *from)
{
    const struct sockaddr_storage *name = message->msg_name;
    memset(from, 0, sizeof *from);
    from->tos = -1;
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *ipv4 = message->msg_name;
        put_mapped(from->address, (const uint8_t *)&ipv4->sin_addr);
        from->version = 4;
    } else if (name->ss_family == AF_INET6) {
        const struct sockaddr_in6 *ipv6 = message->msg_name;
        memcpy(from->address, &ipv6->sin6_addr, 16);
        from->version = 6;
    }
    from->known = find_peer(peers, from->address, DATAPATH_SOURCE) != DATAPATH_NO_PEER;
    from->rules = from->known ? peers->rules : peers->rules_for_strangers;
}

/* The size of the datagrams that were joined into one, or 0; the TOS goes to `from`. */
static uint32_t read_control(struct msghdr *message, struct origin *from)
{
    uint32_t size = 0;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        int value = 0;
        if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_GRO) {
            memcpy(&value, CMSG_DATA(at), sizeof value);
            size = (uint32_t)value;
        } else if (at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_TOS) {
            from->tos = *CMSG_DATA(at);
        } else if (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_TCLASS) {
            memcpy(&value, CMSG_DATA(at), sizeof value);
            from->tos = value & 0xFF;
        }
    }
    return size;
}

static void take_received(struct vxlanpkt_queue *queue, const struct origin *from, uint64_t size, uint32_t each)
{
    struct joined joined = {.count = 0};
    if (!each || each > size)
        each = (uint32_t)size;
    if (!each) { /* an empty datagram is one too */
        take_datagram(queue, &joined, from, queue->received, 0, true);
        COUNT(queue, COUNT_RECEIVED_DATAGRAMS, 1);
        return;
    }
    for (uint64_t at = 0; at < size; at += each) {
        COUNT(queue, COUNT_RECEIVED_DATAGRAMS, 1);
        take_datagram(queue, &joined, from, queue->received + at, smaller(each, size - at), each == size);
    }
    flush(queue, &joined);
}
