/* What floor.c offers; cffi reads these lines too, so there is nothing here but declarations. */

typedef struct {
    unsigned char *data;
    uint64_t *offsets;
    uint32_t *lengths;
    size_t count;
} Rows;

void keep_freed_memory(void);
unsigned char *apart(unsigned char *room, const unsigned char *source);
void copy_whole(unsigned char *target, const unsigned char *source, size_t size);
void copy_rows(Rows *target, const Rows *source);
int copy_rows_fresh(const Rows *source, size_t size);
void copy_and_sum_rows(Rows *target, const Rows *source, uint16_t *sums);

void nothing0(void);
void nothing1(const void *a);
void nothing2(const void *a, size_t b);
void nothing3(const void *a, size_t b, const void *c);
void nothing4(const void *a, size_t b, const void *c, size_t d);
void nothing5(const void *a, size_t b, const void *c, size_t d, const void *e);
void nothing6(const void *a, size_t b, const void *c, size_t d, const void *e, size_t f);
void nothing7(const void *a, size_t b, const void *c, size_t d, const void *e, size_t f, const void *g);
void nothing8(const void *a, size_t b, const void *c, size_t d, const void *e, size_t f, const void *g, size_t h);

/* Tables: one probe of a hash table, and a list that is walked. */

typedef struct {
    uint64_t key;
    uint64_t value;
} Slot;

typedef struct {
    uint32_t network;
    uint32_t mask;
    uint32_t value;
} Route;

void fill_slots(Slot *slots, uint64_t count, const uint64_t *keys, size_t rows);
void probe_slots(const Slot *slots, uint64_t count, const uint64_t *keys, size_t rows, uint32_t *values);
void walk_routes(Route *routes, size_t count, const uint32_t *addresses, size_t rows, uint32_t *values);
