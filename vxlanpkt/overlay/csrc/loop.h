/* The loop of one queue: whatever the device has goes out, whatever the peers send comes in, until it is told to stop. */

enum { BUDGET = 32, EVENTS_PERIOD_MS = 20, REST_MS = 20 };
enum outcome { DONE, NOTHING, FAILED, GONE };

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What an error of read or recvmsg means to the loop. */
static enum outcome judge_error(int error)
{
    switch (error) {
    case EAGAIN:
    case EINTR: return NOTHING;
    case EBADF:
    case EBADFD:
    case ENOTSOCK:
    case ENODEV:
    case ENXIO: return GONE;
    default: return FAILED;
    }
}

/* What the two sides of a queue work with from one look at the descriptors to the next. */
struct turn {
    struct vxlanpkt_queue *queue;
    const struct vxlanpkt_peers *peers;
    struct held held;
    bool is_busy; /* the device had more than one frame */
};

/* Where there is room for a frame: behind those that wait. */
static uint8_t *find_room(struct turn *turn)
{
    uint8_t *start = turn->queue->sent;
    if (!turn->held.count)
        return start;
    const struct iovec *last = turn->held.parts + 2 * turn->held.count - 1;
    uint64_t used = (uint64_t)((uint8_t *)last->iov_base - start) + last->iov_len;
    if (used <= sizeof turn->queue->sent - DATAPATH_BUFFER)
        return start + used;
    release(turn->queue, &turn->held);
    return start;
}

static enum outcome read_device(struct turn *turn)
{
    struct vxlanpkt_queue *queue = turn->queue;
    uint8_t *frame = find_room(turn);
    struct vxlanpkt_offload offload = {.flags = 0};
    struct iovec parts[2] = {{&offload, sizeof offload}, {frame, DATAPATH_BUFFER}};
    ssize_t size = queue->vnet_header ? readv(queue->device, parts, 2) : readv(queue->device, parts + 1, 1);
    if (size < 0) {
        enum outcome outcome = judge_error(errno);
        if (outcome == FAILED)
            COUNT(queue, COUNT_READ_ERRORS, 1);
        return outcome;
    }
    if (queue->vnet_header)
        size -= (ssize_t)sizeof offload;
    COUNT(queue, COUNT_DEVICE_READS, 1);
    if (size <= 0)
        return DONE;
    COUNT(queue, COUNT_DEVICE_BYTES, size);
    send_frame(queue, turn->peers, &turn->held, frame, (uint64_t)size, &offload);
    if (!turn->is_busy) /* a frame alone does not wait until it is known to be alone */
        release(queue, &turn->held);
    turn->is_busy = true;
    return DONE;
}

static enum outcome read_socket(struct turn *turn)
{
    struct vxlanpkt_queue *queue = turn->queue;
    union {
        uint8_t bytes[2 * CMSG_SPACE(sizeof(int)) + CMSG_SPACE(1)];
        struct cmsghdr aligned;
    } control;
    struct sockaddr_storage name;
    struct iovec part = {queue->received, sizeof queue->received};
    struct msghdr message = {
        .msg_name = &name,
        .msg_namelen = sizeof name,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control,
    };
    name.ss_family = AF_UNSPEC;
    ssize_t size = recvmsg(queue->receiver, &message, MSG_DONTWAIT);
    if (size < 0) {
        enum outcome outcome = judge_error(errno);
        if (outcome == FAILED)
            COUNT(queue, COUNT_RECEIVE_ERRORS, 1);
        return outcome;
    }
    if (size == 0 && name.ss_family == AF_UNSPEC)
        return GONE; /* shut down: a datagram has a sender */
    COUNT(queue, COUNT_RECEIVES, 1);
    COUNT(queue, COUNT_RECEIVED_BYTES, size);
    if (message.msg_flags & MSG_TRUNC) {
        COUNT(queue, COUNT_RECEIVE_TRUNCATED, 1);
        return DONE;
    }
    struct origin from;
    read_origin(&message, turn->peers, &from);
    uint32_t each = read_control(&message, &from);
    take_received(queue, &from, (uint64_t)size, each);
    return DONE;
}

/* The peers as they are now, marked as in use: who replaces them does not free those. */
static const struct vxlanpkt_peers *take_peers(struct vxlanpkt_queue *queue)
{
    const struct vxlanpkt_peers *peers;
    do {
        peers = __atomic_load_n(&queue->peers, __ATOMIC_SEQ_CST);
        __atomic_store_n(&queue->in_use, peers, __ATOMIC_SEQ_CST);
    } while (peers != __atomic_load_n(&queue->peers, __ATOMIC_SEQ_CST));
    return peers;
}

INLINE bool is_stopping(const struct vxlanpkt_queue *queue) { return __atomic_load_n(&queue->stopping, __ATOMIC_ACQUIRE); }

/* Python is told at most so often: what a stranger can cause costs no more than that. */
static bool has_news(const struct vxlanpkt_queue *queue)
{
    return queue->event_count && now_ms() - queue->event_time >= EVENTS_PERIOD_MS;
}

/* What there is to do. */
struct ready {
    bool device, receiver;
};

/* Look what there is to do, and sleep until there is something. After an error, which may last, sleep a while first. */
static uint32_t look(struct vxlanpkt_queue *queue, struct ready *ready, bool failed)
{
    struct pollfd waited[3] = {{queue->stop, POLLIN, 0}, {queue->device, POLLIN, 0}, {queue->receiver, POLLIN, 0}};
    bool busy = ready->device || ready->receiver;
    if (!busy)
        __atomic_store_n(&queue->in_use, NULL, __ATOMIC_SEQ_CST);
    if (failed)
        poll(waited, 1, REST_MS);
    if (poll(waited, 3, busy ? 0 : queue->event_count ? EVENTS_PERIOD_MS : -1) <= 0)
        return HALT_STOPPED;
    if (waited[1].revents & POLLNVAL)
        return HALT_DEVICE_GONE;
    if (waited[2].revents & (POLLNVAL | POLLHUP))
        return HALT_SOCKET_GONE;
    ready->device |= waited[1].revents != 0;
    ready->receiver |= waited[2].revents != 0;
    return HALT_STOPPED;
}

typedef enum outcome step(struct turn *);

/* Do what there is to do on one side, within the budget. */
static enum outcome repeat(step *step, struct turn *turn, bool *ready)
{
    for (int times = 0; *ready && times < BUDGET; times++) {
        enum outcome outcome = step(turn);
        *ready = outcome == DONE;
        if (outcome != DONE && outcome != NOTHING)
            return outcome;
    }
    return DONE;
}

static uint32_t run(struct vxlanpkt_queue *queue)
{
    struct ready ready = {true, true};
    struct turn turn = {.queue = queue};
    while (!is_stopping(queue)) {
        turn.peers = take_peers(queue);
        enum outcome device = repeat(read_device, &turn, &ready.device);
        release(queue, &turn.held);
        if (device == GONE)
            return HALT_DEVICE_GONE;
        enum outcome receiver = repeat(read_socket, &turn, &ready.receiver);
        if (receiver == GONE)
            return HALT_SOCKET_GONE;
        if (has_news(queue))
            return HALT_EVENTS;
        turn.is_busy = ready.device;
        uint32_t halt = look(queue, &ready, device == FAILED || receiver == FAILED);
        if (halt != HALT_STOPPED)
            return halt;
    }
    return HALT_STOPPED;
}
