/* What the C programs have in common: where the inner frame of a VXLAN packet is. All bounds are checked. */

#ifndef VXLAN_H
#define VXLAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ETHERNET = 14, TAG = 4, IPV4 = 20, IPV6 = 40, UDP = 8, VXLAN = 8 };
enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_TAG = 0x8100, ETHERTYPE_IPV6 = 0x86DD, ETHERTYPE_SERVICE_TAG = 0x88A8 };
enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17, PORT = 4789, PORT_OF_OLD = 8472 };

typedef struct {
    const uint8_t *data;
    size_t size;
} Bytes;

static inline uint16_t load16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t load24(const uint8_t *at)
{
    return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

static inline Bytes behind(Bytes whole, size_t size)
{
    return (Bytes){whole.data + size, whole.size - size};
}

/* What follows the Ethernet header and its tags, or a size of 0; its ethertype in `type`. */
static inline Bytes network_layer(Bytes frame, uint16_t *type)
{
    const Bytes none = {frame.data, 0};
    if (frame.size < ETHERNET) {
        return none;
    }
    *type = load16(frame.data + ETHERNET - 2);
    Bytes rest = behind(frame, ETHERNET);
    while (*type == ETHERTYPE_TAG || *type == ETHERTYPE_SERVICE_TAG) {
        if (rest.size < TAG) {
            return none;
        }
        *type = load16(rest.data + 2);
        rest = behind(rest, TAG);
    }
    return rest;
}

/* The payload of an unfragmented IP packet and its protocol, padding left out; a size of 0 for anything else. */
static inline Bytes transport_layer(Bytes packet, uint16_t type, uint8_t *protocol)
{
    const Bytes none = {packet.data, 0};
    if (type == ETHERTYPE_IPV4) {
        if (packet.size < IPV4 || packet.data[0] >> 4 != 4) {
            return none;
        }
        size_t header = (size_t)(packet.data[0] & 15) * 4, total = load16(packet.data + 2);
        if (header < IPV4 || total < header || total > packet.size || (load16(packet.data + 6) & 0x3FFF) != 0) {
            return none;
        }
        *protocol = packet.data[9];
        return (Bytes){packet.data + header, total - header};
    }
    if (type == ETHERTYPE_IPV6) {
        if (packet.size < IPV6 || packet.data[0] >> 4 != 6) {
            return none;
        }
        size_t payload = load16(packet.data + 4);
        *protocol = packet.data[6];
        return payload > packet.size - IPV6 ? none : (Bytes){packet.data + IPV6, payload};
    }
    return none;
}

/* The inner frame and its VNI; 0 if this is no VXLAN. */
static inline int inner_frame(Bytes frame, Bytes *inner, uint32_t *vni)
{
    uint16_t type = 0;
    uint8_t protocol = 0;
    Bytes packet = network_layer(frame, &type);
    Bytes datagram = transport_layer(packet, type, &protocol);
    if (protocol != PROTOCOL_UDP || datagram.size < UDP + VXLAN) {
        return 0;
    }
    uint16_t port = load16(datagram.data + 2);
    size_t size = load16(datagram.data + 4);
    if ((port != PORT && port != PORT_OF_OLD) || size < UDP + VXLAN || size > datagram.size) {
        return 0;
    }
    if (!(datagram.data[UDP] & 0x08)) {
        return 0;
    }
    *vni = load24(datagram.data + UDP + 4);
    *inner = (Bytes){datagram.data + UDP + VXLAN, size - UDP - VXLAN};
    return inner->size >= ETHERNET;
}

#endif
