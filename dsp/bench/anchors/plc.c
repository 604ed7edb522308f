/* spandsp's packet loss concealment for comparison only. Jobs "in lost out" on standard input: 16-bit samples at 8 kHz, one byte a packet of
 * 20 ms that says whether it is lost. */
#include <spandsp.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char in[1024], lost[1024], out[1024];
    while (scanf("%1023s %1023s %1023s", in, lost, out) == 3) {
        FILE *a = fopen(in, "rb"), *b = fopen(lost, "rb"), *c = fopen(out, "wb");
        if (!a || !b || !c) { perror(in); return 1; }
        plc_state_t *plc = plc_init(NULL);
        int16_t block[160];
        while (fread(block, sizeof(int16_t), 160, a) == 160) {
            if (fgetc(b) == 1) plc_fillin(plc, block, 160);
            else plc_rx(plc, block, 160);
            fwrite(block, sizeof(int16_t), 160, c);
        }
        plc_free(plc);
        fclose(a); fclose(b); fclose(c);
    }
    return 0;
}
