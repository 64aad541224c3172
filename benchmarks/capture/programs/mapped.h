/* A capture that is mapped into memory as a whole. */

#ifndef MAPPED_H
#define MAPPED_H

#include <sys/mman.h>
#include <sys/stat.h>

#include "records.h"

enum { LINE = 64, AHEAD = 2048 };

typedef struct {
    Bytes rest;
} Input;

static inline void open_capture(Input *in, const char *path)
{
    int file = open_file(path);
    struct stat about;
    if (fstat(file, &about) != 0) {
        die(path);
    }
    size_t size = (size_t)about.st_size;
    void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped == MAP_FAILED) {
        die("mmap");
    }
    madvise(mapped, size, MADV_SEQUENTIAL);
    close(file);
    in->rest = behind_file_header((Bytes){mapped, size});
}

/* The next record; 0 at the end, or where the file breaks off. */
static inline int next_record(Input *in, RecordHeader *header, Bytes *frame)
{
    if (!take_record(&in->rest, header, frame)) {
        return 0;
    }
    /* Steps of any length are not foreseen by processors, so at each record memory would be waited for. Asking for
     * all lines in order, some way ahead, costs less. */
    size_t step = RECORD_HEADER + frame->size;
    if (in->rest.size > AHEAD + step) {
        for (size_t line = 0; line < step; line += LINE) {
            __builtin_prefetch(in->rest.data + AHEAD + line);
        }
    }
    return 1;
}

#endif
