/* One frame on its way out, what is counted of it, and what becomes of one that cannot be sent. */

enum { VXLAN_HEADER = 8, PATIENCE_MS = 2, PATIENCE = 5, PAUSE = 4096 };

#define COUNT(queue, what, number) \
    __atomic_store_n((queue)->counts + (what), (queue)->counts[what] + (uint64_t)(number), __ATOMIC_RELAXED)

/* Tell Python, if there is room. */
static void tell(struct vxlanpkt_queue *queue, uint32_t kind, const struct vxlanpkt_peer *peer, uint32_t error,
                 bool inward, const uint8_t *frame, uint64_t size)
{
    if (queue->event_count == DATAPATH_EVENTS) {
        COUNT(queue, COUNT_EVENTS_LOST, 1);
        return;
    }
    struct vxlanpkt_event *event = queue->events + queue->event_count++;
    event->kind = kind;
    memset(event->address, 0, sizeof event->address);
    if (peer)
        memcpy(event->address, peer->address, sizeof event->address);
    event->error = error;
    event->inward = inward;
    event->length = (uint32_t)size;
    memcpy(event->head, frame, smaller(size, DATAPATH_EVENT_BYTES));
    COUNT(queue, COUNT_EVENTS, 1);
}

/* One frame on its way out, and what its outer headers take over from it. */
struct outgoing {
    uint8_t *frame;
    uint64_t size;
    struct inner inner;
    const struct vxlanpkt_peer *peer;
    const struct vxlanpkt_next_hop *next_hop; /* NULL: not to leave as one */
    const uint8_t *header;                    /* VXLAN's, or NULL */
    int sender;
    int tos, ttl;
    uint32_t src_port, flow_label;
};

/* Wait a little for room in the socket's buffer; false if there is none in time, or the loop is to stop. */
static bool wait_for_room(struct vxlanpkt_queue *queue, int sender)
{
    struct pollfd waited[2] = {{sender, POLLOUT, 0}, {queue->stop, POLLIN, 0}};
    return poll(waited, 2, PATIENCE_MS) > 0 && !waited[1].revents && waited[0].revents & POLLOUT;
}

static void count_failure(struct vxlanpkt_queue *queue, const struct outgoing *out, int error, uint64_t datagrams)
{
    switch (error) {
    case EMSGSIZE:
        COUNT(queue, COUNT_TOO_BIG, datagrams);
        tell(queue, EVENT_TOO_BIG, out->peer, (uint32_t)error, false, out->frame, out->size);
        break;
    case ENOBUFS:
    case ENOMEM: COUNT(queue, COUNT_NO_BUFFERS, datagrams); break;
    case EAGAIN: COUNT(queue, COUNT_SEND_BUFFER_FULL, datagrams); break;
    default: COUNT(queue, COUNT_SEND_ERRORS, datagrams);
    }
}
