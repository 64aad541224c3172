/* The packet loops over a sendmsg and a writev that do as the test says. */

#define _GNU_SOURCE
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

static ssize_t scripted_sendmsg(int socket, const struct msghdr *message, int flags);
static ssize_t scripted_writev(int file, const struct iovec *parts, int count);
#define sendmsg scripted_sendmsg
#define writev scripted_writev
#include "overlay/_datapath.c"

enum { MOST = 256 };

int32_t script[MOST];
uint32_t script_length, calls;
uint32_t segment_sizes[MOST], sizes[MOST];
int32_t type_of_service[MOST], time_to_live[MOST], senders[MOST];

static ssize_t scripted_sendmsg(int socket, const struct msghdr *message, int flags)
{
    (void)flags;
    uint32_t call = calls++ % MOST, size = 0;
    for (size_t at = 0; at < message->msg_iovlen; at++)
        size += (uint32_t)message->msg_iov[at].iov_len;
    sizes[call] = size;
    senders[call] = socket;
    segment_sizes[call] = 0;
    type_of_service[call] = time_to_live[call] = -1;
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR((struct msghdr *)(uintptr_t)message, at)) {
        uint16_t segment;
        if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_SEGMENT) {
            memcpy(&segment, CMSG_DATA(at), sizeof segment);
            segment_sizes[call] = segment;
        } else if (at->cmsg_type == IP_TOS) {
            memcpy(type_of_service + call, CMSG_DATA(at), sizeof(int));
        } else if (at->cmsg_type == IP_TTL) {
            memcpy(time_to_live + call, CMSG_DATA(at), sizeof(int));
        }
    }
    if (call < script_length && script[call]) {
        errno = script[call];
        return -1;
    }
    return size;
}

static ssize_t scripted_writev(int file, const struct iovec *parts, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    return scripted_sendmsg(file, &message, 0);
}

/* Frames that stand in the device's queue one behind the other. */
void scripted_send(struct vxlanpkt_queue *queue, uint8_t *frames, const uint64_t *sizes_of_frames, uint32_t count,
                   const struct vxlanpkt_offload *offloads)
{
    struct held held = {.count = 0};
    for (uint32_t at = 0; at < count; at++) {
        send_frame(queue, queue->peers, &held, frames, sizes_of_frames[at], offloads + at);
        frames += sizes_of_frames[at];
    }
    release(queue, &held);
}
