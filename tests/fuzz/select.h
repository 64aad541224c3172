/* A part of the job DECAP: filters over its columns. The programs are bytes of the data, once as they are, and once
 * with numbers that are nearly all sound.
 */

enum { MOST_STEPS = 4 };

static struct vxlanpkt_step tame(struct vxlanpkt_step step, uint64_t row_size)
{
    static const uint8_t widths[3] = {1, 2, 4};
    uint32_t low = step.low, high = step.high;
    step.kind %= 6;
    step.join %= 3;
    step.target %= VXLANPKT_REGISTERS;
    step.guard = step.guard & 1 ? VXLANPKT_NO_GUARD : step.guard % VXLANPKT_REGISTERS;
    step.width = widths[step.width % 3];
    step.column = (uint16_t)(step.column % row_size);
    step.family = (uint16_t)(step.family % row_size);
    if (step.kind == STEP_KIND_RANGE) {
        step.low = (low < high ? low : high) >> (32 - 8 * step.width);
        step.high = (low < high ? high : low) >> (32 - 8 * step.width);
    } else {
        step.low %= VXLANPKT_REGISTERS;
    }
    return step;
}

/* Run a program; the marks are 0 and 1, and there are as many as it says. */
static struct block select_rows(const struct vxlanpkt_frames *frames, uint32_t kind, struct block columns, bool brief,
                                const struct vxlanpkt_step *program, uint64_t steps)
{
    struct block marks = new_block(frames->rows);
    int64_t done = vxlanpkt_select(frames, kind, columns.data, columns.size, brief, program, steps, marks.data,
                                   marks.size);
    if (done == VXLANPKT_UNSOUND) {
        CHECK(is_untouched(marks));
        return (struct block){NULL, 0};
    }
    int64_t count = 0;
    for (uint64_t row = 0; row < frames->rows; row++) {
        CHECK(marks.data[row] <= 1);
        count += marks.data[row];
    }
    CHECK(done == count);
    return marks;
}

/* No program finds a row that was refused, whose statuses lie in `status`. */
static void check_select(const struct vxlanpkt_frames *frames, uint32_t kind, struct block columns, bool brief,
                         const uint8_t *status)
{
    unsigned mark = block_count;
    uint64_t steps = frames->size / sizeof(struct vxlanpkt_step);
    steps = steps < MOST_STEPS ? steps : MOST_STEPS;
    struct vxlanpkt_step *program = copy_items(frames->data, steps, sizeof *program);
    for (unsigned round = 0; round < 2; round++) {
        struct block marks = select_rows(frames, kind, columns, brief, program, steps);
        for (uint64_t row = 0; row < marks.size; row++)
            CHECK(!marks.data[row] || status[row] == REASON_OK);
        for (uint64_t at = 0; frames->rows && at < steps; at++)
            program[at] = tame(program[at], columns.size / frames->rows);
    }
    if (frames->rows) {
        struct block few = new_block(frames->rows - 1), enough = new_block(frames->rows);
        CHECK(vxlanpkt_select(frames, kind, columns.data, columns.size, brief, program, 0, few.data, few.size)
              == VXLANPKT_NO_SPACE);
        CHECK(vxlanpkt_select(frames, kind, columns.data, columns.size - 1, brief, program, 0, enough.data,
                              enough.size)
              == VXLANPKT_NO_SPACE);
        CHECK(is_untouched(few) && is_untouched(enough));
        CHECK(vxlanpkt_select(frames, kind, columns.data, columns.size, brief, program, 0, columns.data, columns.size)
              == VXLANPKT_OVERLAP);
    }
    free_blocks(mark);
}
