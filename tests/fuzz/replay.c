/* Runs the fuzz target without libFuzzer: over the inputs in files, one a line in hexadecimal, as corpus.txt has them.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int digit(int c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* Run each line of a file; returns their number, or -1 where one is not hexadecimal. */
static long run_lines(FILE *file)
{
    enum { LONGEST = 1 << 16 };
    static uint8_t input[LONGEST];
    size_t size = 0;
    long lines = 0;
    for (int c; (c = getc(file)) != EOF;) {
        if (c == '\n') {
            uint8_t *exact = malloc(size); /* so that a read beyond the input is seen */
            for (size_t at = 0; at < size; at++)
                exact[at] = input[at];
            LLVMFuzzerTestOneInput(exact, size);
            free(exact);
            size = 0;
            lines++;
            continue;
        }
        int high = digit(c), low = digit(getc(file));
        if (high < 0 || low < 0 || size == LONGEST)
            return -1;
        input[size++] = (uint8_t)(high << 4 | low);
    }
    return lines;
}

int main(int count, char **names)
{
    for (int which = 1; which < count; which++) {
        FILE *file = fopen(names[which], "r");
        long lines = file ? run_lines(file) : -1;
        if (file)
            fclose(file);
        if (lines < 0) {
            fprintf(stderr, "%s: no file of inputs\n", names[which]);
            return 2;
        }
        printf("%s: %ld inputs\n", names[which], lines);
    }
    return 0;
}
