/* Checks that stop the fuzzer, and heap blocks of exactly one size, so that AddressSanitizer sees one byte too far. */

#define CHECK(condition) ((condition) ? (void)0 : fail(#condition, __FILE__, __LINE__))

static void fail(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, condition);
    abort();
}

/* What new blocks are filled with: what was not written shows. */
enum { FILL = 0xA5 };

struct block {
    uint8_t *data;
    uint64_t size;
};

/* All blocks of one input: they are freed at its end, or back to a mark. */
static void *blocks[64];
static unsigned block_count;

static struct block new_block(uint64_t size)
{
    struct block block = {calloc(1, size), size};
    CHECK(block_count < sizeof blocks / sizeof *blocks && (block.data || !size));
    blocks[block_count++] = block.data;
    if (size)
        memset(block.data, FILL, size);
    return block;
}

/* Memory of blocks is aligned for any type. */
static void *new_items(uint64_t count, uint64_t size) { return new_block(count * size).data; }

static struct block copy_of(const void *data, uint64_t size)
{
    struct block block = new_block(size);
    if (size)
        memcpy(block.data, data, size);
    return block;
}

static void *copy_items(const void *items, uint64_t count, uint64_t size) { return copy_of(items, count * size).data; }

static void free_blocks(unsigned mark)
{
    while (block_count > mark)
        free(blocks[--block_count]);
}

static bool is_same(const void *a, const void *b, uint64_t size) { return !size || !memcmp(a, b, size); }

static bool is_untouched(struct block block)
{
    return !block.size || (block.data[0] == FILL && !memcmp(block.data, block.data + 1, block.size - 1));
}
