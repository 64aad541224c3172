/* Decapsulation of rows into columns. Plain rows are collected a block at a time and taken apart column by column, or
 * go the way of decap_four.h where processors can; any other row goes through decapsulation.h.
 */

static const uint8_t NOWHERE[16];
static const struct underlay UNKNOWN = {0, -1, NOWHERE};

/* Take a block apart into columns: one loop a column, so that each becomes vector instructions. */
INLINE void put_block(const struct columns *to, uint64_t row, const struct plain_block *block, uint64_t count, bool full,
                      struct plain_states states)
{
    memcpy(to->inner_offset + row, block->inner_offset, 8 * count);
    for (uint64_t at = 0; at < count; at++)
        to->vni[row + at] = (uint32_t)block->vxlan[at] >> 8;
    for (uint64_t at = 0; at < count; at++)
        to->flags[row + at] = (uint32_t)(block->vxlan[at] >> 32);
    for (uint64_t at = 0; at < count; at++)
        to->inner_length[row + at] = ((uint32_t)block->datagram[at] >> 16) - 16;
    memcpy(to->inner_original_length + row, to->inner_length + row, 4 * count);
    if (!full)
        return;
    memcpy(to->outer_family + row, block->outer_family, count);
    for (uint64_t at = 0; at < count; at++)
        to->inner_family[row + at] = (uint8_t)block->inner_kind[at];
    for (uint64_t at = 0; at < count; at++)
        to->inner_protocol[row + at] = (uint8_t)(block->inner_kind[at] >> 8);
    for (uint64_t at = 0; at < count; at++)
        to->outer_src_port[row + at] = (uint16_t)(block->datagram[at] >> 48);
    for (uint64_t at = 0; at < count; at++)
        to->outer_dst_port[row + at] = (uint16_t)(block->datagram[at] >> 32);
    for (uint64_t at = 0; at < count; at++)
        to->inner_src_port[row + at] = (uint16_t)(block->inner_ports[at] >> 16);
    for (uint64_t at = 0; at < count; at++)
        to->inner_dst_port[row + at] = (uint16_t)block->inner_ports[at];
    for (uint64_t at = 0; at < count; at++)
        to->inner_tcp_flags[row + at] = (uint16_t)(block->inner_kind[at] >> 20);
    for (uint64_t at = 0; at < count; at++)
        to->inner_ethertype[row + at] = (uint8_t)block->inner_kind[at] == 4 ? TYPE_IPV4 : TYPE_IPV6;
    for (uint64_t at = 0; at < count; at++)
        to->reserved[row + at] = (uint8_t)block->vxlan[at];
    for (uint64_t at = 0; at < count; at++)
        to->ip_checksum[row + at] = block->outer_family[at] == 4 ? states.ip_checksum : CHECKSUM_UNCHECKED;
    for (uint64_t at = 0; at < count; at++)
        to->udp_checksum[row + at] = (uint16_t)block->datagram[at] ? states.udp_checksum : CHECKSUM_ABSENT;
    if (states.ecn)
        for (uint64_t at = 0; at < count; at++)
            to->inner_ecn[row + at] = (uint8_t)(block->inner_kind[at] >> 16 & 3);
}

/* Put any row into the columns; returns whether it was accepted. */
NOINLINE bool decap_any(const struct decap_job *of, uint64_t row)
{
    struct vxlanpkt_record record;
    struct extent in;
    clear_record(&record);
    if (read_row(&of->frames, row, &in)) {
        const struct job job = {of->frames.data, of->plain.rules, &record};
        decap_frame(&job, in, of->kind, UNKNOWN, of->full);
    } else {
        record.status = REASON_ROW_OUT_OF_RANGE;
    }
    put_record(&of->to, row, &record, of->full);
    return record.status == REASON_OK;
}

/* Put `count` rows from `first` on, which fit a block, into the columns; returns those that are not plain, as bits. */
INLINE uint32_t decap_block(const struct decap_job *job, uint64_t first, uint64_t count, bool full,
                            struct plain_block *block)
{
    uint32_t odd = find_rows(job, first, count, full, block);
    if (job->plain.rules->verify_udp_checksum)
        odd |= find_bad_datagrams(job->frames.data, block, count, odd);
    /* Most blocks are whole: with a constant count the loops need no remainders. */
    if (count == BLOCK)
        put_block(&job->to, first, block, BLOCK, full, job->states);
    else
        put_block(&job->to, first, block, count, full, job->states);
    return odd;
}

/* Put rows from `first` to `end` into the columns; returns how many were refused. */
INLINE int64_t decap_rows(const struct decap_job *of, uint64_t first, uint64_t end, bool full)
{
    const struct decap_job job = *of; /* a copy, which no store can reach, stays in registers */
    struct plain_block block = {0};
    int64_t refused = 0;
    for (; first < end; first += BLOCK) {
        uint64_t count = smaller(end - first, BLOCK);
        uint32_t odd = decap_block(&job, first, count, full, &block);
        for (uint64_t at = 0; odd && at < count; at++)
            if (odd >> at & 1)
                refused += !decap_any(of, first + at);
    }
    return refused;
}

INLINE int64_t decap_columns(const struct decap_job *job, uint64_t first, uint64_t end)
{
    return job->full ? decap_rows(job, first, end, true) : decap_rows(job, first, end, false);
}

#ifdef WIDE
NOINLINE WIDE int64_t decap_columns_wide(const struct decap_job *job, uint64_t first, uint64_t end)
{
    return decap_columns(job, first, end);
}

/* Four rows at a time where four are plain, and others one by one: ever more of these, where there are no such four. */
static int64_t decap_wide(const struct decap_job *job)
{
    const uint64_t rows = job->frames.rows;
    int64_t refused = 0;
    if (!takes_fours(job))
        return decap_columns_wide(job, 0, rows);
    for (uint64_t row = 0, apart = FOUR; row < rows;) {
        uint64_t left = decap_fours(job, row);
        apart = left > row ? FOUR : 2 * apart;
        row = smaller(rows, left + apart);
        refused += decap_columns_wide(job, left, row);
    }
    return refused;
}
#endif

/* Decapsulate a batch; returns how many rows were accepted. */
static int64_t decap_batch(const struct vxlanpkt_frames *frames, uint32_t kind, const struct vxlanpkt_rules *rules,
                           bool full, uint8_t *out)
{
    const struct plain_states states = {
        rules->verify_ip_checksum ? CHECKSUM_VALID : CHECKSUM_UNCHECKED,
        rules->verify_udp_checksum ? CHECKSUM_VALID : CHECKSUM_UNCHECKED,
        rules->ecn != ECN_RULE_IGNORE,
    };
    const struct decap_job job = {
        *frames, plain_rules_of(rules, kind, full), lay_out(out, frames->rows, full), states, kind, full,
    };
    fill_columns(&job.to, frames->rows, full);
#ifdef WIDE
    if (HAS_WIDE)
        return (int64_t)frames->rows - decap_wide(&job);
#endif
    return (int64_t)frames->rows - decap_columns(&job, 0, frames->rows);
}
