/* What the loops of encapsulation share: what is to be done, where it goes, and how frames get there. */

/* The arguments of a batch. An index says which tunnel each row takes; without one it is the first. */
struct encap_job {
    const struct vxlanpkt_frames *frames;
    const struct vxlanpkt_table *table;
    const uint32_t *index;
    int64_t identification; /* of row 0, of which 16 bits are sent; each row's is one more. Or -1: all are 0 */
    uint32_t mode, shape;
};

INLINE uint32_t numbers_step(const struct encap_job *job) { return job->identification < 0 ? 0 : 1; }

INLINE uint64_t number_of(const struct encap_job *job, uint64_t row)
{
    return job->identification < 0 ? 0 : (uint64_t)job->identification + row;
}

/* Where encapsulated rows go. */
struct output {
    uint64_t *offsets;
    uint32_t *lengths;
    uint8_t *status;
    uint8_t *data;
    uint64_t size, position, floor;
    bool wide; /* whether moves are wide enough to copy frames of usual lengths faster than a call does */
};

enum { OUTPUT_ROW = 8 + 4 + 1 };

/* Frames are copied without a call, by moves of constant size that overlap in the end: short ones, and where moves are
 * wide, usual ones. */
enum { LONGEST_MOVED = 2048 };

INLINE void copy_frame(uint8_t *to, const uint8_t *from, uint64_t length, bool wide)
{
    if (length - 32 <= 32) {
        memcpy(to, from, 32);
        memcpy(to + length - 32, from + length - 32, 32);
    } else if (length - 64 <= 64) {
        memcpy(to, from, 64);
        memcpy(to + length - 64, from + length - 64, 64);
    } else if (wide && length - 128 <= LONGEST_MOVED - 128) {
        for (uint64_t at = 0; at < length - 128; at += 128)
            copy128(to + at, from + at);
        copy128(to + length - 128, from + length - 128);
    } else {
        memcpy(to, from, length);
    }
}
