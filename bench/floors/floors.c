/*
 * The least that forward and backward cost in C with vectors of WIDTH bytes: one channel without
 * tails, promotion, shifts or other ranks. Prints the least microseconds of copy, triad, forward and
 * backward: in two passes each, in one pass that works on a block while it sums the next one, and in
 * two passes over rows of CHANNELS. Arguments: CHANNELS:BYTES of a float32 array, in multiples of
 * WIDTH, and of four rows.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef float vec __attribute__((vector_size(WIDTH)));
#define STEP (WIDTH / 4)

static volatile float used;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static void use(vec a, vec b)
{
    vec all = a + b;
    for (int i = 0; i < STEP; i++)
        used += all[i];
}

#define AT(array, k) (*(const vec *)((array) + i + (k) * STEP))
#define TO(array, k) (*(vec *)((array) + i + (k) * STEP))

static __attribute__((noinline)) void moments(const float *x, long n)
{
    vec s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0}, q2 = {0}, q3 = {0};
    for (long i = 0; i < n; i += 4 * STEP) {
        vec a = AT(x, 0), b = AT(x, 1), c = AT(x, 2), d = AT(x, 3);
        s0 += a + b, s1 += c + d;
        q0 += a * a, q1 += b * b, q2 += c * c, q3 += d * d;
    }
    use(s0 + s1, q0 + q1 + q2 + q3);
}

static __attribute__((noinline)) void normalize(float *y, const float *x, long n, float s, float o)
{
    for (long i = 0; i < n; i += 4 * STEP)
        for (int k = 0; k < 4; k++)
            TO(y, k) = AT(x, k) * s + o;
}

static __attribute__((noinline)) void sums(const float *dy, const float *x, long n)
{
    vec s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0}, q2 = {0}, q3 = {0};
    for (long i = 0; i < n; i += 4 * STEP) {
        vec a = AT(dy, 0), b = AT(dy, 1), c = AT(dy, 2), d = AT(dy, 3);
        s0 += a + b, s1 += c + d;
        q0 += a * AT(x, 0), q1 += b * AT(x, 1), q2 += c * AT(x, 2), q3 += d * AT(x, 3);
    }
    use(s0 + s1, q0 + q1 + q2 + q3);
}

static __attribute__((noinline)) void gradient(float *dx, const float *dy, const float *x, long n,
                                               float s, float k1, float o)
{
    for (long i = 0; i < n; i += 4 * STEP)
        for (int k = 0; k < 4; k++)
            TO(dx, k) = AT(dy, k) * s + o - AT(x, k) * k1;
}

/* normalize(y, x) while the moments of `next` are taken. */
static __attribute__((noinline)) void forward(float *y, const float *x, const float *next, long n,
                                              float s, float o)
{
    vec s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0}, q2 = {0}, q3 = {0};
    for (long i = 0; i < n; i += 4 * STEP) {
        vec a = AT(next, 0), b = AT(next, 1), c = AT(next, 2), d = AT(next, 3);
        TO(y, 0) = AT(x, 0) * s + o;
        s0 += a + b, q0 += a * a;
        TO(y, 1) = AT(x, 1) * s + o;
        s1 += c + d, q1 += b * b;
        TO(y, 2) = AT(x, 2) * s + o;
        q2 += c * c;
        TO(y, 3) = AT(x, 3) * s + o;
        q3 += d * d;
    }
    use(s0 + s1, q0 + q1 + q2 + q3);
}

/* gradient(dx, dy, x) while the sums over the block at `next` further on are taken. */
static __attribute__((noinline)) void backward(float *dx, const float *dy, const float *x, long next,
                                               long n, float s, float k1, float o)
{
    const float *g = dy + next, *y = x + next;
    vec s0 = {0}, s1 = {0}, q0 = {0}, q1 = {0}, q2 = {0}, q3 = {0};
    for (long i = 0; i < n; i += 4 * STEP) {
        vec a = AT(g, 0), b = AT(g, 1), c = AT(g, 2), d = AT(g, 3);
        TO(dx, 0) = AT(dy, 0) * s + o - AT(x, 0) * k1;
        s0 += a + b, q0 += a * AT(y, 0);
        TO(dx, 1) = AT(dy, 1) * s + o - AT(x, 1) * k1;
        s1 += c + d, q1 += b * AT(y, 1);
        TO(dx, 2) = AT(dy, 2) * s + o - AT(x, 2) * k1;
        q2 += c * AT(y, 2);
        TO(dx, 3) = AT(dy, 3) * s + o - AT(x, 3) * k1;
        q3 += d * AT(y, 3);
    }
    use(s0 + s1, q0 + q1 + q2 + q3);
}

static __attribute__((noinline)) void triad(float *t, const float *a, const float *b, long n)
{
    for (long i = 0; i < n; i += 4 * STEP)
        for (int k = 0; k < 4; k++)
            TO(t, k) = AT(a, k) + AT(b, k);
}

/* The same over rows of `channels`, four rows at once, a quarter of all apart. */

#define CHANNELS 4096
static float sum[CHANNELS], square[CHANNELS], scale[CHANNELS], slope[CHANNELS], offset[CHANNELS];
#define ROW(array, r) (*(const vec *)((array) + i + c + (r) * gap))
#define ROW_TO(array, r) (*(vec *)((array) + i + c + (r) * gap))
#define OF(array) (*(vec *)((array) + c))

static __attribute__((noinline)) void row_moments(const float *x, long n, long channels)
{
    long gap = n / channels / 4 * channels;
    for (long i = 0; i < gap; i += channels)
        for (long c = 0; c < channels; c += STEP) {
            vec a = ROW(x, 0), b = ROW(x, 1), d = ROW(x, 2), e = ROW(x, 3);
            OF(sum) += (a + b) + (d + e);
            OF(square) += (a * a + b * b) + (d * d + e * e);
        }
}

static __attribute__((noinline)) void row_normalize(float *y, const float *x, long n, long channels)
{
    long gap = n / channels / 4 * channels;
    for (long i = 0; i < gap; i += channels)
        for (long c = 0; c < channels; c += STEP) {
            vec s = OF(scale), o = OF(offset);
            for (int r = 0; r < 4; r++)
                ROW_TO(y, r) = ROW(x, r) * s + o;
        }
}

static __attribute__((noinline)) void row_sums(const float *dy, const float *x, long n, long channels)
{
    long gap = n / channels / 4 * channels;
    for (long i = 0; i < gap; i += channels)
        for (long c = 0; c < channels; c += STEP) {
            vec a = ROW(dy, 0), b = ROW(dy, 1), d = ROW(dy, 2), e = ROW(dy, 3);
            OF(sum) += (a + b) + (d + e);
            OF(square) += (a * ROW(x, 0) + b * ROW(x, 1)) + (d * ROW(x, 2) + e * ROW(x, 3));
        }
}

static __attribute__((noinline)) void row_gradient(float *dx, const float *dy, const float *x, long n,
                                                   long channels)
{
    long gap = n / channels / 4 * channels;
    for (long i = 0; i < gap; i += channels)
        for (long c = 0; c < channels; c += STEP) {
            vec s = OF(scale), k = OF(slope), o = OF(offset);
            for (int r = 0; r < 4; r++)
                ROW_TO(dx, r) = ROW(dy, r) * s + o - ROW(x, r) * k;
        }
}

/* Floats of a block. */
#define BLOCK 16384L
/* What the compiler must not know. */
#define OFFSET (used != 0 ? 0.2f : 0.3f)

enum { COPY, TRIAD, FORWARD, BACKWARD, FORWARD_FUSED, BACKWARD_FUSED, FORWARD_ROWS, BACKWARD_ROWS, WORKS };

static void forward_fused(float *y, const float *x, long n)
{
    long block = n < BLOCK ? n : BLOCK, i = 0;
    moments(x, block);
    for (; i + 2 * block <= n; i += block)
        forward(y + i, x + i, x + i + block, block, 1.1f, OFFSET);
    moments(x + i + block, n - i - block);
    normalize(y + i, x + i, n - i, 1.1f, OFFSET);
}

static void backward_fused(float *dx, const float *dy, const float *x, long n)
{
    long block = n < BLOCK ? n : BLOCK, i = 0;
    sums(dy, x, block);
    for (; i + 2 * block <= n; i += block)
        backward(dx + i, dy + i, x + i, block, block, 1.1f, 0.1f, OFFSET);
    sums(dy + i + block, x + i + block, n - i - block);
    gradient(dx + i, dy + i, x + i, n - i, 1.1f, 0.1f, OFFSET);
}

static void run(int work, float *const *array, long n, long channels)
{
    float *x = array[0], *y = array[1], *dy = array[2], *dx = array[3];
    switch (work) {
    case COPY:
        memcpy(y, x, n * 4);
        break;
    case TRIAD:
        triad(dx, x, dy, n);
        break;
    case FORWARD:
        moments(x, n);
        normalize(y, x, n, 1.1f, OFFSET);
        break;
    case BACKWARD:
        sums(dy, x, n);
        gradient(dx, dy, x, n, 1.1f, 0.1f, OFFSET);
        break;
    case FORWARD_FUSED:
        forward_fused(y, x, n);
        break;
    case BACKWARD_FUSED:
        backward_fused(dx, dy, x, n);
        break;
    case FORWARD_ROWS:
        row_moments(x, n, channels);
        row_normalize(y, x, n, channels);
        break;
    default:
        row_sums(dy, x, n, channels);
        row_gradient(dx, dy, x, n, channels);
    }
}

int main(int argc, char **argv)
{
    for (int c = 0; c < CHANNELS; c++)
        scale[c] = 1.1f, slope[c] = 0.1f, offset[c] = 0.2f;
    for (int arg = 1; arg < argc; arg++) {
        long channels = 0, bytes = 0;
        if (sscanf(argv[arg], "%ld:%ld", &channels, &bytes) != 2 || channels > CHANNELS)
            return 1;
        long n = bytes / 4;
        /* Arrays that begin at other places of their pages, as those of the kernels do. */
        long room = bytes + 4096 - bytes % 4096 + 4096;
        char *memory = aligned_alloc(4096, 4 * room + 4096);
        float *array[4];
        for (int i = 0; i < 4; i++) {
            array[i] = (float *)(memory + i * (room + 448));
            for (long j = 0; j < n; j++)
                array[i][j] = (j * 7 + i) % 13 * 0.1f - 0.5f;
        }
        double least[WORKS], end = now() + 5e5;
        for (int work = 0; work < WORKS; work++)
            least[work] = 1e30;
        for (int round = 0; round < 10 || now() < end; round++)
            for (int work = 0; work < WORKS; work++) {
                /* Once without the clock, as the layers: what ran before is in the caches. */
                run(work, array, n, channels);
                double start = now();
                run(work, array, n, channels);
                double time = now() - start;
                memset(sum, 0, sizeof(sum));
                memset(square, 0, sizeof(square));
                if (time < least[work])
                    least[work] = time;
            }
        for (int work = 0; work < WORKS; work++)
            printf("%g%c", least[work], work + 1 < WORKS ? ' ' : '\n');
        free(memory);
    }
    return 0;
}
