/* Hamming distances counted where Python is too slow: a scan, and search in a multi-index.
 *
 * Plain C without any headers of Python, called through ctypes, which lets other threads run meanwhile. Codes are W bytes
 * each, bits packed most significant first. Hits of a query are kept as a heap with the worst on top, where worse means
 * further away and then further behind; so equal distances come in the order of rows as far as all rows were seen.
 * `kernels.py` says what each argument is; everything in here is checked there.
 */

#include <stdint.h>
#include <string.h>

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
FAST static void distances(const uint8_t *codes, int64_t count, int64_t width, const uint8_t *query, int32_t *out) {
    if (width == 8) {
        uint64_t q = word(query);
        for (int64_t i = 0; i < count; i++) out[i] = (int32_t)__builtin_popcountll(word(codes + 8 * i) ^ q);
    } else if (width == 16) {
        uint64_t q0 = word(query), q1 = word(query + 8);
        for (int64_t i = 0; i < count; i++)
            out[i] = (int32_t)(__builtin_popcountll(word(codes + 16 * i) ^ q0) +
                               __builtin_popcountll(word(codes + 16 * i + 8) ^ q1));
    } else {
        for (int64_t i = 0; i < count; i++) out[i] = distance_of(codes + width * i, query, width);
    }
}

#define BLOCK 1024

/* The `top` nearest codes of each query within `radius`. Rows are numbers of codes plus `first`. `heaps` has queries × top
 * places; `counts` says how many of them are taken, and is 0 at first: a second call with further codes goes on. */
void lookalike_scan(const uint8_t *codes, int64_t count, int64_t width, int64_t first, const uint8_t *allowed,
                    const uint8_t *queries, int64_t query_count, int64_t top, int32_t radius, Hit *heaps,
                    int64_t *counts) {
    int32_t found[BLOCK];
    for (int64_t start = 0; start < count; start += BLOCK) {
        int64_t size = count - start < BLOCK ? count - start : BLOCK;
        for (int64_t q = 0; q < query_count; q++) {
            Hit *heap = heaps + q * top;
            int32_t limit = counts[q] == top && heap[0].distance - 1 < radius ? heap[0].distance - 1 : radius;
            distances(codes + start * width, size, width, queries + q * width, found);
            for (int64_t i = 0; i < size; i++) {
                if (found[i] > limit || (allowed && !allowed[start + i])) continue;
                push(heap, counts + q, top, found[i], first + start + i);
                if (counts[q] == top && heap[0].distance - 1 < limit) limit = heap[0].distance - 1;
            }
        }
    }
}

void lookalike_sort(Hit *heaps, int64_t query_count, int64_t top, const int64_t *counts) {
    for (int64_t q = 0; q < query_count; q++) sort_hits(heaps + q * top, counts[q]);
}

/* All codes within `radius` of a query; how many there are, of which the first `room` are written. */
int64_t lookalike_within(const uint8_t *codes, int64_t count, int64_t width, int64_t first, const uint8_t *allowed,
                         const uint8_t *query, int32_t radius, Hit *out, int64_t room) {
    int32_t found[BLOCK];
    int64_t total = 0;
    for (int64_t start = 0; start < count; start += BLOCK) {
        int64_t size = count - start < BLOCK ? count - start : BLOCK;
        distances(codes + start * width, size, width, query, found);
        for (int64_t i = 0; i < size; i++) {
            if (found[i] > radius || (allowed && !allowed[start + i])) continue;
            if (total < room) out[total] = (Hit){found[i], first + start + i};
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
void lookalike_build(const uint8_t *codes, int64_t count, int64_t width, int32_t begin, int32_t bits, uint32_t *starts,
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
        for (int64_t at = 0; at < width; at++)
            part += __builtin_popcount((code[at] ^ query[at]) & masks[t * width + at]);
        if (part < radius || (part == radius && t < table)) return -1;
        sum += part;
    }
    return sum;
}

#define PROBE 16     /* cost of looking up a value, in codes of a scan */
#define CANDIDATE 24 /* … of fetching a code from anywhere */

static int64_t next_of_same_weight(int64_t set) {
    int64_t low = set & -set, ripple = set + low;
    return ripple | (((set ^ ripple) >> 2) / low);
}

static double choose(int32_t n, int32_t k) {
    double result = 1;
    for (int32_t i = 0; i < k; i++) result = result * (n - i) / (i + 1);
    return result;
}

/* The `top` nearest codes within `radius`, or with `top` 0 all of them. Returns how many there are (with `top` 0 more than
 * `room` of which only so many are written), or -1 if it would cost more than `budget`. */
FAST int64_t lookalike_multi(const uint8_t *codes, int64_t width, const uint8_t *allowed, const Table *tables,
                        int32_t table_count, const uint8_t *masks, const uint8_t *query, int64_t top, int32_t radius,
                        int64_t budget, Hit *heap, int64_t room) {
    int64_t count = 0, spent = 0;
    int32_t longest = 0;
    for (int32_t t = 0; t < table_count; t++)
        if (tables[t].bits > longest) longest = tables[t].bits;
    for (int32_t part = 0; part <= longest; part++) {
        for (int32_t t = 0; t < table_count; t++) {
            const Table *table = tables + t;
            /* Nothing unseen is nearer than this many bits. */
            int32_t unseen = table_count * part + t;
            if (unseen > radius) return count;
            if (top && count == top && heap[0].distance <= unseen) return count;
            if (part > table->bits) continue;
            double probes = choose(table->bits, part);
            if ((double)spent + PROBE * probes > (double)budget) return -1;
            uint32_t own = key_of(query, table->begin, table->bits);
            int64_t set = ((int64_t)1 << part) - 1, end = (int64_t)1 << table->bits;
            while (set < end) {
                uint32_t key = own ^ (uint32_t)set;
                uint32_t from = table->starts[key], to = table->starts[key + 1];
                spent += PROBE + CANDIDATE * (int64_t)(to - from);
                if (spent > budget) return -1;
                for (uint32_t at = from; at < to; at++) {
                    if (at + 8 < to) __builtin_prefetch(codes + (int64_t)table->rows[at + 8] * width);
                    int64_t row = table->rows[at];
                    if (allowed && !allowed[row]) continue;
                    int32_t d = first_found(codes + row * width, query, masks, width, table_count, part, t);
                    if (d < 0 || d > radius) continue;
                    if (top) {
                        push(heap, &count, top, d, row);
                    } else {
                        if (count < room) heap[count] = (Hit){d, row};
                        count++;
                    }
                }
                if (!set) break;
                set = next_of_same_weight(set);
            }
        }
    }
    return count;
}

typedef struct {
    int32_t distance;
    uint32_t first, second; /* rows; the first is the lower */
} Pair;

/* All pairs within `radius` whose lower row is from `begin` up to `end`; how many, of which the first `room` are written.
 * `scratch` has `scratch_room` places for the hits of one row; a row with more hits, or one whose look-ups would cost more
 * than `budget`, is compared with all rows behind it. */
int64_t lookalike_pairs(const uint8_t *codes, int64_t count, int64_t width, const Table *tables, int32_t table_count,
                        const uint8_t *masks, int32_t radius, int64_t budget, int64_t begin, int64_t end, Hit *scratch,
                        int64_t scratch_room, Pair *out, int64_t room) {
    int64_t total = 0;
    for (int64_t row = begin; row < end; row++) {
        const uint8_t *code = codes + row * width;
        int64_t hits = table_count ? lookalike_multi(codes, width, 0, tables, table_count, masks, code, 0, radius, budget,
                                                     scratch, scratch_room)
                                   : -1;
        if (hits < 0 || hits > scratch_room) {
            int32_t found[BLOCK];
            for (int64_t start = row + 1; start < count; start += BLOCK) {
                int64_t size = count - start < BLOCK ? count - start : BLOCK;
                distances(codes + start * width, size, width, code, found);
                for (int64_t i = 0; i < size; i++) {
                    if (found[i] > radius) continue;
                    if (total < room) out[total] = (Pair){found[i], (uint32_t)row, (uint32_t)(start + i)};
                    total++;
                }
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
