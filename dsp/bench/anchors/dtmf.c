/* spandsp's DTMF detector for comparison only: 16-bit samples at 8 kHz on standard input. "hits" prints the number of digits, "cost" the
 * least microseconds per 20 ms of many runs over the whole input, "digits" one line "sample digit" a digit. */
#include <spandsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static long hits, now;
static int tell;

static void found(void *data, const char *digits, int count) {
    (void)data;
    hits += count;
    for (int i = 0; tell && i < count; i++) printf("%ld %c\n", now, digits[i]);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "hits";
    tell = strcmp(what, "digits") == 0;
    if (strcmp(what, "cost") == 0) {
        size_t size = 0, room = 1 << 26;
        int16_t *all = malloc(room * sizeof(int16_t));
        size = fread(all, sizeof(int16_t), room, stdin);
        double best = 1e9;
        for (int run = 0; run < 50; run++) {
            dtmf_rx_state_t *rx = dtmf_rx_init(NULL, found, NULL);
            struct timespec a, b;
            clock_gettime(CLOCK_MONOTONIC, &a);
            for (size_t at = 0; at + 160 <= size; at += 160) dtmf_rx(rx, all + at, 160);
            clock_gettime(CLOCK_MONOTONIC, &b);
            double us = ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / (double)(size / 160);
            if (us < best) best = us;
            dtmf_rx_free(rx);
        }
        printf("%.3f\n", best);
        return 0;
    }
    dtmf_rx_state_t *rx = dtmf_rx_init(NULL, found, NULL);
    int16_t block[160];
    size_t got;
    while ((got = fread(block, sizeof(int16_t), 160, stdin)) > 0) {
        dtmf_rx(rx, block, (int)got);
        now += (long)got;
    }
    if (!tell) printf("%ld\n", hits);
    return 0;
}
