/* Four rows at a time in the registers of AVX2: a number of 64 bits of each. A few loads of each row and a
 * transposition give columns of four, and all arithmetic is then done once for the four.
 *
 * Numbers that may not be negative are collected by `either`, whose sign is set where one of theirs is, and tested
 * once.
 */

#ifdef WIDE
#include <immintrin.h>

enum { FOUR = 4 };

typedef __m256i four;

/* Columns of callers, which may begin at any address. */
typedef __m256i four_items64 __attribute__((aligned(1)));
typedef __m128i four_items32 __attribute__((aligned(1)));

INLINE WIDE four each(uint64_t number) { return _mm256_set1_epi64x((int64_t)number); }

INLINE WIDE four plus(four a, four b) { return _mm256_add_epi64(a, b); }

INLINE WIDE four minus(four a, four b) { return _mm256_sub_epi64(a, b); }

INLINE WIDE four both(four a, four b) { return _mm256_and_si256(a, b); }

INLINE WIDE four either(four a, four b) { return _mm256_or_si256(a, b); }

INLINE WIDE four differ(four a, four b) { return _mm256_xor_si256(a, b); }

INLINE WIDE four upper_half(four numbers) { return _mm256_srli_epi64(numbers, 32); }

/* The lower half of each number from one, the upper half from another. */
INLINE WIDE four join_halves(four lower, four upper) { return _mm256_blend_epi32(lower, upper, 0xAA); }

INLINE WIDE four lower_half(four numbers) { return join_halves(numbers, each(0)); }

INLINE WIDE bool all_equal(four a, four b) { return _mm256_movemask_epi8(_mm256_cmpeq_epi64(a, b)) == -1; }

INLINE WIDE bool any_negative(four numbers) { return _mm256_movemask_pd(_mm256_castsi256_pd(numbers)) != 0; }

/* The bytes of every two numbers in another order; -1 makes a zero. */
#define REORDER(numbers, ...) _mm256_shuffle_epi8(numbers, _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__))

/* The numbers one by one. They go through memory, since taking them out of a register keeps busy what shuffles. */
struct lanes {
    _Alignas(32) uint64_t of[FOUR];
};

INLINE WIDE void put_lanes(struct lanes *to, four numbers) { _mm256_store_si256((__m256i *)to->of, numbers); }

INLINE WIDE uint64_t lane(const struct lanes *lanes, int at) { return ((const volatile uint64_t *)lanes->of)[at]; }

INLINE WIDE four load_each(const uint8_t *at)
{
    uint64_t number;
    memcpy(&number, at, 8);
    return each(number);
}

/* 16 bytes from one place, and 16 from another. */
INLINE WIDE four load_halves(const uint8_t *first, const uint8_t *second)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)first)),
                                   _mm_loadu_si128((const __m128i *)second), 1);
}

/* The numbers of four rows as columns. */
struct four_columns {
    four first, second, third, fourth;
};

INLINE WIDE struct four_columns transpose(const four *rows)
{
    four even = _mm256_unpacklo_epi64(rows[0], rows[1]), odd = _mm256_unpackhi_epi64(rows[0], rows[1]);
    four even2 = _mm256_unpacklo_epi64(rows[2], rows[3]), odd2 = _mm256_unpackhi_epi64(rows[2], rows[3]);
    return (struct four_columns){
        _mm256_permute2x128_si256(even, even2, 0x20),
        _mm256_permute2x128_si256(odd, odd2, 0x20),
        _mm256_permute2x128_si256(even, even2, 0x31),
        _mm256_permute2x128_si256(odd, odd2, 0x31),
    };
}

/* The four rows from `row` on, as read_kept reads one; false if one lies outside, or its length is not in the range. */
INLINE WIDE bool read_four(const struct vxlanpkt_frames *frames, uint64_t row, uint64_t shortest, uint64_t longest,
                           four *offsets, four *lengths)
{
    four starts = *(const volatile four_items64 *)(frames->offsets + row);
    four sizes = _mm256_cvtepu32_epi64(*(const volatile four_items32 *)(frames->lengths + row));
    four ends = plus(starts, sizes);
    four outside = either(either(starts, ends), minus(each(frames->size), ends));
    *offsets = starts;
    *lengths = sizes;
    return !any_negative(either(outside, either(minus(sizes, each(shortest)), minus(each(longest), sizes))));
}

/* Words of 16 bits of which each half has two of every column behind each other: the four of each column together. */
INLINE WIDE four spread_words(four pairs)
{
    return _mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* Write the numbers, of which the lower halves are wanted, as a column of 32 bits. */
INLINE WIDE void put_column32(uint32_t *to, four numbers)
{
    four packed = _mm256_permutevar8x32_epi32(numbers, _mm256_setr_epi32(0, 2, 4, 6, 0, 0, 0, 0));
    _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(packed));
}

/* -- checksums, as bytes.h has them */

/* As fold32, of the lower half of each number. The result is in bits 16 to 31; what is below is left over. */
INLINE WIDE four fold32_four(four sums)
{
    return _mm256_add_epi32(sums, REORDER(sums, 2, 3, 0, 1, -1, -1, -1, -1, 10, 11, 8, 9, -1, -1, -1, -1));
}

INLINE WIDE four sum_halves(four words) { return plus(lower_half(words), upper_half(words)); }

/* As sum_bytes, but not folded, and in the machine's order: four sums of one row that are to be added up. */
INLINE WIDE four sum_row(const uint8_t *data, uint64_t size)
{
    uint64_t rest = size % 32, whole = size - rest;
    four sums = each(0);
    for (uint64_t at = 0; at < whole; at += 32)
        sums = plus(sums, sum_halves(_mm256_loadu_si256((const __m256i *)(data + at))));
    if (!rest)
        return sums;
    if (rest & 16)
        sums = plus(sums, sum_halves(_mm256_inserti128_si256(each(0), _mm_loadu_si128((const __m128i *)(data + whole)), 0)));
    rest %= 16;
    return rest ? plus(sums, _mm256_setr_epi64x((int64_t)sum_rest(data + size - rest, rest), 0, 0, 0)) : sums;
}

/* As fold, of each number, which is a sum in the machine's order; the result is in network order. */
INLINE WIDE four fold_four(four sums)
{
    sums = upper_half(plus(sums, _mm256_shuffle_epi32(sums, 0xB1))); /* the halves change places */
    return REORDER(fold32_four(sums), 3, 2, -1, -1, -1, -1, -1, -1, 11, 10, -1, -1, -1, -1, -1, -1);
}

/* Sums of four rows as sum_row makes them, folded. */
INLINE WIDE four fold_rows(const four *rows)
{
    struct four_columns columns = transpose(rows);
    return fold_four(plus(plus(columns.first, columns.second), plus(columns.third, columns.fourth)));
}

/* -- the flow hash, as hashing.h has it */

INLINE WIDE four mix_four(four a, four b)
{
    four a1 = upper_half(a), b1 = upper_half(b);
    four low = _mm256_mul_epu32(a, b);
    four mid = plus(_mm256_mul_epu32(a1, b), upper_half(low));
    four mid2 = plus(_mm256_mul_epu32(a, b1), lower_half(mid));
    four high = plus(plus(_mm256_mul_epu32(a1, b1), upper_half(mid)), upper_half(mid2));
    return differ(join_halves(low, _mm256_slli_epi64(mid2, 32)), high);
}

/* The hash is in the lower half; what is above is left over. */
INLINE WIDE four finish_four(four addresses, four ports)
{
    four mixed = mix_four(differ(addresses, each(K0)), differ(ports, each(K1)));
    mixed = mix_four(differ(mixed, each(K2)), each(K3));
    return differ(mixed, upper_half(mixed));
}
#endif
