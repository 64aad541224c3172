/* The inner frames of a capture as another one, written through one buffer. INPUT is "mapped.h" or "buffered.h". */

#include INPUT

enum { BUFFER = 1 << 20 };

typedef struct {
    int file;
    size_t used;
    uint8_t room[BUFFER];
} Output;

static void flush(Output *out)
{
    for (size_t done = 0; done < out->used;) {
        ssize_t written = write(out->file, out->room + done, out->used - done);
        if (written < 0) {
            die("write");
        }
        done += (size_t)written;
    }
    out->used = 0;
}

static void put(Output *out, const void *data, size_t size)
{
    memcpy(out->room + out->used, data, size);
    out->used += size;
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fputs("usage: decap CAPTURE TARGET\n", stderr);
        return 2;
    }
    static Input in;
    static Output out;
    open_capture(&in, arguments[1]);
    out.file = open(arguments[2], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (out.file < 0) {
        die(arguments[2]);
    }
    static const uint32_t file_header[] = {0xa1b2c3d4, 4 << 16 | 2, 0, 0, 262144, 1};
    put(&out, file_header, FILE_HEADER);
    Bytes frame, inner;
    RecordHeader header;
    uint32_t vni;
    while (next_record(&in, &header, &frame)) {
        if (!inner_frame(frame, &inner, &vni)) {
            continue;
        }
        if (out.used + RECORD_HEADER + inner.size > sizeof out.room) {
            flush(&out); /* a UDP datagram is much shorter than the buffer */
        }
        uint32_t removed = header.captured - (uint32_t)inner.size;
        header.captured -= removed;
        header.original -= removed;
        put(&out, &header, sizeof header);
        put(&out, inner.data, inner.size);
    }
    flush(&out);
    if (close(out.file) != 0) {
        die("close");
    }
    return 0;
}
