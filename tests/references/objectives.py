"""Losses of hashing networks in plain Python, term by term, as in the papers."""

from __future__ import annotations

import math
from collections.abc import Sequence

Rows = Sequence[Sequence[float]]
Flags = Sequence[Sequence[bool]]


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def similar(a: Sequence[bool], b: Sequence[bool]) -> int:
    return int(any(x and y for x, y in zip(a, b, strict=True)))


def other_pairs(count: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(count) for j in range(count) if i != j]


def signs(row: Sequence[float]) -> list[float]:
    return [-1.0 if x < 0 else 1.0 for x in row]


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def flat(u: Rows) -> list[float]:
    return [x for row in u for x in row]


def dhn(u: Rows, labels: Flags, *, quantisation: float) -> float:
    terms = []
    for i, j in other_pairs(len(u)):
        theta = dot(u[i], u[j]) / 2
        terms.append(math.log(1 + math.exp(theta)) - similar(labels[i], labels[j]) * theta)
    return mean(terms) + quantisation * mean([math.log(math.cosh(abs(x) - 1)) for x in flat(u)])


def weighted_likelihood(h: Rows, labels: Flags, *, alpha: float, by_common: bool = False) -> float:
    chosen = other_pairs(len(h))
    ones = sum(similar(labels[i], labels[j]) for i, j in chosen)
    total = 0.0
    for i, j in chosen:
        s, theta = similar(labels[i], labels[j]), alpha * dot(h[i], h[j])
        weight = len(chosen) / ones if s else len(chosen) / (len(chosen) - ones)
        if s and by_common:
            weight *= sum(map(min, labels[i], labels[j])) / sum(map(max, labels[i], labels[j]))
        total += weight * (math.log(1 + math.exp(theta)) - s * theta)
    return total / len(chosen)


def hashnet(u: Rows, labels: Flags, *, step: int) -> float:
    beta = math.sqrt(1 + 0.005 * (step - step % 200))
    h = [[math.tanh(beta * x) for x in row] for row in u]
    return weighted_likelihood(h, labels, alpha=10 / len(u[0]), by_common=True)


def transhash(streams: Sequence[Rows], labels: Flags, *, quantisation: float) -> float:
    def one(u: Rows) -> float:
        return weighted_likelihood(u, labels, alpha=0.5) + quantisation * mean([(abs(x) - 1) ** 2 for x in flat(u)])

    local = [one(u) for u in streams[1:]]
    return one(streams[0]) + (mean(local) if local else 0.0)


def dsh(u: Rows, labels: Flags, *, quantisation: float) -> float:
    terms = []
    for i, j in other_pairs(len(u)):
        distance = sum((x - y) ** 2 for x, y in zip(u[i], u[j], strict=True))
        terms.append(distance / 2 if similar(labels[i], labels[j]) else max(0.0, 2 * len(u[i]) - distance) / 2)
    return mean(terms) + quantisation * mean([abs(abs(x) - 1) for x in flat(u)])


def idhn(u: Rows, labels: Flags, *, alpha: float, gamma: float) -> float:
    d, bits = [[x / (1 + abs(x)) for x in row] for row in u], len(u[0])
    terms = []
    for i, j in other_pairs(len(u)):
        s, theta = cosine(labels[i], labels[j]), 5 * dot(d[i], d[j]) / bits
        if s < 0.01 or s > 0.99:
            terms.append(math.log(1 + math.exp(theta)) - s * theta)
        else:
            terms.append(gamma * bits * ((dot(d[i], d[j]) + bits) / (2 * bits) - s) ** 2)
    return mean(terms) + alpha * mean([abs(abs(x) - 1) for x in flat(d)])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def wdht(u: Rows, words: Rows, *, bits: int, hinge: float, margin: float) -> float:
    """Outputs are bits and, behind them, a tag vector; `words` are of unit length, or zeros without tags."""
    h, f = [[sigmoid(x) for x in row[:bits]] for row in u], [row[bits:] for row in u]
    chosen = [(i, j) for i, j in other_pairs(len(u)) if any(words[i]) and any(words[j])]
    pairwise = [
        (sum((x - y) ** 2 for x, y in zip(h[i], h[j], strict=True)) / bits - (1 - dot(words[i], words[j]))) ** 2
        for i, j in chosen
    ]
    others = [
        max(0.0, margin - dot(f[i], [x - y for x, y in zip(words[i], words[j], strict=True)]))
        for i, j in chosen if f[i]
    ]  # fmt: skip
    return mean(pairwise) + (hinge * mean(others) if others else 0) - mean([(x - 0.5) ** 2 for x in flat(h)])


def dph(
    u: Rows, labels: Flags, categories: int, to_category: tuple[Rows, Sequence[float]],
    to_attributes: tuple[Rows, Sequence[float]], *, quantisation: float,
) -> float:  # fmt: skip
    def logits(layer: tuple[Rows, Sequence[float]], h: Sequence[float]) -> list[float]:
        return [dot(weight, h) + offset for weight, offset in zip(*layer, strict=True)]

    kinds, attributes = [], []
    h = [[sigmoid(x) for x in row] for row in u]
    for row, flags in zip(h, labels, strict=True):
        if any(flags[:categories]):
            kinds.append(cross_entropy(logits(to_category, row), evenly(flags[:categories])))
        if any(flags[categories:]):
            odds = logits(to_attributes, row)
            terms = [-math.log(sigmoid(x if flag else -x)) for x, flag in zip(odds, flags[categories:], strict=True)]
            attributes.append(mean(terms))
    far = mean([0.5 - abs(x - 0.5) for x in flat(h)])
    return (mean(kinds) if kinds else 0) + (mean(attributes) if attributes else 0) + quantisation * far


def dah(outputs: Rows, labels: Flags, *, similar_weight: float, gamma: float) -> float:
    u = [[math.tanh(x) for x in row] for row in outputs]
    source = [i for i, flags in enumerate(labels) if any(flags)]
    target = [i for i, flags in enumerate(labels) if not any(flags)]
    total = sum((abs(x) - 1) ** 2 for x in flat(u))
    for i in source:
        for j in source:
            if i != j:
                theta, s = dot(u[i], u[j]) / 2, similar(labels[i], labels[j])
                total += (similar_weight if s else 1) * (math.log(1 + math.exp(theta)) - s * theta)
    classes = [[i for i in source if labels[i][c]] for c in range(len(labels[0]))]
    for t in target:
        near = [mean([math.exp(dot(u[t], u[i])) for i in members]) for members in classes if members]
        total -= sum(x / sum(near) * math.log(x / sum(near)) for x in near)
    half = min(len(source), len(target)) // 2
    quads = [(source[k], source[half + k], target[k], target[half + k]) for k in range(half)]

    def apart(i: int, j: int) -> float:
        return sum((x - y) ** 2 for x, y in zip(u[i], u[j], strict=True))

    distances = [d for s, r, t, q in quads for d in (apart(s, r), apart(t, q), apart(s, q), apart(r, t))]
    if quads:
        width = sorted(distances)[(len(distances) - 1) // 2]  # the lower one of two in the middle
        for power in range(-8, 9):
            kernel = [math.exp(-(2.0**power) * d / width) for d in distances]
            total += gamma / 17 * sum((1, 1, -1, -1)[n % 4] * value for n, value in enumerate(kernel))
    return total / len(source) ** 2


def crovca(u: Rows, v: Rows, *, epsilon: float, weight: float) -> float:
    def rate(rows: Rows) -> float:
        count, bits = len(rows), len(rows[0])
        z = [[x / math.sqrt(dot(row, row)) for x in row] for row in rows]
        spread = [
            [(a == b) + bits / (count * epsilon) * sum(row[a] * row[b] for row in z) for b in range(bits)]
            for a in range(bits)
        ]
        return (bits + count) / (2 * bits * count) * log_determinant(spread)

    def one(rows: Rows, others: Rows) -> float:
        terms = [
            -math.log(sigmoid(x if y > 0 else -x))
            for row, other in zip(rows, others, strict=True) for x, y in zip(row, other, strict=True)
        ]  # fmt: skip
        return mean(terms) - weight * rate(rows)

    return (one(u, v) + one(v, u)) / 2


def log_determinant(matrix: Sequence[Sequence[float]]) -> float:
    """Of a positive definite matrix, by elimination."""
    rows, total = [list(row) for row in matrix], 0.0
    for k, pivot in enumerate(rows):
        total += math.log(pivot[k])
        for row in rows[k + 1 :]:
            factor = row[k] / pivot[k]
            for column in range(k, len(row)):
                row[column] -= factor * pivot[column]
    return total


def dpn(u: Rows, labels: Flags, targets: Rows) -> float:
    total = 0.0
    for row, flags in zip(u, labels, strict=True):
        for flag, target in zip(flags, targets, strict=True):
            if flag:
                total += sum(max(0.0, 1 - x * t) for x, t in zip(row, target, strict=True))
    return total / len(u)


def csq(u: Rows, labels: Flags, centres: Rows, ties: Sequence[float], *, quantisation: float) -> float:
    terms, far = [], []
    for row, flags in zip(u, labels, strict=True):
        for k, x in enumerate(row):
            votes = sum(centre[k] for flag, centre in zip(flags, centres, strict=True) if flag)
            bit = ((votes > 0) - (votes < 0) or ties[k]) / 2 + 0.5
            h = (math.tanh(x) + 1) / 2
            terms.append(-bit * math.log(h) - (1 - bit) * math.log(1 - h))
            far.append((abs(math.tanh(x)) - 1) ** 2)
    return mean(terms) + quantisation * mean(far)


def cross_entropy(logits: Sequence[float], target: Sequence[float]) -> float:
    total = math.log(sum(math.exp(x) for x in logits))
    return sum(t * (total - x) for t, x in zip(target, logits, strict=True))


def evenly(flags: Sequence[bool]) -> list[float]:
    return [flag / max(1, sum(flags)) for flag in flags]


def orthohash(u: Rows, labels: Flags, words: Rows, *, scale: float, margin: float) -> float:
    terms = []
    for row, flags in zip(u, labels, strict=True):
        logits = [scale * (cosine(row, word) - margin * flag) for word, flag in zip(words, flags, strict=True)]
        terms.append(cross_entropy(logits, evenly(flags)))
    return mean(terms)


def greedyhash(u: Rows, labels: Flags, weight: Rows, bias: Sequence[float], *, penalty: float) -> float:
    terms = []
    for row, flags in zip(u, labels, strict=True):
        logits = [dot(w, signs(row)) + b for w, b in zip(weight, bias, strict=True)]
        terms.append(cross_entropy(logits, evenly(flags)))
    return mean(terms) + penalty * mean([abs(abs(x) - 1) ** 3 for x in flat(u)])


def clusters(
    u: Rows,
    numbers: Sequence[Sequence[int]],
    classifiers: Sequence[tuple[Rows, Sequence[float]]],
    *,
    quantisation: float,
) -> float:
    h = [[math.tanh(x) for x in row] for row in u]
    terms = []
    for clustering, (weight, bias) in enumerate(classifiers):
        for row, own in zip(h, numbers, strict=True):
            logits = [dot(w, row) + b for w, b in zip(weight, bias, strict=True)]
            terms.append(cross_entropy(logits, [float(c == own[clustering]) for c in range(len(logits))]))
    return mean(terms) + quantisation * mean([(abs(x) - 1) ** 2 for x in flat(h)])


def follow(codes: Rows, features: Rows) -> float:
    return mean([
        (cosine(codes[i], codes[j]) - cosine(features[i], features[j])) ** 2 for i, j in other_pairs(len(codes))
    ])  # fmt: skip


def greedyhash_without_labels(u: Rows, features: Rows, *, penalty: float) -> float:
    return follow([signs(row) for row in u], features) + penalty * mean([abs(abs(x) - 1) ** 3 for x in flat(u)])


def halves(u: Rows) -> list[list[float]]:
    columns = []
    for column in zip(*u, strict=True):
        upper = sorted(range(len(column)), key=lambda i: -column[i])[: len(column) // 2]
        columns.append([1.0 if i in upper else -1.0 for i in range(len(column))])
    return [list(row) for row in zip(*columns, strict=True)]


def contrast(a: Rows, b: Rows, *, temperature: float) -> float:
    views, count = [*a, *b], len(a)
    terms = []
    for i, view in enumerate(views):
        others = [j for j in range(2 * count) if j != i]
        logits = [cosine(view, views[j]) / temperature for j in others]
        terms.append(cross_entropy(logits, [float(j == (i + count) % (2 * count)) for j in others]))
    return mean(terms)


def cibhash(u: Rows, v: Rows, *, temperature: float, beta: float) -> float:
    def divergence(p: Rows, q: Rows) -> float:
        total = 0.0
        for x, y in zip(flat(p), flat(q), strict=True):
            s, t = 1 / (1 + math.exp(-x)), 1 / (1 + math.exp(-y))
            total += s * math.log(s / t) + (1 - s) * math.log((1 - s) / (1 - t))
        return total / len(p)

    both = (divergence(u, v) + divergence(v, u)) / 2
    return contrast([signs(r) for r in u], [signs(r) for r in v], temperature=temperature) + beta * both


def copies(u: Rows, v: Rows, *, temperature: float, entropy: float, correlation: float) -> float:
    """NT-Xent of tanh, less the mean log distance of the nearest, plus squared correlations and means of bits."""
    a, b = ([[math.tanh(x) for x in row] for row in rows] for rows in (u, v))
    nearest = [min(math.sqrt(2 - 2 * cosine(a[i], a[j])) for j in range(len(a)) if j != i) for i in range(len(a))]
    columns = [list(column) for column in zip(*a, *b, strict=True)]
    centred = [[x - mean(column) for x in column] for column in columns]
    squares = sum(cosine(one, other) ** 2 for one in centred for other in centred) - len(columns)
    correlated = squares / len(columns) + sum(mean(column) ** 2 for column in columns)
    spread = mean([math.log(distance) for distance in nearest])
    return contrast(a, b, temperature=temperature) - entropy * spread + correlation * correlated
