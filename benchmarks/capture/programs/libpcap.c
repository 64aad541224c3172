/* The inner frames of a capture as another one, with libpcap. */

#include <pcap/pcap.h>
#include <stdio.h>

#include "vxlan.h"

static int failed(const char *why)
{
    fprintf(stderr, "%s\n", why);
    return 1;
}

int main(int count, char **arguments)
{
    char problem[PCAP_ERRBUF_SIZE];
    if (count != 3) {
        return failed("usage: libpcap CAPTURE TARGET");
    }
    pcap_t *in = pcap_open_offline(arguments[1], problem);
    if (!in) {
        return failed(problem);
    }
    pcap_dumper_t *out = pcap_dump_open(in, arguments[2]);
    if (!out) {
        return failed(pcap_geterr(in));
    }
    struct pcap_pkthdr *header;
    const uint8_t *data;
    int got;
    while ((got = pcap_next_ex(in, &header, &data)) == 1) {
        Bytes frame = {data, header->caplen}, inner;
        uint32_t vni;
        if (inner_frame(frame, &inner, &vni)) {
            uint32_t removed = header->caplen - (uint32_t)inner.size;
            struct pcap_pkthdr shorter = {header->ts, header->caplen - removed, header->len - removed};
            pcap_dump((uint8_t *)out, &shorter, inner.data);
        }
    }
    if (got == PCAP_ERROR) {
        return failed(pcap_geterr(in));
    }
    int flushed = pcap_dump_flush(out);
    pcap_dump_close(out);
    pcap_close(in);
    return flushed == 0 ? 0 : failed("not all could be written");
}
