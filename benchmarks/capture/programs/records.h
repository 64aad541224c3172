/* The records of a pcap file, and failing. Only what the benchmark writes: little-endian, microseconds, Ethernet. */

#ifndef RECORDS_H
#define RECORDS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vxlan.h"

enum { FILE_HEADER = 24, RECORD_HEADER = 16 };

typedef struct {
    uint32_t seconds, fraction, captured, original;
} RecordHeader;

static inline void die(const char *why)
{
    perror(why);
    exit(1);
}

static inline int open_file(const char *path)
{
    int file = open(path, O_RDONLY);
    if (file < 0) {
        die(path);
    }
    return file;
}

/* Take the header off the file's first bytes. */
static inline Bytes behind_file_header(Bytes begin)
{
    static const uint8_t magic[] = {0xd4, 0xc3, 0xb2, 0xa1};
    if (begin.size < FILE_HEADER || memcmp(begin.data, magic, sizeof magic) != 0 || begin.data[20] != 1) {
        fputs("not a pcap file of Ethernet in microseconds\n", stderr);
        exit(1);
    }
    return behind(begin, FILE_HEADER);
}

/* Take a record off `rest`; 0 if there is no whole one. */
static inline int take_record(Bytes *rest, RecordHeader *header, Bytes *frame)
{
    if (rest->size < RECORD_HEADER) {
        return 0;
    }
    memcpy(header, rest->data, sizeof *header);
    if (header->captured > rest->size - RECORD_HEADER) {
        return 0;
    }
    *frame = (Bytes){rest->data + RECORD_HEADER, header->captured};
    *rest = behind(*rest, RECORD_HEADER + header->captured);
    return 1;
}

#endif
