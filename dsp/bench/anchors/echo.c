/* Echo engines that others use, for comparison only: SpeexDSP from Debian's package. Jobs "rate far mic out" on standard input, f32 samples
 * in the files, one line of JSON a job. */
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static float *load(const char *path, long *count) {
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(1); }
    fseek(file, 0, SEEK_END);
    *count = ftell(file) / (long)sizeof(float);
    rewind(file);
    float *data = malloc((size_t)*count * sizeof(float));
    if (fread(data, sizeof(float), (size_t)*count, file) != (size_t)*count) { perror(path); exit(1); }
    fclose(file);
    return data;
}

static int16_t to16(float x) {
    x *= 32768.0f;
    return (int16_t)(x > 32767 ? 32767 : x < -32768 ? -32768 : x);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    const char *engine = argc > 1 ? argv[1] : "speex-linear";
    int alone = strcmp(engine, "speex-noise") == 0;
    int full = alone || strstr(engine, "full") != NULL;
    int tail_ms = strstr(engine, "128") ? 128 : 64;
    char far_path[1024], mic_path[1024], out_path[1024];
    int rate;
    while (scanf("%d %1023s %1023s %1023s", &rate, far_path, mic_path, out_path) == 4) {
        long count, mics;
        float *far = load(far_path, &count), *mic = load(mic_path, &mics);
        int block = rate / 100;
        SpeexEchoState *echo = speex_echo_state_init(block, tail_ms * rate / 1000);
        speex_echo_ctl(echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
        SpeexPreprocessState *pre = NULL;
        if (full) {
            pre = speex_preprocess_state_init(block, rate);
            if (!alone) speex_preprocess_ctl(pre, SPEEX_PREPROCESS_SET_ECHO_STATE, echo);
            int on = 1, noise = -15;
            speex_preprocess_ctl(pre, SPEEX_PREPROCESS_SET_DENOISE, &on);
            speex_preprocess_ctl(pre, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, &noise);
        }
        float *out = calloc((size_t)count, sizeof(float));
        double *times = calloc((size_t)(count / block) + 1, sizeof(double));
        long blocks = 0;
        int16_t f[480], m[480], o[480];
        for (long at = 0; at + block <= count; at += block) {
            for (int i = 0; i < block; i++) { f[i] = to16(far[at + i]); m[i] = to16(mic[at + i]); }
            struct timespec a, b;
            clock_gettime(CLOCK_MONOTONIC, &a);
            if (alone) memcpy(o, m, sizeof m);
            else speex_echo_cancellation(echo, m, f, o);
            if (pre) speex_preprocess_run(pre, o);
            clock_gettime(CLOCK_MONOTONIC, &b);
            times[blocks++] = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
            for (int i = 0; i < block; i++) out[at + i] = (float)o[i] / 32768.0f;
        }
        FILE *file = fopen(out_path, "wb");
        fwrite(out, sizeof(float), (size_t)count, file);
        fclose(file);
        qsort(times, (size_t)blocks, sizeof(double), by_value);
        printf("{\"median_us\": %.2f, \"p99_us\": %.2f}\n", times[blocks / 2], times[blocks * 99 / 100]);
        if (pre) speex_preprocess_state_destroy(pre);
        speex_echo_state_destroy(echo);
        free(far); free(mic); free(out); free(times);
    }
    return 0;
}
