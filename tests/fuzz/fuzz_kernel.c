/* The fuzz target of the C kernel: runs what takes frames and captures on arbitrary bytes, and checks what has to hold in
 * any case.
 *
 * layout.h says what an input is made of. With libFuzzer (clang -fsanitize=fuzzer) this searches; with replay.c, and
 * any compiler, it runs the inputs in a file. docs/fuzzing.md has the commands.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csrc/contract.h"

#include "layout.h"

#include "check.h"
#include "input.h"
#include "select.h"
#include "decap.h"
#include "encap.h"
#include "headers.h"
#include "groups.h"
#include "records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const jobs[JOBS])(struct input *, const struct head *) = {
        [JOB_DECAP] = run_decap,
        [JOB_WALK] = run_walk,
        [JOB_ENCAP] = run_encap,
        [JOB_HEADER] = run_header,
        [JOB_GROUP] = run_group,
        [JOB_RECORDS] = run_records,
    };
    struct input in = {data, size};
    struct head head = read_head(&in);
    jobs[head.job % JOBS](&in, &head);
    free_blocks(0);
    return 0;
}
