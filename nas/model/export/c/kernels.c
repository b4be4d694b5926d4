/* Apart from what calls it, a loop keeps all its values in registers. */
#ifdef __GNUC__
#define APART __attribute__((noinline))
#else
#define APART
#endif

/* The floor of (value + 2^(shift - 1)) / 2^shift: halves go up. */
static int64_t rounded(int64_t value, uint8_t shift)
{
    value += (int64_t)1 << (shift - 1);
    return value < 0 ? ~(~value >> shift) : value >> shift;
}

static uint8_t cut(const struct operation *op, int64_t value)
{
    value += op->zero_out;
    if (value < op->low)
        return op->low;
    return value > 255 ? 255 : (uint8_t)value;
}

static int32_t dot(const uint8_t *x, const int8_t *w, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += x[i] * w[i];
    return sum;
}

/* The same for four outputs, whose weights lie `apart`: each value is read once for all of them. */
static APART void four_dots(const uint8_t *x, const int8_t *w, int32_t apart, uint32_t count,
                            int32_t *sums)
{
    const int8_t *w1 = w + apart, *w2 = w1 + apart, *w3 = w2 + apart;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (uint32_t i = 0; i < count; i++) {
        a += x[i] * w[i];
        b += x[i] * w1[i];
        c += x[i] * w2[i];
        d += x[i] * w3[i];
    }
    sums[0] += a;
    sums[1] += b;
    sums[2] += c;
    sums[3] += d;
}

/* What taps beyond the border add: there every channel is its zero. */
static int32_t beyond(const struct operation *op, const int8_t *w, int32_t taps)
{
    int32_t sum = 0;
    if (op->from_image)
        for (int32_t tap = 0; tap < taps; tap++)
            for (uint16_t c = 0; c < op->c_in; c++)
                sum += *w++ * image_zeros[c];
    else if (op->zero_in)
        for (int32_t i = 0; i < taps * op->c_in; i++)
            sum += w[i] * op->zero_in;
    return sum;
}

/* A convolution; channels of a pixel, and pixels of a row, lie side by side. */
static APART void convolve(const struct operation *op, const uint8_t *in, uint8_t *out)
{
    const int32_t row = op->kw * op->c_in, apart = op->kh * row;
    for (int32_t y = 0; y < op->h_out; y++)
        for (int32_t x = 0; x < op->w_out; x++) {
            const int32_t top = y * op->stride - op->pad_h, left = x * op->stride - op->pad_w;
            const int32_t first = left < 0 ? -left : 0;
            const int32_t end = op->w_in - left < op->kw ? op->w_in - left : op->kw;
            const uint32_t count = (uint32_t)((end - first) * op->c_in);
            for (int32_t o = 0, many; o < op->c_out; o += many) {
                const int8_t *w = weights + op->weights + o * apart;
                int32_t sums[4];
                many = op->c_out - o < 4 ? 1 : 4;
                for (int32_t k = 0; k < many; k++)
                    sums[k] = biases[op->biases + (uint32_t)(o + k)];
                for (int32_t i = 0; i < op->kh; i++, w += row) {
                    const int32_t line = top + i;
                    const int inside = line >= 0 && line < op->h_in;
                    const int32_t pixel = (inside ? line : 0) * op->w_in + left + first;
                    const uint8_t *from = in + pixel * op->c_in;
                    if (inside && many == 4)
                        four_dots(from, w + first * op->c_in, apart, count, sums);
                    else if (inside)
                        sums[0] += dot(from, w + first * op->c_in, count);
                    if (inside && !first && end == op->kw)
                        continue;
                    for (int32_t k = 0; k < many; k++) {
                        const int8_t *own = w + k * apart;
                        if (!inside)
                            sums[k] += beyond(op, own, op->kw);
                        if (inside && first)
                            sums[k] += beyond(op, own, first);
                        if (inside && end < op->kw)
                            sums[k] += beyond(op, own + end * op->c_in, op->kw - end);
                    }
                }
                for (int32_t k = 0; k < many; k++) {
                    const uint32_t factor = op->factors + (uint32_t)(o + k);
                    const int64_t scaled = (int64_t)sums[k] * multipliers[factor];
                    out[o + k] = cut(op, rounded(scaled, shifts[factor]));
                }
            }
            out += op->step_out;
        }
}

/* Largest value or mean of windows, of what lies inside the map. */
static APART void pool(const struct operation *op, const uint8_t *in, uint8_t *out)
{
    for (int32_t y = 0; y < op->h_out; y++)
        for (int32_t x = 0; x < op->w_out; x++) {
            const int32_t top = y * op->stride - op->pad_h, left = x * op->stride - op->pad_w;
            for (int32_t c = 0; c < op->c_in; c++) {
                int32_t most = 0, sum = 0;
                uint32_t count = 0;
                for (int32_t i = top; i < top + op->kh; i++)
                    for (int32_t j = left; j < left + op->kw; j++)
                        if (i >= 0 && i < op->h_in && j >= 0 && j < op->w_in) {
                            const int32_t value = in[(i * op->w_in + j) * op->step_in + c];
                            most = value > most ? value : most;
                            sum += value - op->zero_in;
                            count++;
                        }
                uint32_t k = op->factors;
                if (op->kind == AVG_POOL)
                    k += count - 1;
                if (op->kind == MAX_POOL)
                    sum = most - op->zero_in;
                out[c] = cut(op, rounded((int64_t)sum * multipliers[k], shifts[k]));
            }
            out += op->step_out;
        }
}

/* A sum of two tensors, or a scale and a shift for each channel. */
static APART void pointwise(const struct operation *op, const uint8_t *in, const uint8_t *other,
                            uint8_t *out)
{
    const uint8_t shift = shifts[op->factors];
    for (int32_t pixel = 0; pixel < op->h_out * op->w_out; pixel++) {
        for (int32_t c = 0; c < op->c_out; c++) {
            const uint32_t k = op->biases + (uint32_t)c;
            int64_t sum;
            if (op->kind == ADD)
                sum = (int64_t)(in[c] - op->zero_in) * multipliers[op->factors] +
                      (int64_t)(other[c] - op->zero_other) * multipliers[op->factors + 1];
            else
                sum = (int64_t)(in[c] - op->zero_in) * gains[op->weights + (uint32_t)c] +
                      biases[k];
            out[c] = cut(op, rounded(sum, shift));
        }
        in += op->step_in;
        other += op->step_other;
        out += op->step_out;
    }
}

int nas_predict(const uint8_t *image, uint8_t *probabilities)
{
    static uint8_t arena[NAS_ARENA_BYTES];
    for (uint32_t number = 0; number < OPERATIONS; number++) {
        const struct operation *op = operations + number;
        const uint8_t *in = op->from_image ? image : arena + op->in;
        if (op->kind == CONVOLUTION)
            convolve(op, in, arena + op->out);
        else if (op->kind == ADD || op->kind == AFFINE)
            pointwise(op, in, arena + op->other, arena + op->out);
        else
            pool(op, in, arena + op->out);
    }

    const uint8_t *logits = arena + LOGITS;
    int best = 0;
    for (int k = 1; k < NAS_CLASSES; k++)
        best = logits[k] > logits[best] ? k : best;
    uint32_t sum = 0;
    for (int k = 0; k < NAS_CLASSES; k++)
        sum += exponentials[logits[best] - logits[k]];
    for (int k = 0; k < NAS_CLASSES; k++) {
        const uint32_t share = exponentials[logits[best] - logits[k]];
        probabilities[k] = (uint8_t)((255 * share + sum / 2) / sum);
    }
    return best;
}
