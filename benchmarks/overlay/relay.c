/* What a program has to do between a TAP and a UDP socket, and nothing else: what the loops are held against.
 *
 * The null relay reads a long frame, sends it as one run of datagrams, receives the run and writes it: what is inside
 * is neither looked at nor cut nor joined, and struct virtio_net_hdr travels in front of it.
 */

#define _GNU_SOURCE
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "relay.h"

enum { BUDGET = 32, UDP_LEVEL = 17, UDP_SEGMENT_OPTION = 103, DATAGRAM = 1464 };

struct offload {
    uint8_t flags, type;
    uint16_t header_length, segment, checksum_start, checksum_offset;
};

/* As datagrams of one size; the header of the frame is the first bytes of the first one. */
static void send_run(Relay *relay, struct offload *offload, size_t frame)
{
    union {
        uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr aligned;
    } control = {.bytes = {0}};
    struct iovec parts[2] = {{offload, sizeof *offload}, {relay->sent, frame}};
    struct msghdr message = {
        .msg_name = relay->peer, .msg_namelen = sizeof(struct sockaddr_in), .msg_iov = parts, .msg_iovlen = 2};
    if (sizeof *offload + frame > DATAGRAM) {
        uint16_t size = DATAGRAM;
        control.aligned = (struct cmsghdr){CMSG_LEN(sizeof size), UDP_LEVEL, UDP_SEGMENT_OPTION};
        memcpy(CMSG_DATA(&control.aligned), &size, sizeof size);
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control;
    }
    relay->failures += sendmsg(relay->receiver, &message, MSG_DONTWAIT) < 0;
}

static int read_device(Relay *relay)
{
    struct offload offload;
    struct iovec parts[2] = {{&offload, sizeof offload}, {relay->sent, sizeof relay->sent}};
    ssize_t size = readv(relay->device, parts, 2) - (ssize_t)sizeof offload;
    if (size <= 0)
        return 0;
    send_run(relay, &offload, (size_t)size);
    return 1;
}

static int read_socket(Relay *relay)
{
    ssize_t size = recv(relay->receiver, relay->received, sizeof relay->received, MSG_DONTWAIT);
    if (size <= 0)
        return 0;
    relay->failures += write(relay->device, relay->received, (size_t)size) < 0;
    return 1;
}

void relay_run(Relay *relay)
{
    struct pollfd waited[3] = {{relay->stop, POLLIN, 0}, {relay->device, POLLIN, 0}, {relay->receiver, POLLIN, 0}};
    for (int device = 1, receiver = 1; !waited[0].revents;) {
        for (int times = 0; device && times < BUDGET; times++)
            device = read_device(relay);
        for (int times = 0; receiver && times < BUDGET; times++)
            receiver = read_socket(relay);
        poll(waited, 3, device || receiver ? 0 : -1);
        device |= waited[1].revents != 0;
        receiver |= waited[2].revents != 0;
    }
}
