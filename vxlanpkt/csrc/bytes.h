/* Loads and stores in network order, and the Internet checksum (RFC 1071): the twin of checksum.py.
 *
 * Bytes are loaded one by one or through memcpy, so that alignment does not matter; compilers make one load of it.
 */

#if defined(_MSC_VER)
#define INLINE static __forceinline
#define COLD static __declspec(noinline)
#define PREFETCH(address) ((void)(address))
#else
#define INLINE static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline, cold))
#define PREFETCH(address) __builtin_prefetch(address)
#endif

INLINE uint32_t load16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }

INLINE uint32_t load24(const uint8_t *at) { return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2]; }

INLINE uint32_t load32(const uint8_t *at) { return load16(at) << 16 | load16(at + 2); }

INLINE uint64_t load48(const uint8_t *at) { return (uint64_t)load16(at) << 32 | load32(at + 2); }

INLINE uint64_t load64(const uint8_t *at) { return (uint64_t)load32(at) << 32 | load32(at + 4); }

INLINE void store16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

INLINE void store32(uint8_t *at, uint32_t value)
{
    store16(at, value >> 16);
    store16(at + 2, value);
}

INLINE uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

INLINE uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* A sum folded to 16 bits; 0 only if it was 0. */
INLINE uint32_t fold(uint64_t sum)
{
    sum = (sum & 0xFFFFFFFF) + (sum >> 32);
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint32_t)((sum & 0xFFFF) + (sum >> 16));
}

/* The folded sum of the 16-bit words of some bytes, an odd last one padded with zero.
 *
 * Words are added in the machine's own order, 32 bits at a time, and the result is turned: one's complement sums do
 * not mind the order of bytes (RFC 1071 section 2 (B)). 64 bits hold the sum of 16 GiB of them. */
static uint32_t ones_complement_sum(const uint8_t *data, uint64_t size)
{
    uint64_t sum = 0;
    uint64_t words = size / 4;
    for (uint64_t word = 0; word < words; word++) {
        uint32_t value;
        memcpy(&value, data + 4 * word, 4);
        sum += value;
    }
    uint8_t last[4] = {0, 0, 0, 0};
    for (uint64_t at = 4 * words; at < size; at++)
        last[at % 4] = data[at];
    uint32_t value;
    memcpy(&value, last, 4);
    uint16_t folded = (uint16_t)fold(sum + value);
    uint8_t turned[2];
    memcpy(turned, &folded, 2);
    return load16(turned);
}

/* The sum of the pseudo-header: RFC 768 for addresses of 4 bytes, RFC 8200 section 8.1 for 16. */
INLINE uint64_t pseudo_header_sum(const uint8_t *src, const uint8_t *dst, uint32_t size, uint32_t protocol,
                                  uint64_t length)
{
    uint64_t sum = protocol + length;
    for (uint32_t at = 0; at < size; at += 4)
        sum += (uint64_t)load32(src + at) + load32(dst + at);
    return sum;
}
