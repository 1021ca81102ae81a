/* Hamming distances counted where Python is too slow: a scan, and search in a multi-index.
 *
 * Plain C without any headers of Python, called through ctypes, which lets other threads run meanwhile. Codes are W bytes
 * each, bits packed most significant first. Hits of a query are kept as a heap with the worst on top, where worse means
 * further away and then further behind; so equal distances come in the order of rows as far as all rows were seen.
 * `kernels.py` says what each argument is; everything in here is checked there.
 */

#include <stdint.h>
#include <string.h>

/* MSVC has other names for what GCC and Clang have; Windows exports only what is marked. */
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define __builtin_popcountll(x) ((int)__popcnt64(x))
#define __builtin_popcount(x) ((int)__popcnt(x))
#define __builtin_prefetch(at) ((void)(at))
#define __attribute__(x)
#endif
#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC
#endif

/* Compiled for several kinds of processors at once; the loader chooses. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__)
#define FAST __attribute__((target_clones("arch=icelake-server", "arch=haswell", "popcnt", "default")))
#else
#define FAST
#endif

typedef struct {
    int32_t distance;
    int64_t row;
} Hit;

static inline int worse(Hit a, Hit b) {
    return a.distance > b.distance || (a.distance == b.distance && a.row > b.row);
}

static void sift_down(Hit *heap, int64_t count, int64_t at) {
    Hit moved = heap[at];
    for (;;) {
        int64_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && worse(heap[child + 1], heap[child])) child++;
        if (!worse(heap[child], moved)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void push(Hit *heap, int64_t *count, int64_t top, int32_t distance, int64_t row) {
    Hit hit = {distance, row};
    if (*count < top) {
        int64_t at = (*count)++;
        while (at && worse(hit, heap[(at - 1) / 2])) {
            heap[at] = heap[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        heap[at] = hit;
    } else if (worse(heap[0], hit)) {
        heap[0] = hit;
        sift_down(heap, *count, 0);
    }
}

static void sort_hits(Hit *heap, int64_t count) {
    for (int64_t end = count - 1; end > 0; end--) {
        Hit last = heap[end];
        heap[end] = heap[0];
        heap[0] = last;
        sift_down(heap, end, 0);
    }
}

static inline uint64_t word(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, 8);
    return value;
}

static inline int32_t distance_of(const uint8_t *a, const uint8_t *b, int64_t width) {
    int32_t sum = 0;
    int64_t at = 0;
    for (; at + 8 <= width; at += 8) sum += __builtin_popcountll(word(a + at) ^ word(b + at));
    for (; at < width; at++) sum += __builtin_popcount(a[at] ^ b[at]);
    return sum;
}

/* Distances of one query to a block of codes. */
static inline __attribute__((always_inline)) void distances(const uint8_t *codes, int64_t count, int64_t width, const uint8_t *query, uint16_t *out) {
    if (width == 8) {
        uint64_t q = word(query);
        for (int64_t i = 0; i < count; i++) out[i] = (uint16_t)__builtin_popcountll(word(codes + 8 * i) ^ q);
    } else if (width == 16) {
        uint64_t q0 = word(query), q1 = word(query + 8);
        for (int64_t i = 0; i < count; i++)
            out[i] = (uint16_t)(__builtin_popcountll(word(codes + 16 * i) ^ q0) +
                                __builtin_popcountll(word(codes + 16 * i + 8) ^ q1));
    } else {
        for (int64_t i = 0; i < count; i++) out[i] = (uint16_t)distance_of(codes + width * i, query, width);
    }
}

#define BLOCK 1024 /* codes that stay in the cache while all queries are compared with them */
#define STEP 64    /* codes that are judged together, since hardly any are near */

#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32)
#include <immintrin.h>

/* Bits that are set in each 64 of 256, counted by looking up half bytes, as in Mula, Kurz & Lemire, "Faster population counts
 * using AVX2 instructions", 2018. */
__attribute__((target("avx2"))) static inline __m256i bits_set(__m256i x) {
    const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2,
                                            2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    __m256i lower = _mm256_shuffle_epi8(counts, _mm256_and_si256(x, low));
    __m256i upper = _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(x, 4), low));
    return _mm256_sad_epu8(_mm256_add_epi8(lower, upper), _mm256_setzero_si256());
}

#define AT(bytes) _mm256_loadu_si256((const __m256i *)(bytes))
#define SWAPPED 0x4E /* the halves of what is shuffled */

__attribute__((target("avx2"))) static uint64_t steps_near_avx2(const uint8_t *codes, int64_t steps, int64_t width,
                                                                const uint8_t *query, int32_t limit) {
    const int64_t first = (int64_t)word(query), second = width == 8 ? first : (int64_t)word(query + 8);
    const __m256i most = _mm256_set1_epi64x(limit + 1), few = _mm256_setr_epi64x(first, second, first, second);
    uint64_t near = 0;
    for (int64_t step = 0; step < steps; step++) {
        __m256i any = _mm256_setzero_si256();
        const uint8_t *at = codes + step * STEP * width, *end = at + STEP * width;
        if (width == 8) {
            for (; at < end; at += 32)
                any = _mm256_or_si256(any, _mm256_cmpgt_epi32(most, bits_set(_mm256_xor_si256(AT(at), few))));
        } else if (width == 16) {
            for (; at < end; at += 32) {
                __m256i sums = bits_set(_mm256_xor_si256(AT(at), few));
                sums = _mm256_add_epi64(sums, _mm256_shuffle_epi32(sums, SWAPPED));
                any = _mm256_or_si256(any, _mm256_cmpgt_epi32(most, sums));
            }
        } else {
            for (; at < end; at += width) {
                __m256i sums = bits_set(_mm256_xor_si256(AT(at), AT(query)));
                for (int64_t byte = 32; byte < width; byte += 32)
                    sums = _mm256_add_epi64(sums, bits_set(_mm256_xor_si256(AT(at + byte), AT(query + byte))));
                sums = _mm256_add_epi64(sums, _mm256_shuffle_epi32(sums, SWAPPED));
                sums = _mm256_add_epi64(sums, _mm256_permute4x64_epi64(sums, SWAPPED));
                any = _mm256_or_si256(any, _mm256_cmpgt_epi32(most, sums));
            }
        }
        near |= (uint64_t)!_mm256_testz_si256(any, any) << step;
    }
    return near;
}

/* Which steps of a block have a code within `limit` of a query, as bits; a step that is not judged counts as near. */
static uint64_t steps_near(const uint8_t *codes, int64_t count, int64_t width, const uint8_t *query, int32_t limit) {
    int known = width == 8 || width == 16 || width % 32 == 0;
    if (!known || !__builtin_cpu_supports("avx2")) return ~(uint64_t)0;
    int64_t steps = count / STEP;
    return steps_near_avx2(codes, steps, width, query, limit) | ~(uint64_t)0 << steps;
}
#else
static uint64_t steps_near(const uint8_t *codes, int64_t count, int64_t width, const uint8_t *query, int32_t limit) {
    (void)codes, (void)count, (void)width, (void)query, (void)limit;
    return ~(uint64_t)0;
}
#endif

/* Whether any of so many distances is at most `limit`. */
static inline int any_within(const uint16_t *found, int64_t count, int32_t limit) {
    uint16_t any = 0, most = (uint16_t)limit;
    for (int64_t i = 0; i < count; i++) any |= found[i] <= most;
    return any;
}

/* The `top` nearest codes of each query within `radius`. Rows are numbers of codes plus `first`. `heaps` has queries × top
 * places; `counts` says how many of them are taken, and is 0 at first: a second call with further codes goes on. */
PUBLIC FAST void lookalike_scan(const uint8_t *codes, int64_t count, int64_t width, int64_t first, const uint8_t *allowed,
                         const uint8_t *queries, int64_t query_count, int64_t top, int32_t radius, Hit *heaps,
                         int64_t *counts) {
    uint16_t found[STEP];
    for (int64_t start = 0; start < count; start += BLOCK) {
        int64_t size = count - start < BLOCK ? count - start : BLOCK;
        const uint8_t *block = codes + start * width;
        for (int64_t q = 0; q < query_count; q++) {
            Hit *heap = heaps + q * top;
            const uint8_t *query = queries + q * width;
            int32_t limit = counts[q] == top && heap[0].distance - 1 < radius ? heap[0].distance - 1 : radius;
            if (limit < 0) continue;
            uint64_t near = steps_near(block, size, width, query, limit);
            for (int64_t step = 0; step < size; step += STEP, near >>= 1) {
                if (!(near & 1)) continue;
                int64_t step_size = size - step < STEP ? size - step : STEP;
                distances(block + step * width, step_size, width, query, found);
                if (!any_within(found, step_size, limit)) continue;
                for (int64_t i = 0; i < step_size; i++) {
                    if (found[i] > limit || (allowed && !allowed[start + step + i])) continue;
                    push(heap, counts + q, top, found[i], first + start + step + i);
                    if (counts[q] == top && heap[0].distance - 1 < limit) limit = heap[0].distance - 1;
                }
            }
        }
    }
}

PUBLIC void lookalike_sort(Hit *heaps, int64_t query_count, int64_t top, const int64_t *counts) {
    for (int64_t q = 0; q < query_count; q++) sort_hits(heaps + q * top, counts[q]);
}

/* All codes within `radius` of a query; how many there are, of which the first `room` are written. */
PUBLIC FAST int64_t lookalike_within(const uint8_t *codes, int64_t count, int64_t width, int64_t first, const uint8_t *allowed,
                              const uint8_t *query, int32_t radius, Hit *out, int64_t room) {
    uint16_t found[STEP];
    int64_t total = 0;
    uint64_t near = 0;
    for (int64_t step = 0; step < count; step += STEP, near >>= 1) {
        int64_t left = count - step, step_size = left < STEP ? left : STEP;
        if (step % BLOCK == 0) near = steps_near(codes + step * width, left < BLOCK ? left : BLOCK, width, query, radius);
        if (!(near & 1)) continue;
        distances(codes + step * width, step_size, width, query, found);
        if (!any_within(found, step_size, radius)) continue;
        for (int64_t i = 0; i < step_size; i++) {
            if (found[i] > radius || (allowed && !allowed[step + i])) continue;
            if (total < room) out[total] = (Hit){found[i], first + step + i};
            total++;
        }
    }
    return total;
}

typedef struct {
    int32_t begin, bits;      /* which bits of a code a table looks at */
    const uint32_t *starts;   /* 2^bits + 1 places in rows, by value of these bits */
    const uint32_t *rows;     /* all rows, those of a value side by side, ascending */
} Table;

static uint32_t key_of(const uint8_t *code, int32_t begin, int32_t bits) {
    uint32_t key = 0;
    for (int32_t i = begin; i < begin + bits; i++) key = key << 1 | (code[i >> 3] >> (7 - (i & 7)) & 1);
    return key;
}

/* The rows of a table, by counting: `starts` has 2^bits + 1 places, `rows` as many as there are codes. */
PUBLIC void lookalike_build(const uint8_t *codes, int64_t count, int64_t width, int32_t begin, int32_t bits, uint32_t *starts,
                     uint32_t *rows) {
    int64_t values = (int64_t)1 << bits;
    memset(starts, 0, (size_t)(values + 1) * sizeof *starts);
    for (int64_t i = 0; i < count; i++) starts[key_of(codes + i * width, begin, bits) + 1]++;
    for (int64_t value = 0; value < values; value++) starts[value + 1] += starts[value];
    for (int64_t i = 0; i < count; i++) rows[starts[key_of(codes + i * width, begin, bits)]++] = (uint32_t)i;
    memmove(starts + 1, starts, (size_t)values * sizeof *starts); /* each start has moved to the next value's */
    starts[0] = 0;
}

/* How far a code is from a query, and whether the probe (radius, table) is the first that finds it. */
static inline int32_t first_found(const uint8_t *code, const uint8_t *query, const uint8_t *masks, int64_t width,
                                  int32_t table_count, int32_t radius, int32_t table) {
    if (width == 8) {
        uint64_t x = word(code) ^ word(query);
        for (int32_t t = 0; t < table_count; t++) {
            int32_t part = (int32_t)__builtin_popcountll(x & word(masks + 8 * t));
            if (part < radius || (part == radius && t < table)) return -1;
        }
        return (int32_t)__builtin_popcountll(x);
    }
    int32_t sum = 0;
    for (int32_t t = 0; t < table_count; t++) {
        int32_t part = 0;
        int64_t at = 0;
        for (; at + 8 <= width; at += 8)
            part += (int32_t)__builtin_popcountll((word(code + at) ^ word(query + at)) & word(masks + t * width + at));
        for (; at < width; at++) part += __builtin_popcount((code[at] ^ query[at]) & masks[t * width + at]);
        if (part < radius || (part == radius && t < table)) return -1;
        sum += part;
    }
    return sum;
}

#define PROBE 48     /* cost of looking up a value, in codes of a scan by two threads */
#define CANDIDATE 80 /* … of fetching a code from anywhere and comparing it */
#define KEYS 64      /* values that are looked up side by side, so that their cache misses overlap */
#define FETCHED 256  /* codes that are fetched side by side */

static int64_t next_of_same_weight(int64_t set) {
    int64_t low = set & -set, ripple = set + low;
    return ripple | (((set ^ ripple) >> 2) / low);
}

static double choose(int32_t n, int32_t k) {
    double result = 1;
    for (int32_t i = 0; i < k; i++) result = result * (n - i) / (i + 1);
    return result;
}

/* A search in a multi-index: what is asked, and what was found so far. */
typedef struct {
    const uint8_t *codes, *allowed, *masks, *query;
    int64_t width, top, room, count;
    int32_t table_count, radius;
    Hit *hits;
} Search;

/* Take the codes of rows that the probe (part, table) has found. */
static inline void take(Search *s, const uint32_t *rows, int64_t row_count, int32_t part, int32_t table) {
    for (int64_t i = 0; i < row_count; i++) {
        int64_t row = rows[i];
        int32_t d = first_found(s->codes + row * s->width, s->query, s->masks, s->width, s->table_count, part, table);
        if (d < 0 || d > s->radius || (s->allowed && !s->allowed[row])) continue;
        if (s->top) {
            push(s->hits, &s->count, s->top, d, row);
        } else {
            if (s->count < s->room) s->hits[s->count] = (Hit){d, row};
            s->count++;
        }
    }
}

/* Look up all values of a table that differ from the query's in `part` bits; what it has cost, more than `budget` if it was
 * given up. A damaged table, of a file that is mapped, is given up too. */
static inline int64_t look_up(Search *s, const Table *table, int32_t number, int32_t part, int64_t budget) {
    uint32_t keys[KEYS], fetched[FETCHED], own = key_of(s->query, table->begin, table->bits);
    uint32_t count = table->starts[(int64_t)1 << table->bits]; /* of all codes, which is checked before */
    int64_t set = ((int64_t)1 << part) - 1, end = (int64_t)1 << table->bits, spent = 0, waiting = 0;
    while (set < end) {
        int32_t key_count = 0;
        while (set < end && key_count < KEYS) {
            keys[key_count] = own ^ (uint32_t)set;
            __builtin_prefetch(table->starts + keys[key_count++]);
            set = set ? next_of_same_weight(set) : end;
        }
        for (int32_t i = 0; i < key_count; i++) {
            uint32_t from = table->starts[keys[i]], to = table->starts[keys[i] + 1];
            if (to > count) return budget + 1; /* damaged */
            if (from < to) __builtin_prefetch(table->rows + from);
            spent += PROBE + CANDIDATE * (int64_t)(to - from);
        }
        if (spent > budget) return spent;
        for (int32_t i = 0; i < key_count; i++) {
            uint32_t from = table->starts[keys[i]], to = table->starts[keys[i] + 1];
            for (uint32_t at = from; at < to; at++) {
                if (table->rows[at] >= count) return budget + 1;
                __builtin_prefetch(s->codes + (int64_t)table->rows[at] * s->width);
                fetched[waiting++] = table->rows[at];
                if (waiting < FETCHED) continue;
                take(s, fetched, waiting, part, number);
                waiting = 0;
            }
        }
    }
    take(s, fetched, waiting, part, number);
    return spent;
}

/* The `top` nearest codes within `radius`, or with `top` 0 all of them. Returns how many there are (with `top` 0 more than
 * `room` of which only so many are written), or -1 if it would cost more than `budget`. */
PUBLIC FAST int64_t lookalike_multi(const uint8_t *codes, int64_t width, const uint8_t *allowed, const Table *tables,
                             int32_t table_count, const uint8_t *masks, const uint8_t *query, int64_t top,
                             int32_t radius, int64_t budget, Hit *heap, int64_t room) {
    Search search = {codes, allowed, masks, query, width, top, room, 0, table_count, radius, heap};
    int32_t longest = 0;
    for (int32_t t = 0; t < table_count; t++)
        if (tables[t].bits > longest) longest = tables[t].bits;
    for (int32_t part = 0; part <= longest; part++) {
        for (int32_t t = 0; t < table_count; t++) {
            int32_t unseen = table_count * part + t; /* nothing unseen is nearer than this many bits */
            if (unseen > radius) return search.count;
            if (top && search.count == top && heap[0].distance <= unseen) return search.count;
            if (part > tables[t].bits) continue;
            /* What it will cost if codes are drawn evenly; so little is spent in vain. */
            double values = (double)((int64_t)1 << tables[t].bits);
            double each = PROBE + CANDIDATE * (double)tables[t].starts[(int64_t)values] / values;
            if (each * choose(tables[t].bits, part) > (double)budget) return -1;
            budget -= look_up(&search, tables + t, t, part, budget);
            if (budget < 0) return -1;
        }
    }
    return search.count;
}

typedef struct {
    int32_t distance;
    uint32_t first, second; /* rows; the first is the lower */
} Pair;

/* `lookalike_multi` for several queries, each with `top` places in `heaps`, sorted at the end; `counts` is -1 where it would
 * cost too much. */
PUBLIC void lookalike_multi_all(const uint8_t *codes, int64_t width, const uint8_t *allowed, const Table *tables,
                         int32_t table_count, const uint8_t *masks, const uint8_t *queries, int64_t query_count,
                         int64_t top, int32_t radius, int64_t budget, Hit *heaps, int64_t *counts) {
    for (int64_t q = 0; q < query_count; q++) {
        counts[q] = lookalike_multi(codes, width, allowed, tables, table_count, masks, queries + q * width, top, radius,
                                    budget, heaps + q * top, top);
        if (counts[q] > 0) sort_hits(heaps + q * top, counts[q]);
    }
}

/* All pairs within `radius` whose lower row is from `begin` up to `end`; how many, of which the first `room` are written.
 * `scratch` has `scratch_room` places for the hits of one row. A row with more hits, or one whose look-ups would cost more
 * than `budget`, is compared with all rows behind it, as many at a time as `scratch` has places. */
PUBLIC int64_t lookalike_pairs(const uint8_t *codes, int64_t count, int64_t width, const Table *tables, int32_t table_count,
                        const uint8_t *masks, int32_t radius, int64_t budget, int64_t begin, int64_t end, Hit *scratch,
                        int64_t scratch_room, Pair *out, int64_t room) {
    int64_t total = 0;
    for (int64_t row = begin; row < end; row++) {
        const uint8_t *code = codes + row * width;
        int64_t hits = table_count ? lookalike_multi(codes, width, 0, tables, table_count, masks, code, 0, radius, budget,
                                                     scratch, scratch_room)
                                   : -1;
        if (hits < 0 || hits > scratch_room) {
            for (int64_t start = row + 1; start < count; start += scratch_room) {
                int64_t size = count - start < scratch_room ? count - start : scratch_room;
                hits = lookalike_within(codes + start * width, size, width, start, 0, code, radius, scratch, scratch_room);
                for (int64_t i = 0; i < hits; i++, total++)
                    if (total < room) out[total] = (Pair){scratch[i].distance, (uint32_t)row, (uint32_t)scratch[i].row};
            }
            continue;
        }
        for (int64_t i = 0; i < hits; i++) {
            if (scratch[i].row <= row) continue;
            if (total < room) out[total] = (Pair){scratch[i].distance, (uint32_t)row, (uint32_t)scratch[i].row};
            total++;
        }
    }
    return total;
}
