/* fastmlp's arithmetic, a second time: written from docs/arithmetic.md alone, in plain C99.
 *
 *     cc -O2 -std=c99 -ffp-contract=off fastmlp.c -lm -o second
 *     ./second check                    the page's check values, and the digests of XOR in README.md and docs/quickstart.md
 *     ./second values < arguments       lines of a function, a dtype and an argument; prints one result for each
 *     ./second train < training         a training in words (see `read_task`); prints each epoch's loss, then the digest
 *
 * It needs IEEE-754 numbers, rounding to nearest, FLT_EVAL_METHOD 0, and an fma that rounds once. It is short, not fast, and
 * trusts its input. Left out: weights of rows, objectives, clipping, schedules in a training, folds, ensembles.
 * All below the `#else` is compiled twice, for float64 and for float32, for the file includes itself: T(exp) is the dtype's exp.
 */
#ifndef REAL
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LAYERS 16

/* One training: a network, its options, and its rows. Layers 0 .. L-1; sizes[l] inputs, sizes[l + 1] outputs. */
struct task {
    char dtype[32], hidden[MOST_LAYERS][32], output[32], loss[32], parameter[40], optimizer[32];
    int L, sizes[MOST_LAYERS + 1], labels, shuffle;
    size_t rows, epochs, batch;
    uint64_t seed;
    double rate, l2, l1, momentum, beta1, beta2, epsilon, decay, accumulator, weight_decay, dropout[MOST_LAYERS];
    double *x, *y, *start;                              /* start: initial parameters, or NULL to draw them */
};

static void stop(const char *why, const char *what) {
    fprintf(stderr, "second: %s %s\n", why, what);
    exit(2);
}

static void *room(size_t count, size_t size) {
    void *memory = calloc(count + 1, size);
    if (!memory) stop("there is no", "memory");
    return memory;
}

static int same(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* ---- SHA-256 (FIPS 180-4) ---- */
static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

struct sha { uint32_t h[8]; unsigned char block[64]; uint64_t bytes; };

static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha_byte(struct sha *s, unsigned char byte) {
    s->block[s->bytes++ % 64] = byte;
    if (s->bytes % 64) return;
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)s->block[4 * i] << 24 | (uint32_t)s->block[4 * i + 1] << 16 | (uint32_t)s->block[4 * i + 2] << 8 | s->block[4 * i + 3];
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + w[i - 7] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, s->h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + ROUND[i] + w[i];
        uint32_t t2 = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) s->h[i] += v[i];
}

static void sha_start(struct sha *s) {
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, first, sizeof first);
    s->bytes = 0;
}

static void sha_text(struct sha *s, const char *text) { while (*text) sha_byte(s, (unsigned char)*text++); }

static void sha_end(struct sha *s, char digest[65]) {
    uint64_t bits = s->bytes * 8;
    sha_byte(s, 0x80);
    while (s->bytes % 64 != 56) sha_byte(s, 0);
    for (int i = 56; i >= 0; i -= 8) sha_byte(s, (unsigned char)(bits >> i));
    for (int i = 0; i < 8; i++) sprintf(digest + 8 * i, "%08x", (unsigned)s->h[i]);
}

/* ---- Random numbers: all but the normal ones, which need float64's log ---- */
static void philox(uint64_t block, uint32_t epoch, uint32_t stream, uint64_t seed, uint32_t c[4]) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    c[0] = (uint32_t)block, c[1] = (uint32_t)(block >> 32), c[2] = epoch, c[3] = stream;
    for (int i = 0; i < 10; i++) {
        uint64_t p0 = (uint64_t)0xd2511f53 * c[0], p1 = (uint64_t)0xcd9e8d57 * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0, c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1, c[3] = (uint32_t)p0;
        k0 += 0x9e3779b9, k1 += 0xbb67ae85;
    }
}

static uint64_t word(uint64_t seed, uint32_t stream, uint32_t epoch, uint64_t i) {
    uint32_t c[4];
    philox(i / 2, epoch, stream, seed, c);
    return i % 2 ? (uint64_t)c[3] << 32 | c[2] : (uint64_t)c[1] << 32 | c[0];
}

static double uniform(uint64_t seed, uint32_t stream, uint32_t epoch, uint64_t i) {
    return ((double)(word(seed, stream, epoch, i) >> 12) + 0.5) * 0x1p-52;
}

static void permutation(uint64_t seed, uint32_t epoch, size_t rows, size_t *order) {
    for (size_t i = 0; i < rows; i++) order[i] = i;
    for (size_t i = rows; i-- > 1;) {                   /* floor(u (i + 1) / 2^64), u in two halves */
        uint64_t u = word(seed, 1, epoch, i);
        size_t j = (size_t)(((u >> 32) * (i + 1) + ((u & 0xffffffff) * (i + 1) >> 32)) >> 32), kept = order[i];
        order[i] = order[j], order[j] = kept;
    }
}

/* ---- Constants: C(float32, float64) is that of the dtype that is compiled ---- */
#define SCALE_UP C(0x1p+32f, 0x1p+64)
#define SCALE_DOWN C(0x1p-32f, 0x1p-64)
#define MAGIC_EXPONENT C(0x1.8000fep+23f, 0x1.80000000003ffp+52)
#define MAGIC_EXPONENT_UP C(0x1.80013ep+23f, 0x1.800000000043fp+52)
#define MAGIC_EXPONENT_DOWN C(0x1.8000bep+23f, 0x1.80000000003bfp+52)
#define EXP_LOWEST C(-0x1.a4p+6f, -0x1.75p+9)
#define EXP_HIGHEST C(0x1.64p+6f, 0x1.63p+9)
#define TANH_HIGHEST C(0x1.4p+4f, 0x1.4p+5)
#define LOG2_E C(0x1.715476p+0f, 0x1.71547652b82fep+0)
#define LN2_HI C(0x1.62e43p-1f, 0x1.62e42fefa39efp-1)
#define LN2_LO C(-0x1.05c61p-29f, 0x1.abc9e3b39803fp-56)
#define MIN_NORMAL C(0x1p-126f, 0x1p-1022)
#define NORMAL_HIGHEST C(0x1.d4p+3f, 0x1.36p+5)
#define NORMAL_SHIFT C(0x1.4p+0f, 0x1.4p+0)
#define NORMAL_CENTRE C(0x1.06p+2f, 0x1.42p+2)
#define NORMAL_DENSITY C(0x1.988454p-2f, 0x1.9884533d43651p-2)
#define NORMAL_MIDDLE C(0x1.f9e7d2p-2f, 0x1.ebe0aff8bc071p-2)
#define LEAK C(0x1.47ae14p-7f, 0x1.47ae147ae147bp-7)
#define SELU_SCALE C(0x1.0cfabep+0f, 0x1.0cfabd6a91132p+0)
#define SELU_ALPHA_SCALE C(0x1.c212ccp+0f, 0x1.c212cc640f03p+0)
#define GELU_SCALE C(0x1.988454p+0f, 0x1.9884533d43651p+0)
#define GELU_CUBE C(0x1.6e4e26p-5f, 0x1.6e4e26d4801f7p-5)
#define GELU_CUBE_SLOPE C(0x1.12ba9ep-3f, 0x1.12ba9d1f60179p-3)
#define GELU_HIGHEST C(0x1.6p+3f, 0x1.6p+4)
static const float EXP_POLYNOMIAL_32[] = {0x1.63176ap-10f, 0x1.1223e4p-7f, 0x1.556144p-5f, 0x1.5554b6p-3f, 0x1.fffff4p-2f};
static const double EXP_POLYNOMIAL_64[] = {
    0x1.a8a5a8f679924p-26, 0x1.289ea2aa9eb1fp-22, 0x1.71e207b78ee3fp-19, 0x1.a019aaf45b9c5p-16, 0x1.a019fffa2e11cp-13,
    0x1.6c16c17d9707bp-10, 0x1.11111111597c2p-7, 0x1.5555555552804p-5, 0x1.5555555555456p-3, 0x1.0000000000004p-1};
static const float LOG_POLYNOMIAL_32[] = {0x1.31e03cp-2f, 0x1.995ed8p-2f, 0x1.55557ap-1f};
static const double LOG_POLYNOMIAL_64[] = {
    0x1.2f02519e1ae72p-3, 0x1.39a20ba482de3p-3, 0x1.74663ba33d808p-3, 0x1.c71c521a19bf9p-3, 0x1.24924941db48bp-2,
    0x1.999999997ff63p-2, 0x1.5555555555592p-1};
static const float NORMAL_POLYNOMIAL_32[] = {
    -0x1.3faaaep-14f, -0x1.30ac54p-13f, 0x1.53cc12p-11f, 0x1.36729p-12f, -0x1.7d257ep-8f, 0x1.0f60e4p-6f, -0x1.872b14p-6f,
    0x1.160c4cp-7f, 0x1.814f14p-5f, -0x1.1b1b3ep-3f};
static const double NORMAL_POLYNOMIAL_64[] = {
    0x1.1183727728cc2p-31, 0x1.ee6cf2c4f11c5p-29, 0x1.675427088eaep-29, -0x1.e74f77830b6cfp-26, -0x1.333901e2fb362p-25,
    0x1.7e6052897ad3fp-23, 0x1.c5260e99a938dp-23, -0x1.47a052b204deep-20, -0x1.5f70a9babcb5ep-21, 0x1.2da6c7747388fp-17,
    -0x1.8f8d8c2aaa20ep-18, -0x1.ed27ff026214bp-15, 0x1.56ddd3a3cceb1p-13, 0x1.7350ff3eea0ffp-14, -0x1.caf77fb720675p-10,
    0x1.91a01634325ebp-8, -0x1.aca8cadfac574p-7, 0x1.310947dfdd77p-6, -0x1.cc582fa76f2a7p-7, -0x1.60f3155d29057p-7,
    0x1.ee5a66185e3b9p-5, -0x1.042e6417f8616p-3};
static const double MIDDLE[2][8] = {
    {0x1.39a296f7d925ep+11, 0x1.052d26b2e45e4p+15, 0x1.06c1c55b78f2p+16, 0x1.66c3e869b752ap+15, 0x1.ad1d8cd4ee71dp+13,
     0x1.ece5d2213c0ccp+10, 0x1.0a4888b1a436ep+7, 0x1.b18d91e9eef75p+1},
    {0x1.46a7eca984b69p+12, 0x1.c0e457cb1ae76p+14, 0x1.3317caa64f4bep+15, 0x1.4b772d5d65266p+14, 0x1.512322e75c89fp+12,
     0x1.5797efdc8b3f7p+9, 0x1.5281b386e1ab5p+5, 0x1p+0}};
static const double NEAR_TAIL[2][8] = {
    {0x1.9615ac0b7ace9p-11, 0x1.744eb6c45ec67p-6, 0x1.ef2abb9b85c37p-3, 0x1.453cc085375b2p+0, 0x1.d2ecb1a3d02c4p+1,
     0x1.713f71462256ap+2, 0x1.2857748cab19bp+2, 0x1.6c665fde9526ap+0},
    {0x1.20d3f686439e4p-30, 0x1.1f18cbfdf2728p-11, 0x1.f207a7eab17bfp-7, 0x1.2f5123394f04p-3, 0x1.61292f23385c9p-1,
     0x1.ad278e6526633p+0, 0x1.06cefbb46a449p+1, 0x1p+0}};
static const double FAR_TAIL[2][8] = {
    {0x1.afb74d693bf93p-23, 0x1.c6ec6cc59e02ap-16, 0x1.45c1908425345p-10, 0x1.b2b41193b4ee7p-6, 0x1.2fad9315255cfp-2,
     0x1.c8ea6461fa445p+0, 0x1.5daea6e875003p+2, 0x1.aa1b1c13ee526p+2},
    {0x1.269bff1f8c19p-49, 0x1.31446f740b9ep-23, 0x1.35c2c496374bfp-16, 0x1.9c8bc979dc5d7p-11, 0x1.e76f93215462ap-7,
     0x1.186eb183443fbp-3, 0x1.331d34fc7d77fp-1, 0x1p+0}};
static const double SERIES[11] = {
    0x1.52ae4120fde27p-35, -0x1.ef6e308d6d1c4p-30, 0x1.2a0c591af8314p-24, -0x1.20c62c2f2d7f5p-19, 0x1.b6e24f44b128fp-15,
    -0x1.f9d38a3763cc3p-11, 0x1.a6d1f2a204a8cp-7, -0x1.e1f506891babbp-4, 0x1.55d3c7e3cbffap-1, -0x1.03c1f081b5ac4p+1,
    0x1.de9e64df22ef3p-2};

/* ---- Both dtypes, float64 first ---- */
#define REAL double
#define BITS uint64_t
#define T(name) name##_64
#define C(f, d) d
#define FMA fma
#define SQRT sqrt
#define M 52
#define LANES 8
#define ONE_BITS 0x3ff0000000000000u
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcdu
#define MAGIC_BITS 0x4338000000000000u
#define EXPONENT_LIMIT 0x7ffu
#include "fastmlp.c"
#undef REAL
#undef BITS
#undef T
#undef C
#undef FMA
#undef SQRT
#undef M
#undef LANES
#undef ONE_BITS
#undef SQRT_HALF_BITS
#undef MAGIC_BITS
#undef EXPONENT_LIMIT
#define REAL float
#define BITS uint32_t
#define T(name) name##_32
#define C(f, d) f
#define FMA fmaf
#define SQRT sqrtf
#define M 23
#define LANES 16
#define ONE_BITS 0x3f800000u
#define SQRT_HALF_BITS 0x3f3504f3u
#define MAGIC_BITS 0x4b400000u
#define EXPONENT_LIMIT 0xffu
#include "fastmlp.c"

/* ---- Learning rates' functions, for the check values ---- */
static double power(double x, double y) {
    if (y != floor(y)) return exp_64(y * log_64(x));
    double result = 1, square = x;
    for (uint64_t n = (uint64_t)y; n; n >>= 1, square = square * square)
        if (n & 1) result = result * square;
    return result;
}

static double half_cosine(double f) {
    double g = f > 0.5 ? 1 - f : f, h = real_64(bits_64(g) & 0xfffffffff8000000u);
    double square = h * h, rest = (g - h) * (g + h), z = square + rest, q = SERIES[0];
    for (int i = 1; i < 11; i++) q = q * z + SERIES[i];
    double s = 2 * square + (2 * rest + z * q);
    return f > 0.5 ? s : 1 - s;
}

/* ---- The commands ---- */
static void run(const struct task *task, int quiet) {
    double *losses = room(task->epochs, sizeof *losses);
    char digest[65];
    (same(task->dtype, "float32") ? train_32 : train_64)(task, losses, digest);
    for (size_t i = quiet && task->epochs ? task->epochs - 1 : 0; i < task->epochs; i++) printf("loss %.13a\n", losses[i]);
    printf("digest %s\n", digest);
    free(losses);
}

static struct task defaults(void) {
    struct task task = {.dtype = "float64", .output = "softmax", .loss = "cross_entropy", .optimizer = "gradient_descent",
                        .shuffle = 1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
    for (int l = 0; l < MOST_LAYERS; l++) strcpy(task.hidden[l], "relu");
    return task;
}

/* XOR, `repeat` times over. */
static void xor_rows(struct task *task, size_t repeat) {
    task->rows = 4 * repeat, task->labels = 1;
    task->x = room(2 * task->rows, sizeof(double)), task->y = room(task->rows, sizeof(double));
    for (size_t n = 0; n < task->rows; n++) {
        task->x[2 * n] = (double)(n / 2 % 2), task->x[2 * n + 1] = (double)(n % 2);
        task->y[n] = (double)(n / 2 % 2 ^ n % 2);
    }
}

static void layers(struct task *task, int L, const int *sizes) {
    task->L = L;
    memcpy(task->sizes, sizes, (size_t)(L + 1) * sizeof *sizes);
}

static void check(void) {
    static const char *names[] = {"exp", "expm1_nonpositive", "log", "log1p", "sigmoid", "tanh", "normal_cdf"};
    for (int i = 0; i < 7; i++) {
        double x = i == 1 ? -0.7 : 0.7;
        printf("%s(%.1f) %.13a %.13a\n", names[i], x, (double)value_32(names[i], (float)x), value_64(names[i], x));
    }
    double third[1000];
    float third_32[1000];
    for (int i = 0; i < 1000; i++) third_32[i] = (float)(third[i] = 1.0 / 3);
    printf("sum %.13a %.13a\n", row_sum_64(third, 1, NULL, 0, 1000), (double)row_sum_32(third_32, 1, NULL, 0, 1000));
    printf("words");
    for (uint64_t i = 0; i < 3; i++) printf(" 0x%llx", (unsigned long long)word(1, 2, 3, i));
    printf("\nuniform %.13a\nnormal %.13a\npermutation", uniform(1, 0, 0, 0), normal_64(uniform(1, 0, 0, 0)));
    size_t order[10];
    permutation(1, 1, 10, order);
    for (int i = 0; i < 10; i++) printf(" %d", (int)order[i]);
    printf("\npower %.13a %.13a\nhalf_cosine %.13a\n", power(0.9, 2.5), power(0.9, 5.0), half_cosine(0.3));
    for (int i = 0; i < 2; i++) {                       /* the page's training of two epochs */
        struct task task = defaults();
        strcpy(task.dtype, i ? "float32" : "float64");
        strcpy(task.optimizer, "adam");
        layers(&task, 2, (int[]){2, 3, 2});
        xor_rows(&task, 1);
        task.seed = 1, task.epochs = 2, task.batch = 3, task.rate = 0.1, task.l2 = 0.01;
        run(&task, 0);
    }
    struct task task = defaults();                      /* docs/quickstart.md */
    layers(&task, 2, (int[]){2, 8, 2});
    xor_rows(&task, 1);
    task.seed = 1, task.epochs = 1000, task.batch = 4, task.rate = 0.5;
    run(&task, 1);
    task = defaults();                                  /* README.md */
    layers(&task, 3, (int[]){2, 8, 8, 2});
    xor_rows(&task, 500);
    task.seed = 1, task.epochs = 1000, task.batch = 2000, task.rate = 0.1;
    run(&task, 1);
}

static void text(char *to, int size) {
    char format[16];
    sprintf(format, "%%%ds", size - 1);
    if (scanf(format, to) != 1) stop("the training ends too early", "");
}

static double number(void) {
    char word_of[64], *end;
    text(word_of, sizeof word_of);
    double x = strtod(word_of, &end);
    if (*end) stop("this is not a number:", word_of);
    return x;
}

/* A training in words: a key, then its values. "layers" comes first of those that count by it, "rows" last. */
static struct task read_task(void) {
    struct task task = defaults();
    char key[32];
    while (scanf("%31s", key) == 1) {
        if (same(key, "dtype")) text(task.dtype, 32);
        else if (same(key, "layers")) {                 /* how many sizes, then the sizes */
            task.L = (int)number() - 1;
            for (int l = 0; l <= task.L; l++) task.sizes[l] = (int)number();
        } else if (same(key, "hidden")) for (int l = 0; l < task.L - 1; l++) text(task.hidden[l], 32);
        else if (same(key, "dropout")) for (int l = 0; l < task.L - 1; l++) task.dropout[l] = number();
        else if (same(key, "output")) text(task.output, 32);
        else if (same(key, "loss")) text(task.loss, 32);
        else if (same(key, "loss_parameter")) text(task.parameter, 40);
        else if (same(key, "optimizer")) text(task.optimizer, 32);
        else if (same(key, "seed")) { char word_of[32]; text(word_of, 32); task.seed = strtoull(word_of, NULL, 10); }
        else if (same(key, "epochs")) task.epochs = (size_t)number();
        else if (same(key, "batch")) task.batch = (size_t)number();
        else if (same(key, "shuffle")) task.shuffle = (int)number();
        else if (same(key, "learning_rate")) task.rate = number();
        else if (same(key, "l2")) task.l2 = number();
        else if (same(key, "l1")) task.l1 = number();
        else if (same(key, "momentum")) task.momentum = number();
        else if (same(key, "beta1")) task.beta1 = number();
        else if (same(key, "beta2")) task.beta2 = number();
        else if (same(key, "epsilon")) task.epsilon = number();
        else if (same(key, "decay")) task.decay = number();
        else if (same(key, "weight_decay")) task.weight_decay = number();
        else if (same(key, "initial_accumulator")) task.accumulator = number();
        else if (same(key, "start")) {                  /* how many parameters, then the flat vector */
            size_t count = (size_t)number();
            task.start = room(count, sizeof(double));
            for (size_t i = 0; i < count; i++) task.start[i] = number();
        } else if (same(key, "rows")) {                 /* how many rows, 1 if they have labels; then x, then y or the label */
            task.rows = (size_t)number(), task.labels = (int)number();
            size_t K = (size_t)task.sizes[0], J = task.labels ? 1 : (size_t)task.sizes[task.L];
            task.x = room(task.rows * K, sizeof(double)), task.y = room(task.rows * J, sizeof(double));
            for (size_t n = 0; n < task.rows; n++) {
                for (size_t k = 0; k < K; k++) task.x[n * K + k] = number();
                for (size_t j = 0; j < J; j++) task.y[n * J + j] = number();
            }
        } else stop("there is no key", key);
    }
    return task;
}

int main(int count, char **arguments) {
    const char *command = count == 2 ? arguments[1] : "";
    char name[32], dtype[32], argument[64];
    if (same(command, "check")) check();
    else if (same(command, "values"))
        while (scanf("%31s %31s %63s", name, dtype, argument) == 3)
            printf("%a\n", same(dtype, "float32") ? (double)value_32(name, strtof(argument, NULL)) : value_64(name, strtod(argument, NULL)));
    else if (same(command, "train")) {
        struct task task = read_task();
        run(&task, 0);
    } else stop("use:", "second check | values | train");
    return 0;
}

#else /* ======== compiled for each dtype ======== */

static BITS T(bits)(REAL x) { BITS u; memcpy(&u, &x, sizeof u); return u; }
static REAL T(real)(BITS u) { REAL x; memcpy(&x, &u, sizeof x); return x; }
static REAL T(absolute)(REAL x) { return T(real)(T(bits)(x) & ~((BITS)1 << (sizeof(BITS) * 8 - 1))); }
static REAL T(positive)(REAL z) { return z > 0 ? z : 0; }               /* max(z, 0) */

/* ---- Elementary functions ---- */
static REAL T(poly)(const REAL *c, int count, REAL x) {
    REAL v = c[0];
    for (int i = 1; i < count; i++) v = FMA(v, x, c[i]);
    return v;
}
#define POLY(c, x) T(poly)(C(c##_32, c##_64), C((int)(sizeof c##_32 / sizeof(float)), (int)(sizeof c##_64 / sizeof(double))), x)

static REAL T(reduce)(REAL x, REAL magic, REAL *k, REAL *r) {
    REAL t = FMA(x, LOG2_E, magic);
    *k = t - magic;
    *r = FMA(*k, -LN2_HI, x);
    return T(real)(T(bits)(t) << M);
}

static REAL T(rest)(REAL r, REAL r_low) {
    REAL s = r + r_low;
    return FMA(s * s, POLY(EXP_POLYNOMIAL, s), r_low);
}

static REAL T(exp)(REAL x) {
    REAL k, r;
    if (x > EXP_HIGHEST) x = EXP_HIGHEST;
    if (x < EXP_LOWEST) x = EXP_LOWEST;
    REAL power = T(reduce)(x, x < 0 ? MAGIC_EXPONENT_UP : MAGIC_EXPONENT_DOWN, &k, &r), p = T(rest)(r, k * -LN2_LO);
    return FMA(r + p, power, power) * (x < 0 ? SCALE_DOWN : SCALE_UP);
}

static REAL T(less_one)(REAL power, REAL r, REAL p, REAL *n_low) {
    REAL c = power - 1, n = FMA(r + p, power, c);
    *n_low = FMA(p, power, FMA(r, power, c - n));
    return n;
}

static REAL T(expm1)(REAL x) {
    REAL k, r, n_low;
    if (x < -TANH_HIGHEST) x = -TANH_HIGHEST;
    REAL power = T(reduce)(x, MAGIC_EXPONENT, &k, &r), n = T(less_one)(power, r, T(rest)(r, k * -LN2_LO), &n_low);
    return n + n_low;
}

static REAL T(correction)(REAL y, REAL high, REAL low) { return FMA(-y, low, FMA(-y, high, 1)); }

static REAL T(sigmoid)(REAL x) {
    REAL t = T(absolute)(x), k, r;
    if (t > -EXP_LOWEST) t = -EXP_LOWEST;
    REAL power = T(reduce)(t, MAGIC_EXPONENT_DOWN, &k, &r), p_low = T(rest)(r, k * -LN2_LO), p = r + p_low;
    REAL e = FMA(p, power, power), e_low = FMA(p, power, power - e);
    REAL high = SCALE_DOWN + e, low = (SCALE_DOWN - (high - e)) + e_low, s = 1 / high;
    s = FMA(s, T(correction)(s, high, low), s) * SCALE_DOWN;
    return x < 0 ? s : 1 - s;
}

static REAL T(tanh)(REAL x) {
    REAL t = T(absolute)(x) * 2, k, r, n_low;
    if (t > TANH_HIGHEST) t = TANH_HIGHEST;
    REAL power = T(reduce)(t, MAGIC_EXPONENT, &k, &r), n = T(less_one)(power, r, T(rest)(r, k * -LN2_LO), &n_low);
    REAL high = 2 + n, low = (n - (high - 2)) + n_low, y = 1 / high;
    y = FMA(n, y, y * FMA(n, T(correction)(y, high, low), n_low));
    return T(real)(T(bits)(y) | (T(bits)(x) & (BITS)1 << (sizeof(BITS) * 8 - 1)));
}

static REAL T(split)(REAL x, REAL *f) {
    BITS u = T(bits)(x) + (BITS)(ONE_BITS - SQRT_HALF_BITS);
    *f = T(real)((u & (((BITS)1 << M) - 1)) + SQRT_HALF_BITS) - 1;
    return T(real)((u >> M) | MAGIC_BITS);
}

static REAL T(log_sum)(REAL k, REAL f, REAL s, REAL low) {
    REAL z = s * s, h = (f * (REAL)0.5) * f, tail = FMA(z, POLY(LOG_POLYNOMIAL, z), h);
    return FMA(k, LN2_HI, f - (h - FMA(s, tail, low)));
}

static REAL T(log)(REAL x) {
    if (x == INFINITY) return x;
    if (!(x > 0)) return x == 0 ? -INFINITY : NAN;
    REAL f, exponent = T(split)(x < MIN_NORMAL ? x * SCALE_UP : x, &f);
    REAL k = exponent - (x < MIN_NORMAL ? MAGIC_EXPONENT_UP : MAGIC_EXPONENT);
    return T(log_sum)(k, f, f / (f + 2), k * LN2_LO);
}

static REAL T(log1p)(REAL x) {
    if (!(x < INFINITY)) return x;
    REAL u = 1 + x, c = x - (u - 1), f, exponent = T(split)(u, &f), k = exponent - MAGIC_EXPONENT;
    REAL twice = T(real)((EXPONENT_LIMIT - T(bits)(exponent)) << M), s = f / (f + 2);
    return T(log_sum)(k, f, s, FMA(k, LN2_LO, (c * twice) * ((REAL)0.5 - s)));
}

static REAL T(normal_tail)(REAL t, REAL *slope) {
    REAL half = t * (REAL)-0.5, square = half * t, k, r;
    REAL power = T(reduce)(square, MAGIC_EXPONENT_UP, &k, &r), p = T(rest)(r, FMA(k, -LN2_LO, FMA(half, t, -square)));
    REAL u = (t - NORMAL_CENTRE) / (t + NORMAL_CENTRE), slant = POLY(NORMAL_POLYNOMIAL, u);
    REAL n = FMA(slant, u, NORMAL_MIDDLE), n_low = FMA(slant, u, NORMAL_MIDDLE - n);
    REAL s = t + NORMAL_SHIFT, s_low = t - (s - NORMAL_SHIFT), y = 1 / s, q = n * y;
    REAL q_low = (FMA(-q, s_low, FMA(-q, s, n)) + n_low) * y;
    REAL d = FMA(t, -NORMAL_DENSITY, q) + q_low, tail = q + FMA(r, q, FMA(p, q, FMA(r, q_low, q_low)));
    *slope = FMA(r + p, d, d) * power;
    return tail * power;
}

static REAL T(normal_cdf)(REAL x) {
    REAL t = T(absolute)(x), slope;
    if (t > NORMAL_HIGHEST) t = NORMAL_HIGHEST;
    REAL tail = T(normal_tail)(t, &slope) * SCALE_DOWN;
    return x < 0 ? tail : 1 - tail;
}

static REAL T(value)(const char *name, REAL x) {
    if (same(name, "exp")) return T(exp)(x);
    if (same(name, "expm1_nonpositive")) return T(expm1)(x);
    if (same(name, "log")) return T(log)(x);
    if (same(name, "log1p")) return T(log1p)(x);
    if (same(name, "sigmoid")) return T(sigmoid)(x);
    if (same(name, "tanh")) return T(tanh)(x);
    if (same(name, "normal_cdf")) return T(normal_cdf)(x);
    stop("there is no function", name);
    return 0;
}

/* ---- A normal number from a uniform one: of float64 alone, as the weights are ---- */
#if M == 52
static double ratio(const double c[2][8], double x) { return T(poly)(c[0], 8, x) / T(poly)(c[1], 8, x); }

static double T(normal)(double p) {
    double q = p - 0.5;
    if (T(absolute)(q) <= 0.425) return q * ratio(MIDDLE, FMA(-q, q, 0.180625));
    double r = SQRT(-T(log)(q < 0 ? p : 1 - p)), x = r <= 5 ? ratio(NEAR_TAIL, r - 1.6) : ratio(FAR_TAIL, r - 5);
    return q < 0 ? -x : x;
}
#endif

/* ---- Sums over rows: of a[n] d[n], or of a[n] where d is NULL; a's and d's steps from row to row ---- */
static REAL T(row_sum)(const REAL *a, size_t a_step, const REAL *d, size_t d_step, size_t rows) {
    size_t chunks = (rows + 511) / 512;
    REAL *sums = room(chunks, sizeof *sums), result;
    for (size_t c = 0; c < chunks; c++) {
        REAL lane[LANES] = {0};
        size_t last = rows - c * 512 < 512 ? rows - c * 512 : 512;
        for (size_t i = 0; i < last; i++) {
            size_t n = c * 512 + i;
            REAL *v = lane + i % LANES;
            *v = d ? FMA(a[n * a_step], d[n * d_step], *v) : *v + a[n * a_step];
        }
        for (int h = LANES / 2; h; h /= 2)
            for (int v = 0; v < h; v++) lane[v] = lane[v] + lane[v + h];
        sums[c] = lane[0];
    }
    for (; chunks > 1; chunks = (chunks + 1) / 2)
        for (size_t c = 0; c < chunks; c += 2) sums[c / 2] = c + 1 < chunks ? sums[c] + sums[c + 1] : sums[c];
    result = sums[0];
    free(sums);
    return result;
}

/* ---- Activations: a, and the slope (1 for relu and identity, whose way back is their own) ---- */
static REAL T(activation)(const char *name, REAL z, REAL *slope) {
    REAL s, c, x, g;
    *slope = 1;
    if (same(name, "relu")) return z < 0 ? 0 : z;
    if (same(name, "identity")) return z;
    if (same(name, "leaky_relu")) return *slope = z < 0 ? LEAK : 1, z < 0 ? LEAK * z : z;
    if (same(name, "elu")) return z < 0 ? (c = T(expm1)(z), *slope = c + 1, c) : z;
    if (same(name, "selu")) {
        if (z < 0) return c = SELU_ALPHA_SCALE * T(expm1)(z), *slope = c + SELU_ALPHA_SCALE, c;
        return *slope = SELU_SCALE, SELU_SCALE * z;
    }
    if (same(name, "sigmoid")) return s = T(sigmoid)(z), *slope = s * (1 - s), s;
    if (same(name, "tanh")) return c = T(tanh)(z), *slope = FMA(-c, c, 1), c;
    if (same(name, "softplus")) return *slope = T(sigmoid)(z), T(positive)(z) + T(log1p)(T(exp)(-T(absolute)(z)));
    if (same(name, "silu")) {
        s = T(sigmoid)(z), c = s == 0 ? s : z * s;
        return *slope = FMA(c, 1 - s, s), c;
    }
    if (same(name, "gelu")) {
        x = z < -GELU_HIGHEST ? -GELU_HIGHEST : z > GELU_HIGHEST ? GELU_HIGHEST : z;
        REAL square = x * x;
        s = T(sigmoid)((GELU_SCALE * x) * FMA(GELU_CUBE, square, 1));
        *slope = FMA(x * (s * (1 - s)), GELU_SCALE * FMA(GELU_CUBE_SLOPE, square, 1), s);
        return s == 0 ? s : z * s;
    }
    if (same(name, "gelu_erf")) {
        REAL t = T(absolute)(z), tail;
        if (t > NORMAL_HIGHEST) t = NORMAL_HIGHEST;
        tail = T(normal_tail)(t, &g);
        g = g * SCALE_DOWN;
        return *slope = z < 0 ? g : 1 - g, T(positive)(z) - (t * tail) * SCALE_DOWN;
    }
    stop("there is no activation", name);
    return 0;
}

/* ---- Losses: one row's loss, and its dz without the mean's factor ---- */
static REAL T(loss)(const struct task *task, int J, const REAL *z, const REAL *y, int label, REAL *dz) {
    const char *output = task->output, *loss = task->loss;
    REAL sum = 0, parameter = (REAL)strtod(task->parameter, NULL);
    if (same(output, "softmax")) {
        REAL m = z[0], s = 0, all = 0, reciprocal;
        for (int j = 1; j < J; j++) if (z[j] > m) m = z[j];
        for (int j = 0; j < J; j++) dz[j] = T(exp)(z[j] - m), s = j ? s + dz[j] : dz[j];
        reciprocal = 1 / s;
        REAL off = parameter / (REAL)J, on = 1 - parameter;
        for (int j = 0; j < J; j++) {
            REAL target = parameter == 0 ? (REAL)(j == label) : j == label ? on + off : off;
            dz[j] = dz[j] * reciprocal - target;
            all = j ? all + (z[j] - m) : z[j] - m;
        }
        return T(log)(s) - (parameter == 0 ? z[label] - m : FMA(off, all, on * (z[label] - m)));
    }
    for (int j = 0; j < J; j++) {
        REAL e = z[j] - y[j], term = 0, factor = 0, other = 0;      /* a term, or a product that comes in by fma */
        int product = 1;
        if (same(output, "sigmoid")) {
            REAL p = T(sigmoid)(z[j]);
            e = p - y[j];
            if (same(loss, "squared_error")) dz[j] = e * (p * (1 - p)), factor = other = e;
            else dz[j] = e, product = 0, term = FMA(-z[j], y[j], T(positive)(z[j])) + T(log1p)(T(exp)(-T(absolute)(z[j])));
        } else if (same(loss, "squared_error")) dz[j] = factor = other = e;
        else if (same(loss, "absolute_error")) dz[j] = e > 0 ? 1 : e < 0 ? -1 : e, product = 0, term = T(absolute)(e);
        else if (same(loss, "huber")) {
            dz[j] = factor = e > parameter ? parameter : e < -parameter ? -parameter : e;
            other = FMA(-factor, (REAL)0.5, e);
        } else if (same(loss, "quantile")) dz[j] = e > 0 ? 1 - parameter : e < 0 ? -parameter : e, product = 0, term = dz[j] * e;
        else if (same(loss, "poisson")) {
            REAL mean = T(exp)(z[j]);
            dz[j] = mean - y[j], product = 0, term = FMA(-y[j], z[j], mean);
        } else stop("there is no loss", loss);
        if (product) sum = j ? FMA(factor, other, sum) : factor * other;
        else sum = j ? sum + term : term;
    }
    return sum;
}

/* ---- A training ---- */
static void T(train)(const struct task *task, double *losses, char digest[65]) {
    int L = task->L, squared = same(task->loss, "squared_error"), J = task->sizes[L];
    size_t N = task->rows, B = task->batch < N && task->batch ? task->batch : N, P = 0, first[MOST_LAYERS + 1];
    for (int l = 0; l < L; l++) first[l] = P, P += (size_t)task->sizes[l + 1] * (size_t)(task->sizes[l] + 1);
    first[L] = P;
    REAL *p = room(P, sizeof *p), *sums = room(P, sizeof *p), *v = room(P, sizeof *p), *second = room(P, sizeof *p);
    REAL *a[MOST_LAYERS + 1], *slope[MOST_LAYERS + 1], *factor[MOST_LAYERS + 1], *dz[MOST_LAYERS + 1];
    REAL *row_loss = room(B, sizeof *p), *y = room((size_t)J, sizeof *p);
    size_t *order = room(N, sizeof *order);
    for (int l = 0; l <= L; l++) {
        size_t numbers = B * (size_t)task->sizes[l];
        a[l] = room(numbers, sizeof *p), slope[l] = room(numbers, sizeof *p);
        factor[l] = room(numbers, sizeof *p), dz[l] = room(numbers, sizeof *p);
    }
    for (int l = 0; l < L; l++) {
        size_t K = (size_t)task->sizes[l], w_count = K * (size_t)task->sizes[l + 1];
        double deviation = sqrt(2.0 / (double)K);
        for (size_t i = 0; i < w_count && !task->start; i++)
            p[first[l] + i] = (REAL)(normal_64(uniform(task->seed, 0, (uint32_t)l, i)) * deviation + 0);
    }
    for (size_t i = 0; i < P && task->start; i++) p[i] = (REAL)task->start[i];
    int adam = same(task->optimizer, "adam"), adagrad = same(task->optimizer, "adagrad"), rmsprop = same(task->optimizer, "rmsprop");
    int momentum = same(task->optimizer, "momentum"), nesterov = same(task->optimizer, "nesterov");
    if (adagrad) for (size_t i = 0; i < P; i++) v[i] = (REAL)task->accumulator;
    double b1 = 1, b2 = 1;

    for (size_t epoch = 1; epoch <= task->epochs; epoch++) {
        REAL total = 0;
        if (task->shuffle && B < N) permutation(task->seed, (uint32_t)epoch, N, order);
        else for (size_t n = 0; n < N; n++) order[n] = n;
        for (size_t begin = 0; begin < N; begin += B) {
            size_t rows = N - begin < B ? N - begin : B;
            for (size_t n = 0; n < rows; n++) {         /* forward, loss and backward, one row after the other */
                size_t row = order[begin + n], K = (size_t)task->sizes[0];
                for (size_t k = 0; k < K; k++) a[0][n * K + k] = (REAL)task->x[row * K + k];
                for (int l = 0; l < L; l++) {
                    size_t in = (size_t)task->sizes[l], out = (size_t)task->sizes[l + 1];
                    const REAL *w = p + first[l], *b = w + in * out, *input = a[l] + n * in;
                    double cut = l < L - 1 ? floor(task->dropout[l] * 0x1p32) : 0;
                    for (size_t j = 0; j < out; j++) {
                        REAL z = b[j];
                        for (size_t k = 0; k < in; k++) z = FMA(input[k], w[k * out + j], z);
                        size_t i = n * out + j;
                        a[l + 1][i] = l < L - 1 ? T(activation)(task->hidden[l], z, &slope[l + 1][i]) : z;
                        factor[l + 1][i] = 1;
                        if (cut > 0) {
                            uint32_t c[4];
                            philox((begin + n) * ((out + 3) / 4) + j / 4, (uint32_t)epoch, 2 + (uint32_t)l, task->seed, c);
                            factor[l + 1][i] = c[j % 4] < cut ? 0 : (REAL)(1 / (1 - task->dropout[l]));
                            a[l + 1][i] = a[l + 1][i] * factor[l + 1][i];
                        }
                    }
                }
                for (int j = 0; j < J && !task->labels; j++) y[j] = (REAL)task->y[row * (size_t)J + (size_t)j];
                row_loss[n] = T(loss)(task, J, a[L] + n * (size_t)J, y, task->labels ? (int)task->y[row] : 0, dz[L] + n * (size_t)J);
                for (int l = L - 1; l > 0; l--) {
                    size_t in = (size_t)task->sizes[l], out = (size_t)task->sizes[l + 1];
                    for (size_t k = 0; k < in; k++) {
                        REAL da = 0;
                        size_t i = n * in + k;
                        for (size_t j = 0; j < out; j++) da = FMA(dz[l + 1][n * out + j], p[first[l] + k * out + j], da);
                        if (same(task->hidden[l - 1], "relu")) dz[l][i] = (a[l][i] <= 0 ? 0 : da) * factor[l][i];
                        else if (same(task->hidden[l - 1], "identity")) dz[l][i] = da * factor[l][i];
                        else dz[l][i] = da * (slope[l][i] * factor[l][i]);
                    }
                }
            }
            total = total + T(row_sum)(row_loss, 1, NULL, 0, rows);
            REAL terms = (REAL)(same(task->output, "softmax") ? rows : rows * (size_t)J), scale = (squared ? 2 : 1) / terms;
            for (int l = 0; l < L; l++) {
                size_t in = (size_t)task->sizes[l], out = (size_t)task->sizes[l + 1];
                for (size_t j = 0; j < out; j++) {
                    for (size_t k = 0; k < in; k++) sums[first[l] + k * out + j] = T(row_sum)(a[l] + k, in, dz[l + 1] + j, out, rows);
                    sums[first[l] + in * out + j] = T(row_sum)(dz[l + 1] + j, out, NULL, 0, rows);
                }
            }
            b1 = b1 * task->beta1, b2 = b2 * task->beta2;
            REAL rate = (REAL)task->rate, step_size = (REAL)(task->rate / (1 - b1)), correction = (REAL)(1 / sqrt(1 - b2));
            REAL keep = (REAL)(1 - task->rate * task->weight_decay), epsilon = (REAL)task->epsilon, mu = (REAL)task->momentum;
            REAL beta1 = (REAL)task->beta1, beta2 = (REAL)task->beta2, r1 = (REAL)(1 - task->beta1), r2 = (REAL)(1 - task->beta2);
            REAL decay = (REAL)task->decay, r = (REAL)(1 - task->decay), l2 = (REAL)task->l2, l1 = (REAL)task->l1;
            for (int l = 0; l < L; l++)
                for (size_t i = first[l]; i < first[l + 1]; i++) {
                    REAL g = scale * sums[i];
                    if ((l2 != 0 || l1 != 0) && i < first[l] + (size_t)task->sizes[l] * (size_t)task->sizes[l + 1]) {
                        g = FMA(l2, p[i], g);
                        g = p[i] > 0 ? g + l1 : p[i] < 0 ? g - l1 : g;
                    }
                    if (adam) {
                        v[i] = FMA(beta1, v[i], r1 * g);
                        second[i] = FMA(beta2, second[i], r2 * (g * g));
                        p[i] = FMA(-step_size, v[i] / FMA(SQRT(second[i]), correction, epsilon), p[i] * keep);
                    } else if (rmsprop || adagrad) {
                        v[i] = rmsprop ? FMA(decay, v[i], r * (g * g)) : FMA(g, g, v[i]);
                        p[i] = FMA(-rate, g / (SQRT(v[i]) + epsilon), p[i]);
                    } else if (momentum || nesterov) {
                        v[i] = FMA(mu, v[i], g);
                        p[i] = FMA(-rate, nesterov ? FMA(mu, v[i], g) : v[i], p[i]);
                    } else p[i] = FMA(-rate, g, p[i]);
                }
        }
        losses[epoch - 1] = (double)(total / (REAL)(same(task->output, "softmax") ? N : N * (size_t)J));
    }

    struct sha sha;
    char json[64];
    sha_start(&sha);
    sha_text(&sha, "{\"dtype\": \""), sha_text(&sha, task->dtype), sha_text(&sha, "\", \"hidden\": [");
    for (int l = 0; l < L - 1; l++) sha_text(&sha, l ? ", \"" : "\""), sha_text(&sha, task->hidden[l]), sha_text(&sha, "\"");
    sha_text(&sha, "], \"layers\": [");
    for (int l = 0; l <= L; l++) sprintf(json, l ? ", %d" : "%d", task->sizes[l]), sha_text(&sha, json);
    sha_text(&sha, "], \"loss\": \""), sha_text(&sha, task->loss), sha_text(&sha, "\", ");
    if (task->parameter[0]) sha_text(&sha, "\"loss_parameter\": "), sha_text(&sha, task->parameter), sha_text(&sha, ", ");
    sha_text(&sha, "\"numerics\": 1, \"output\": \""), sha_text(&sha, task->output), sha_text(&sha, "\"}\n");
    for (size_t i = 0; i < P; i++)
        for (size_t byte = 0; byte < sizeof(REAL); byte++) sha_byte(&sha, (unsigned char)(T(bits)(p[i]) >> 8 * byte));
    sha_end(&sha, digest);

    for (int l = 0; l <= L; l++) free(a[l]), free(slope[l]), free(factor[l]), free(dz[l]);
    free(p), free(sums), free(v), free(second), free(row_loss), free(y), free(order);
}
#endif
