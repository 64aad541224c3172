/* A capture that is read through one buffer, which the processor's cache holds. A frame lives until the next one. */

#ifndef BUFFERED_H
#define BUFFERED_H

#include "records.h"

typedef struct {
    int file;
    Bytes rest; /* what of the buffer is not taken yet */
    uint8_t room[1 << 18];
} Input;

/* Move what is left to the front and read on behind it; 0 if nothing came. */
static inline int refill(Input *in)
{
    memmove(in->room, in->rest.data, in->rest.size);
    ssize_t got = read(in->file, in->room + in->rest.size, sizeof in->room - in->rest.size);
    if (got < 0) {
        die("read");
    }
    in->rest = (Bytes){in->room, in->rest.size + (size_t)got};
    return got > 0;
}

static inline void open_capture(Input *in, const char *path)
{
    in->file = open_file(path);
    in->rest = (Bytes){in->room, 0};
    refill(in);
    in->rest = behind_file_header(in->rest);
}

/* The next record; 0 at the end, where the file breaks off, or at a record that the buffer does not hold. */
static inline int next_record(Input *in, RecordHeader *header, Bytes *frame)
{
    while (!take_record(&in->rest, header, frame)) {
        if (in->rest.size == sizeof in->room || !refill(in)) {
            return 0;
        }
    }
    return 1;
}

#endif
