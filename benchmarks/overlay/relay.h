/* A relay and what it works on. The compiler and cffi read this same text. */

typedef struct {
    int32_t device, receiver, stop; /* file descriptors */
    uint8_t peer[16];               /* struct sockaddr_in */
    uint64_t failures;
    uint8_t sent[69632];
    uint8_t received[69632];
} Relay;

void relay_run(Relay *relay);
