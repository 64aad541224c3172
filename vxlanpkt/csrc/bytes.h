/* Loads and stores in network order, and the Internet checksum (RFC 1071): the twin of checksum.py.
 *
 * memcpy does not mind alignment; compilers make one load or store of it.
 */

#if defined(_MSC_VER)
#define INLINE static __forceinline
#define NOINLINE static __declspec(noinline)
#define COLD NOINLINE
#define PREFETCH(address) ((void)(address))
#define LIKELY(condition) (condition)
#else
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE static __attribute__((noinline))
#define COLD static __attribute__((noinline, cold))
#define PREFETCH(address) __builtin_prefetch(address)
#define LIKELY(condition) __builtin_expect(condition, 1)
#endif

/* Items of callers' columns: memory views may begin at any address. */
#if defined(_MSC_VER)
typedef __unaligned uint16_t item16;
typedef __unaligned uint32_t item32;
typedef __unaligned uint64_t item64;
#else
typedef uint16_t item16 __attribute__((aligned(1)));
typedef uint32_t item32 __attribute__((aligned(1)));
typedef uint64_t item64 __attribute__((aligned(1)));
#endif

/* Work on batches is compiled twice where a processor may have wider registers; which one runs is asked at run time.
 * VXLANPKT_NARROW leaves that out, so that tests run what other processors do. gcc for Windows is said to put such
 * registers on stacks that are not aligned for them (its bug 54412). */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(VXLANPKT_NARROW) && (!defined(_WIN32) || defined(__clang__))
#define WIDE __attribute__((target("avx2,bmi2")))
#define HAS_WIDE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2"))
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TURN16(value) (value)
#define TURN32(value) (value)
#define TURN64(value) (value)
#elif defined(_MSC_VER)
#define TURN16(value) _byteswap_ushort(value)
#define TURN32(value) _byteswap_ulong(value)
#define TURN64(value) _byteswap_uint64(value)
#else
#define TURN16(value) __builtin_bswap16(value)
#define TURN32(value) __builtin_bswap32(value)
#define TURN64(value) __builtin_bswap64(value)
#endif

INLINE uint32_t load16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, 2);
    return TURN16(value);
}

INLINE uint32_t load32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return TURN32(value);
}

INLINE uint64_t load64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, 8);
    return TURN64(value);
}

INLINE uint64_t load48(const uint8_t *at) { return (uint64_t)load32(at) << 16 | load16(at + 4); }

/* Whether the bits of a mask are these: constants are turned, in place of what is loaded. */
INLINE bool has_bits(const uint8_t *at, uint32_t mask, uint32_t bits)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return (value & TURN32(mask)) == TURN32(bits);
}

INLINE void store16(uint8_t *at, uint32_t value)
{
    uint16_t turned = TURN16((uint16_t)value);
    memcpy(at, &turned, 2);
}

INLINE void store32(uint8_t *at, uint32_t value)
{
    uint32_t turned = TURN32(value);
    memcpy(at, &turned, 4);
}

INLINE void store64(uint8_t *at, uint64_t value)
{
    uint64_t turned = TURN64(value);
    memcpy(at, &turned, 8);
}

/* 32 bytes in one move where registers are that wide, and 128 bytes that are loaded before any is stored: of a memcpy
 * compilers make narrower moves, one after the other. */
#if defined(__GNUC__)
typedef uint64_t chunk __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint32_t words4 __attribute__((vector_size(16)));
INLINE void copy32(uint8_t *to, const uint8_t *from) { *(chunk *)to = *(const chunk *)from; }

INLINE void copy128(uint8_t *to, const uint8_t *from)
{
    const chunk *source = (const chunk *)from;
    chunk *target = (chunk *)to, first = source[0], second = source[1], third = source[2], fourth = source[3];
    target[0] = first;
    target[1] = second;
    target[2] = third;
    target[3] = fourth;
}
#else
typedef uint32_t words4[4];
INLINE void copy32(uint8_t *to, const uint8_t *from) { memcpy(to, from, 32); }

INLINE void copy128(uint8_t *to, const uint8_t *from) { memcpy(to, from, 128); }
#endif

INLINE uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }

INLINE uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* A sum of 32 bits folded to 16. Its halves change places and are added to it: the lower halves carry into the sum of the
 * upper ones, as one's complement asks. */
INLINE uint32_t fold32(uint32_t sum) { return (sum + (sum << 16 | sum >> 16)) >> 16; }

/* A sum folded to 16 bits; 0 only if it was 0. */
INLINE uint32_t fold(uint64_t sum) { return fold32((uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32)); }

/* Sums are of 32-bit words, of which 64 bits hold those of 16 GiB, in the machine's own order: one's complement sums do not
 * mind the order of bytes (RFC 1071 section 2 (B)), so only the result is turned. */
INLINE uint64_t sum_two(const uint8_t *data)
{
    uint64_t words;
    memcpy(&words, data, 8);
    return (words & UINT32_MAX) + (words >> 32);
}

/* The sum of so many times 32 bytes. */
INLINE uint64_t sum_chunks(const uint8_t *data, uint64_t count)
{
#if defined(__GNUC__)
    chunk sums = {0, 0, 0, 0};
    for (uint64_t at = 0; at < count; at++) {
        chunk words = ((const chunk *)data)[at];
        sums += (words & UINT32_MAX) + (words >> 32);
    }
    return sums[0] + sums[1] + sums[2] + sums[3];
#else
    uint64_t sum = 0;
    for (uint64_t at = 0; at < 32 * count; at += 8)
        sum += sum_two(data + at);
    return sum;
#endif
}

/* The sum of less than 32 bytes, the last word padded with zero. */
INLINE uint64_t sum_rest(const uint8_t *data, uint64_t size)
{
    uint64_t sum = 0;
    uint8_t last[8] = {0};
    if (size & 16) {
        sum += sum_two(data) + sum_two(data + 8);
        data += 16;
    }
    if (size & 8) {
        sum += sum_two(data);
        data += 8;
    }
    if (size & 7) {
        for (uint64_t at = 0; at < (size & 7); at++)
            last[at] = data[at];
        sum += sum_two(last);
    }
    return sum;
}

/* The folded sum of the 16-bit words of some bytes, an odd last one padded with zero. */
INLINE uint32_t sum_bytes(const uint8_t *data, uint64_t size)
{
    uint64_t rest = size % 32;
    return TURN16((uint16_t)fold(sum_chunks(data, size / 32) + sum_rest(data + size - rest, rest)));
}

#ifdef WIDE
WIDE static uint32_t sum_bytes_wide(const uint8_t *data, uint64_t size) { return sum_bytes(data, size); }
#endif

/* The same for those who are not compiled twice. */
NOINLINE uint32_t ones_complement_sum(const uint8_t *data, uint64_t size)
{
#ifdef WIDE
    if (HAS_WIDE)
        return sum_bytes_wide(data, size);
#endif
    return sum_bytes(data, size);
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
