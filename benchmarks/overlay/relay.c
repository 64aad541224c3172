/* What a program has to do between a TAP and a UDP socket, and nothing else: what the loops are held against.
 *
 * The null relay reads a long frame, sends it as one run of datagrams, receives the run and writes it: what is inside
 * is neither looked at nor cut nor joined, and struct virtio_net_hdr travels in front of it.
 *
 * With an injector the frame becomes VXLAN and goes to the kernel through a second TAP, from where it is routed: as a
 * long frame in a tunnel (VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4, Linux 6.17), which is how the kernel's own device sends.
 * That is for TCP over IPv4 alone, and takes any checksum that comes in for one to be finished: a trial of the speed.
 */

#define _GNU_SOURCE
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "relay.h"

enum { BUDGET = 32, UDP_LEVEL = 17, UDP_SEGMENT_OPTION = 103, DATAGRAM = 1464 };
enum { NEEDS_CSUM = 1, GSO_TCPV4 = 1, GSO_UDP_TUNNEL_IPV4 = 0x20 };
enum { ETHERNET = 14, IPV4 = 20, UDP = 8, VXLAN = 8, OUTER = ETHERNET + IPV4 + UDP + VXLAN, TCP_CHECKSUM = 16 };
enum { LONGEST_FRAME = 1464, SEGMENT = 1240, TTL = 65, SOURCE_PORT = 53249 };

struct offload {
    uint8_t flags, type;
    uint16_t header_length, segment, checksum_start, checksum_offset;
};

/* struct virtio_net_hdr_v1_hash_tunnel */
struct tunnel_offload {
    struct offload inner;
    uint16_t buffers;
    uint16_t hash[4];
    uint16_t outer_transport, inner_network;
};

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static uint32_t ipv4_checksum(const uint8_t *header)
{
    uint32_t sum = 0;
    for (int at = 0; at < IPV4; at += 2)
        sum += (uint32_t)header[at] << 8 | header[at + 1];
    sum = (sum & 0xFFFF) + (sum >> 16);
    return ~(sum + (sum >> 16)) & 0xFFFF;
}

static void put_outer(const Relay *relay, size_t frame, uint8_t *to)
{
    uint8_t *ip = to + ETHERNET, *udp = ip + IPV4, *vxlan = udp + UDP;
    memset(to, 0, OUTER);
    memcpy(to, relay->injector_mac, 6);
    to[6] = 2; /* any address */
    put16(to + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IPV4 + UDP + VXLAN + frame));
    put16(ip + 6, 0x4000);
    ip[8] = TTL;
    ip[9] = UDP_LEVEL;
    memcpy(ip + 12, relay->local, 4);
    memcpy(ip + 16, relay->peer + offsetof(struct sockaddr_in, sin_addr), 4);
    put16(ip + 10, ipv4_checksum(ip));
    put16(udp, SOURCE_PORT);
    memcpy(udp + 2, relay->peer + offsetof(struct sockaddr_in, sin_port), 2);
    put16(udp + 4, (uint32_t)(UDP + VXLAN + frame));
    vxlan[0] = 8;
    vxlan[6] = 1;
}

static void inject(Relay *relay, size_t frame, const struct offload *offload)
{
    struct tunnel_offload whole = {.inner = *offload};
    uint8_t outer[OUTER];
    struct iovec parts[3] = {{&whole, sizeof whole}, {outer, sizeof outer}, {relay->sent, frame}};
    if (offload->flags & NEEDS_CSUM)
        whole.inner.checksum_start = (uint16_t)(offload->checksum_start + OUTER);
    if (offload->type) {
        whole.inner.type |= GSO_UDP_TUNNEL_IPV4;
        whole.inner.header_length = (uint16_t)(offload->header_length + OUTER);
        whole.outer_transport = ETHERNET + IPV4;
        whole.inner_network = OUTER + ETHERNET;
    }
    put_outer(relay, frame, outer);
    relay->failures += writev(relay->injector, parts, 3) < 0;
}

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
    if (relay->injector < 0)
        send_run(relay, &offload, (size_t)size);
    else
        inject(relay, (size_t)size, &offload);
    return 1;
}

/* What the kernel left unfinished in a TCP segment that came in a tunnel. */
static void describe(const uint8_t *frame, size_t size, struct offload *offload)
{
    *offload = (struct offload){0};
    if (size < ETHERNET + IPV4 + 20 || frame[12] != 8 || frame[13] || frame[23] != IPPROTO_TCP)
        return;
    offload->flags = NEEDS_CSUM;
    offload->checksum_start = ETHERNET + IPV4;
    offload->checksum_offset = TCP_CHECKSUM;
    if (size <= LONGEST_FRAME)
        return;
    offload->type = GSO_TCPV4;
    offload->segment = SEGMENT;
    offload->header_length = (uint16_t)(ETHERNET + IPV4 + (frame[46] >> 4) * 4);
}

static int read_socket(Relay *relay)
{
    ssize_t size = recv(relay->receiver, relay->received, sizeof relay->received, MSG_DONTWAIT);
    if (size <= VXLAN) /* nothing is as short as that here */
        return 0;
    struct offload offload;
    struct iovec parts[2] = {{&offload, sizeof offload}, {relay->received + VXLAN, (size_t)size - VXLAN}};
    if (relay->injector < 0) {
        relay->failures += write(relay->device, relay->received, (size_t)size) < 0;
    } else {
        describe(relay->received + VXLAN, (size_t)size - VXLAN, &offload);
        relay->failures += writev(relay->device, parts, 2) < 0;
    }
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
