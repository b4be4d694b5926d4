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
static void convolve(const struct operation *op, const uint8_t *in, uint8_t *out)
{
    const int32_t row = op->kw * op->c_in;
    for (int32_t y = 0; y < op->h_out; y++)
        for (int32_t x = 0; x < op->w_out; x++) {
            const int32_t top = y * op->stride - op->pad_h, left = x * op->stride - op->pad_w;
            const int32_t first = left < 0 ? -left : 0;
            const int32_t end = op->w_in - left < op->kw ? op->w_in - left : op->kw;
            const int8_t *w = weights + op->weights;
            for (int32_t o = 0; o < op->c_out; o++) {
                int32_t sum = biases[op->biases + (uint32_t)o];
                for (int32_t i = 0; i < op->kh; i++, w += row) {
                    const int32_t line = top + i;
                    if (line < 0 || line >= op->h_in) {
                        sum += beyond(op, w, op->kw);
                        continue;
                    }
                    sum += dot(in + (line * op->w_in + left + first) * op->c_in,
                               w + first * op->c_in, (uint32_t)((end - first) * op->c_in));
                    if (first)
                        sum += beyond(op, w, first);
                    if (end < op->kw)
                        sum += beyond(op, w + end * op->c_in, op->kw - end);
                }
                const uint32_t k = op->factors + (uint32_t)o;
                out[o] = cut(op, rounded((int64_t)sum * multipliers[k], shifts[k]));
            }
            out += op->step_out;
        }
}

/* Largest value or mean of windows, of what lies inside the map. */
static void pool(const struct operation *op, const uint8_t *in, uint8_t *out)
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
static void pointwise(const struct operation *op, const uint8_t *in, const uint8_t *other,
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
