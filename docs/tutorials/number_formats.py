# %% [markdown]
# # Number formats for neural networks
#
# How numbers are stored in 32, 16, 8 and 4 bits, what each format costs in accuracy, and how to choose one. Every number and
# picture below is computed by [fewbits](../../README.md) when the notebook runs; after each section stands the command that does
# the same from a terminal. You need fewbits and nothing else: no GPU, no network, no model.
#
# 1. What a float is · 2. Formats in numbers · 3. The number line · 4. FP16 and BF16 · 5. FP8 by hand · 6. Integers ·
# 7. What quantization does · 8. Per tensor and per channel · 9. Memory · 10. Error against bits · 11. Outliers ·
# 12. Block formats · 13. Summary · Exercises 1 to 3 with solutions

# %%
import numpy as np
import polars as pl

import fewbits as fb
from fewbits import catalog, explain, figures, memory
from fewbits.pictures.bit_sweep import bit_sweep
from fewbits.pictures.chain import chain
from fewbits.pictures.distribution import distribution
from fewbits.pictures.effects import effects
from fewbits.pictures.row_gain import row_gain
from fewbits.sources import tensor_of

pl.Config(tbl_rows=40, tbl_cols=20, tbl_width_chars=160, fmt_str_lengths=100)
pl.Config(tbl_hide_column_data_types=True, tbl_hide_dataframe_shape=True)


def table(rows, *columns):
    """Rows as a table, some columns of it."""
    found = pl.DataFrame(rows, infer_schema_length=None)
    return found.select(columns) if columns else found


def draw(figure, rows):
    """A figure of the library, of rows as the library makes them."""
    return figures.draw(figure, table(rows))


# %% [markdown]
# The random numbers are those of `torch.manual_seed(42)` on a CPU, so that you can compare with PyTorch. They are made with numpy
# here; how (a Mersenne Twister and the Box–Muller transform) does not matter for what follows.


# %%
def box_muller(u, angle):
    """Pairs of uniform numbers as pairs of normal ones."""
    radius = np.sqrt(-2 * np.log(1 - u.astype(np.float64)))
    return np.concatenate([radius * np.cos(2 * np.pi * angle), radius * np.sin(2 * np.pi * angle)], axis=-1)


class Torch42:
    """What PyTorch draws after `torch.manual_seed(42)`."""

    def __init__(self):
        self.random = np.random.RandomState(42)

    def bits(self, n):
        return self.random.randint(0, 2**32, n, np.uint32).astype(np.uint64)

    def rand(self, n):
        return (self.bits(n) % 2**24 / 2**24).astype(np.float32)

    def randn(self, n):
        if n < 16:  # one pair after the other, of 53 random bits
            high, low = self.bits(4 * -(-n // 2)).reshape(-1, 2).T
            u = ((high << np.uint64(32) | low) % 2**53 / 2**53).reshape(-1, 2)
            return box_muller(u[:, 1:], u[:, :1]).reshape(-1)[:n].astype(np.float32)
        u = self.rand(n)[: n - n % 16]
        if n % 16:  # the last sixteen are drawn anew
            u = np.concatenate([u, self.rand(16)])
        eights = u.reshape(-1, 2, 8)
        x = box_muller(eights[:, 0], eights[:, 1]).reshape(-1).astype(np.float32)
        return np.concatenate([x[: n - 16], x[-16:]])


weights = Torch42().randn(10000) * np.float32(0.5)
print("first values:", *weights[:4])


# %% [markdown]
# ## 1. What a float is
#
# A float has three fields: a sign $s$, an exponent $e$ and a mantissa $m$ of $M$ bits. Its value is
#
# $$ v = (-1)^s \cdot 2^{\,e - \mathrm{bias}} \cdot \left(1 + \frac{m}{2^M}\right), \qquad \mathrm{bias} = 2^{E-1} - 1 $$
#
# with $E$ bits of exponent. Codes with $e = 0$ are *subnormal*: they lose the leading 1, so that small numbers run out evenly to zero,
#
# $$ v = (-1)^s \cdot 2^{\,1 - \mathrm{bias}} \cdot \frac{m}{2^M} . $$
#
# An integer has no fields. In two's complement its first bit weighs $-2^{n-1}$ and the others $2^{n-2} \dots 1$.

# %%
layouts = catalog.resolve(["fp32", "fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "i8", "i4"])
draw("bit_layout", explain.bit_rows(layouts))

# %% [markdown]
# **Range or precision.** With a fixed number of bits every exponent bit squares the range, and every mantissa bit halves the gap
# between neighbours. FP16 and BF16 make opposite choices with the same 16 bits, E4M3 and E5M2 with the same 8.
#
# One code by hand: 6.5 in FP16, taken apart and put together again by the formula.

# %%
code = int(fb.encode([6.5], "fp16").codes[0])
s, e, m = code >> 15, code >> 10 & 0b11111, code & 0b1111111111
by_formula = (-1) ** s * 2.0 ** (e - 15) * (1 + m / 2**10)
print(f"6.5 in FP16 is {s:b} {e:05b} {m:010b}: (-1)^{s} · 2^({e} - 15) · (1 + {m}/1024) = {by_formula}")

# %% [markdown]
# `fewbits explain fp32 fp16 bf16 fp8-e4m3 fp8-e5m2 i8 i4 -o layouts.png --figure bit_layout`
#
# ## 2. Formats in numbers
#
# *epsilon* is the precision at 1: the gap between 1 and the next larger value. *max* is the largest magnitude, *values* counts different finite numbers, not bit
# patterns: NaN, infinities and the second zero do not count. The dynamic range is $20\log_{10}(\max / \min_{>0})$ decibels.
# E4M3 reaches 448 in the OCP standard (suffix FN) that all hardware follows; a variant that keeps IEEE's infinities stops at 240.
# `s8` and `s4` are the integers that weights use: symmetric, so that the lowest code stays free.

# %%
compared = ["fp32", "fp16", "bf16", "fp8-e4m3", "fp8-e4m3-ieee", "fp8-e5m2", "fp4", "i8", "s8", "i4", "s4"]
properties = table([explain.properties(*one) for one in catalog.resolve(compared)])
properties.select("format", "bits", "max", "min_normal", "min_positive", "epsilon", "values", "dynamic_range_db")

# %%
draw("dynamic_range", [explain.properties(*one) for one in catalog.resolve(compared[:4] + compared[5:8] + ["i4"])])

# %% [markdown]
# `fewbits formats fp32 fp16 bf16 fp8-e4m3 fp8-e4m3-ieee fp8-e5m2 i8 i4 -o ranges.png`
#
# ## 3. The number line
#
# Every value between −4 and 4, and closer. Floats are dense around zero, and the gap doubles at every power of two. Half of all values
# of FP16 and of BF16 are in here; but nearly all of BF16's lie within 1/8 of zero, down to $10^{-40}$, where FP16 has only 24577.

# %%
lines = catalog.resolve(["fp16", "bf16", "fp8-e4m3", "fp8-e5m2"])
counts = {name: explain.count(f.element, -4, 4) for name, f in lines}
print(counts)
draw("number_line", explain.number_line(lines, [(-4.0, 4.0), (-0.125, 0.125)]))

# %% [markdown]
# `fewbits explain fp16 bf16 fp8-e4m3 fp8-e5m2 --range -4 4 -o line.png --figure number_line`
#
# ## 4. FP16 and BF16
#
# The relative error of rounding to the nearest value (ties to even) is at most half an epsilon as long as the number is normal:
# $2^{-11}$ or 0.05 % for FP16, $2^{-8}$ or 0.4 % for BF16. Below its smallest normal number FP16 loses digits, above 65504 it overflows.

# %%
draw("relative_error", explain.relative_error(catalog.resolve(["fp16", "bf16"]), points=400))

# %% [markdown]
# At single values. A bar chart with a logarithmic axis would hide the best cases, the exact ones; a table does not.

# %%
values = np.array([0.001, 0.01, 0.1, 1, 10, 100, 1000, 10000, 60000, 65520], np.float32)


def percent(made):
    """The error of each value in words: exact, overflow, or percent."""
    errors = np.abs(made.astype(np.float64) - values) / values
    return ["exact" if error == 0 else "overflow" if np.isinf(error) else f"{100 * error:.4f} %" for error in errors]


halves = {name: fb.quantize(values, name) for name in ("fp16", "bf16")}
columns = {"value": values} | {
    key: cells for name, y in halves.items() for key, cells in ((name, y), (f"{name} error", percent(y)))
}
pl.DataFrame(columns)

# %% [markdown]
# `fewbits explain fp16 bf16 0.001 0.01 0.1 1 10 100 1000 10000 60000`
#
# ## 5. FP8 by hand
#
# Conversion to a small float, in the order that gets every case right:
#
# 1. The exponent is $\lfloor\log_2|x|\rfloor$, read from the bits and not from a rounded logarithm, and at least that of the smallest normal number.
# 2. The gap between neighbours there is $2^{\,\mathrm{exponent} - M}$. Round $|x|$ to a multiple of it, ties to even. Rounding up
#    to the next power of two needs no care: it is simply the next multiple (*carry*). Subnormals need none either.
# 3. Saturate at the largest value. Put the sign back, also that of zero. NaN stays NaN.


# %%
def float8(x, exponent_bits, mantissa_bits, largest):
    """Values of x rounded to a float of so many bits; NaN and infinities stay."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        x = np.asarray(x, np.float64)
    least = 2 - 2 ** (exponent_bits - 1)  # exponent of the smallest normal number: 1 - bias
    exponent = np.maximum(np.frexp(np.abs(x))[1] - 1, least)
    gap = 2.0 ** (exponent - mantissa_bits)
    with np.errstate(invalid="ignore"):
        rounded = np.minimum(np.rint(np.abs(x) / gap) * gap, largest)
    return np.where(np.isfinite(x), np.copysign(rounded, x), x).astype(np.float32)


e4m3 = {"exponent_bits": 4, "mantissa_bits": 3, "largest": 448}
e5m2 = {"exponent_bits": 5, "mantissa_bits": 2, "largest": 57344}

nine = np.array([0.1, 0.5, 1, 1.5, 3.14159, 10, 100, 0.001, -2.5])
nine_e4m3, nine_e5m2 = float8(nine, **e4m3), float8(nine, **e5m2)
pl.DataFrame(
    {
        "value": nine,
        "E4M3": nine_e4m3,
        "E4M3 error %": 100 * np.abs(nine_e4m3 - nine) / np.abs(nine),
        "E5M2": nine_e5m2,
        "E5M2 error %": 100 * np.abs(nine_e5m2 - nine) / np.abs(nine),
    }
)

# %% [markdown]
# The library gives the same, bit for bit, on all 65536 numbers of FP16 — normal, subnormal, infinite, NaN, both zeros — and on a
# million more. The cases where converters go wrong:

# %%
every_half = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
random = np.random.default_rng(0)
many = (random.standard_normal(10**6) * 10.0 ** random.uniform(-6, 6, 10**6)).astype(np.float32)


def same_bits(a, b):
    """Whether two arrays are the same, signs of zeros included; any NaN is the same as any other."""
    return bool(np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a), np.signbit(b)))


agrees = {
    name: all(same_bits(float8(x, **small), fb.quantize(x, name)) for x in (every_half, many))
    for name, small in (("fp8-e4m3", e4m3), ("fp8-e5m2", e5m2))
}
print("by hand and library agree:", agrees)

cases = {
    "carry": 0.97,
    "carry to the next power of two": 1.97,
    "subnormal": 0.002,
    "nearest is the smallest subnormal": 0.001,
    "half of it: tie, to even": 2.0**-10,
    "between 240 and 448": 300.0,
    "largest": 448.0,
    "saturation": 500.0,
    "infinity": np.inf,
    "not a number": np.nan,
    "minus zero": -0.0,
}
special = pl.DataFrame(
    {
        "case": list(cases),
        "value": list(cases.values()),
        "E4M3": fb.quantize(list(cases.values()), "fp8-e4m3"),
        "E5M2": fb.quantize(list(cases.values()), "fp8-e5m2"),
    }
)
special

# %% [markdown]
# E4M3 has no code for infinity. `quantize` lets it through, so that you see it; `encode`, which has to store it, says no:

# %%
try:
    fb.encode([np.inf], "fp8-e4m3")
except fb.errors.DataError as error:
    refused = str(error)
print(refused)

# %% [markdown]
# `fewbits explain fp8-e4m3 fp8-e5m2 0.1 0.5 1 1.5 3.14159 10 100 0.001 -2.5 448 500`
#
# ## 6. Integers
#
# **Absmax** (symmetric): one scale, from the largest magnitude; zero stays zero.
#
# $$ \mathrm{scale} = \frac{\max|x|}{2^{n-1}-1}, \qquad q = \mathrm{round}\!\left(\frac{x}{\mathrm{scale}}\right), \qquad \hat x = q \cdot \mathrm{scale} $$
#
# **Zero point** (asymmetric): the codes $0 \dots 2^n-1$ cover the range from least to largest value, *extended to include 0*, so that
# the code of zero, $z$, is one of them.
#
# $$ \mathrm{scale} = \frac{\max(x_{\max}, 0) - \min(x_{\min}, 0)}{2^n-1}, \qquad z = \mathrm{round}\!\left(\frac{-\min(x_{\min}, 0)}{\mathrm{scale}}\right), \qquad \hat x = (q - z) \cdot \mathrm{scale} $$
#
# A format is a text: `s8@tensor:f32` is an 8-bit symmetric integer with one float32 scale for the tensor (`int8` for short), and
# `u8@tensor:f32+zero` an unsigned one with a zero point. What `encode` stores, for every width:

# %%
small = Torch42().randn(1000) * np.float32(0.5)
widths = []
for n in range(2, 17):
    absmax, zero_point = (fb.encode(small, spec) for spec in (f"s{n}@tensor:f32", f"u{n}@tensor:f32+zero"))
    widths.append(
        {
            "bits": n,
            "codes in memory": str(absmax.codes.dtype),
            "bytes packed": int(np.ceil(fb.bits(absmax.format, small.shape) * small.size / 8)),
            "scale": float(absmax.scale.item()),
            "absmax: largest error": float(np.abs(fb.decode(absmax) - small).max()),
            "zero point": int(zero_point.offset.item()),
            "zero point: largest error": float(np.abs(fb.decode(zero_point) - small).max()),
        }
    )
table(widths)

# %% [markdown]
# The largest error is half a scale. And the inputs on which quantizers break: zeros (a scale of 0 divides by zero), one constant,
# and data on one side of zero (a zero point outside the codes).

# %%
odd = {
    "zeros": np.zeros(100),
    "constant 3.7": np.full(100, 3.7),
    "constant -3.7": np.full(100, -3.7),
    "one-sided, 5.02 to 5.96": np.linspace(5.02, 5.96, 100),
    "one-sided, negative": np.linspace(-5.96, -5.02, 100),
}
one_sided = table(
    [
        {"data": name}
        | {
            spec: float(np.abs(fb.quantize(x, spec) - x.astype(np.float32)).max())
            for spec in ("int8", "u8@tensor:f32+zero", "int4")
        }
        for name, x in odd.items()
    ]
)
one_sided.rename(
    {"int8": "INT8 absmax, largest error", "u8@tensor:f32+zero": "UINT8 zero point", "int4": "INT4 absmax"}
)

# %% [markdown]
# For data far from zero a stored minimum (`+min`) beats a zero point: then the range does not have to reach to 0.

# %%
far = np.linspace(5.02, 5.96, 100)
with_minimum = float(np.abs(fb.quantize(far, "u8@tensor:f32+min") - far.astype(np.float32)).max())
print(f"UINT8 with a minimum, largest error: {with_minimum:.5f}")

# %% [markdown]
# `fewbits explain int8 u8@tensor:f32+zero 0.1 -0.7 2.4`
#
# ## 7. What quantization does
#
# 1000 normal values with standard deviation 0.5. Three measures: the mean squared error, the largest error, and the mean relative
# error. The last is dominated by values near zero, where any error is large; SQNR, the signal to quantization noise ratio
# $10\log_{10}(\sum x^2 / \sum(\hat x - x)^2)$, is the better summary.

# %%
analysed = ["int8", "int4", "u8@tensor:f32+zero"]
errors = fb.measure(small, analysed).with_columns(
    relative=pl.Series(
        [float(np.mean(np.abs(fb.quantize(small, f) - small) / (np.abs(small) + 1e-8))) for f in analysed]
    )
)
errors.select("format", "mse", pl.col("atol").alias("largest error"), "relative", "sqnr_db")

# %%
draw("effects", effects(tensor_of(small), catalog.resolve(["int8", "int4"])))

# %% [markdown]
# Top left: INT4 is a staircase, INT8 follows the values. Top right: errors are spread evenly over one step, and INT8's step is 18
# times smaller. Bottom left: half of INT4's levels stand where there are hardly any values.
#
# `fewbits histogram model.safetensors -f int8 -f int4` draws this and more for the tensors of a model.
#
# ## 8. Per tensor and per channel
#
# The rows of a weight matrix differ in size. With one scale for all, the largest row sets it and the small rows pay. A scale for
# each row (output channel) costs 32 bits a row and repairs that.

# %%
torch = Torch42()
row_scales = torch.rand(64)[:, None] * 5 + np.float32(0.1)
matrix = torch.randn(64 * 256).reshape(64, 256) * row_scales
channels = fb.measure(matrix, ["int8", "int8-row"])
per_tensor, per_channel = channels["mse"]
print(f"MSE per tensor {per_tensor:.6f}, per channel {per_channel:.6f}: {per_tensor / per_channel:.1f} times less")
channels.select("format", "bits", "mse", "sqnr_db")

# %%
gains = row_gain(tensor_of(matrix), catalog.resolve(["int8", "int8-row"]))
draw("row_gain", gains)

# %%
by_row = table(gains).filter(pl.col("format") == "int8-row")
print(f"improvement by row: {by_row['gain'].min():.2f} to {by_row['gain'].max():.0f}")

# %% [markdown]
# The error per tensor is the same in every row; per channel it falls with the square of the row's scale. Nothing is gained in the
# largest row, a factor of thousands in the smallest. How much that is worth over the matrix (3.4 here) depends on how much the rows differ.
#
# `fewbits scan model.safetensors -f int8 -f int8-row`
#
# ## 9. Memory
#
# $$ \mathrm{bytes} = \mathrm{parameters} \cdot \frac{\mathrm{bits}}{8} $$
#
# 1 GB is $10^9$ bytes, 1 GiB $2^{30}$: 7 billion parameters in FP16 are 14 GB or 13.04 GiB. GPUs are sold in GiB. A model *fits* here if it
# takes at most 85 % of the memory, since activations, the KV cache and the driver need some, and is *tight* up to 100 %.

# %%
models = [memory.model_of_count(size, memory.parameters(size)) for size in memory.SIZES]
plain = memory.stored_as(["32", "16", "8", "4", "3", "2"])
taught = memory.chosen(["RTX 3070", "RTX 3090", "RTX 4090", "A100 40", "A100 80"])
footprint = memory.memory_rows(models, plain, taught)
gib = table(footprint).pivot("format", index="model", values="gib")
gib.with_columns(pl.exclude("model").round(2))

# %%
draw("memory_bars", memory.fit_rows(footprint, memory.chosen(["RTX 3070", "RTX 4090", "A100 80"])))

# %%
draw("fit_map", memory.fit_rows(footprint, memory.chosen(["RTX 4090"])))

# %% [markdown]
# The widest plain format in which each model fits, GPU by GPU (at 85 %):

# %%
fits = table(
    [
        {"model": model.name}
        | {
            gpu.name: next(
                (row["format"] for row in footprint if row["model"] == model.name and gpu.name in row["fits"]), "–"
            )
            for gpu in taught
        }
        for model in models
    ]
)
fits

# %% [markdown]
# Real formats store scales too. "4 bits" is 4.25 in MXFP4 and 4.5 in NVFP4 or Q4_K, and with 70 billion parameters that is gigabytes:

# %%
scaled = table(memory.memory_rows(models[4:5], memory.stored_as(["4", "mxfp4", "nvfp4", "q4_k", "int4-g128"]), taught))
scaled.select("model", "format", "bits", "gib", "gb")

# %% [markdown]
# `fewbits memory 7B 70B -f 16 -f 8 -f nvfp4 -f q4_k --gpu 4090 -o fits.png`
#
# ## 10. Error against bits
#
# If the error is spread evenly over a step, its mean square is $\mathrm{step}^2/12$. With $\mathrm{step} = \max|x| / (2^{b-1}-1)$,
#
# $$ \mathrm{SQNR} = 20\log_{10}\!\left(2^{b-1}-1\right) + 10.79 - 20\log_{10}\frac{\max|x|}{\sigma}\ \mathrm{dB}. $$
#
# One more bit adds about 6.02 dB: it *quarters* the mean squared error and halves the amplitude of the error. (The well-known
# $6.02\,b + 1.76$ dB is for a full-scale sine wave, not for weights.)

# %%
swept = bit_sweep(tensor_of(weights))
table(swept).with_columns(pl.col("sqnr_db", "theory_db").round(2))

# %%
draw("bit_sweep", swept)

# %% [markdown]
# Theory and measurement agree within 0.07 dB from 3 bits on. At 2 bits there are three levels and most values round to zero: the
# error is the value itself, not evenly spread, and the model no longer holds. INT8 reaches 40.35 dB on these values; the theory says 40.40.
#
# `fewbits scan 'synthetic:normal/100x100?seed=0' -f int8 -f s6@tensor:f32 -f int4 -f s2@tensor:f32`
#
# ## 11. Outliers
#
# 10000 weights with standard deviation 0.02; then one in a thousand is drawn with standard deviation 2 instead.

# %%
torch = Torch42()
clean = torch.randn(10000) * np.float32(0.02)
outlying = torch.rand(10000) < 0.001
spiked = clean.copy()
spiked[outlying] = torch.randn(int(outlying.sum())) * 2
outlier_errors = pl.concat(
    [
        fb.measure(x, ["int8", "int4"]).select(pl.lit(name).alias("data"), "format", "mse", "sqnr_db", "zeroed")
        for name, x in (("with outliers", spiked), ("without", clean))
    ]
)
print(f"{outlying.sum()} outliers, the largest {np.abs(spiked).max():.2f}")
outlier_errors

# %%
boards = {
    name: distribution(tensor_of(x), fb.format("int4")).tables
    for name, x in (("INT4 with outliers", spiked), ("INT4 without", clean))
}
panels = [
    figures.beside(
        [draw(figure, tables[figure]) for figure in ("value_histogram", "error_value")],
        title={"text": name, "anchor": "start", "fontSize": 15},
    )
    for name, tables in boards.items()
]
figures.stacked(panels)

# %% [markdown]
# Ten values stretch the scale fortyfold. Above, INT4 has all its levels (ticks) but one outside of the other 9990 values, and 99.9 % of all
# become zero: `zeroed` in the table. The mean squared error grows 35 times. INT8 has room to spare, and still loses half of its
# values and 1800 times in mean squared error. SQNR looks harmless only because the outliers are most of the signal.
# The remedies: scales for small blocks (section 12, exercise 1), and keeping outliers apart (exercise 2).
#
# `fewbits histogram model.safetensors -f int8 -f int4`
#
# ## 12. Block formats
#
# Today's formats give every 16 or 32 values a scale of their own. The difference is what the values and the scales are:
#
# | format | values | a scale for | scale | bits a weight |
# | --- | --- | --- | --- | --- |
# | MXFP4 | E2M1 (4 bits) | 32 | a power of two (E8M0) | 4.25 |
# | NVFP4 | E2M1 (4 bits) | 16 | E4M3, and float32 for the tensor | 4.5 |
# | INT4, group 32 | −7 … 7 | 32 | float16 | 4.5 |
# | NF4 | 16 quantiles of a normal distribution | 64 | float32 | 4.5 |
#
# How one block comes about: eight values, the largest 2.7. MXFP4 takes the power of two $2^{\lfloor\log_2 2.7\rfloor - 2} = 0.5$, since E2M1 reaches 6
# and $\lfloor\log_2 6\rfloor = 2$; NVFP4 takes $2.7 / 6 = 0.45$, stored as E4M3 times the tensor's scale. Then each value is divided by
# the scale and rounded to the nearer of the two values of E2M1 around it.

# %%
block = [0.02, -0.11, 0.35, 0.5, -0.83, 1.1, -1.9, 2.7]
walk = table([{"format": name} | row for name in ("mxfp4", "nvfp4") for row in explain.steps(block, fb.format(name))])
walk.select("format", "value", "ideal_scale", "scale", "scaled", "below", "above", "chosen", "bits", "reconstruction")

# %% [markdown]
# On real weights: a linear layer of a small sentence encoder that comes with fewbits. The formats of the earlier sections are there for comparison.

# %%
layer = fb.open_source("sample")["encoder.layer.5.output.dense.weight"]
candidates = [
    "fp8-e4m3",
    "int8",
    "int8-row",
    "mxfp8-e4m3",
    "mxfp8-e4m3-rceil",
    "mxfp6-e2m3",
    "int4",
    "int4-row",
    "int4-g32",
    "nf4",
    "mxfp4",
    "nvfp4",
    "q4_k",
]
real = fb.measure(layer, candidates)
print(layer.name, layer.shape)
real.select("format", "bits", "mse", "sqnr_db", pl.col("atol").alias("largest error"), "zeroed").sort("bits", "sqnr_db")

# %%
figures.draw("accuracy_bits", real)

# %% [markdown]
# At 4 bits one scale for the tensor is useless: 92 % of the weights become zero. A scale a row gains 11 dB, blocks gain 16 to 20. NVFP4
# beats MXFP4 by its finer scales, for a quarter of a bit. At 8 bits integers with a scale a row are best on these bell-shaped
# rows; MXFP8's powers of two, rounded down as the standard says, let the largest values saturate (`-rceil` rounds up).
#
# `fewbits scan sample -f mxfp4 -f nvfp4 -f int4-g32 -f nf4 -f q4_k` writes a report with all of this.
#
# ## 13. Summary

# %%
summary = table(
    [
        explain.properties(name, f) | {"mostly used for": explain.use(f.element)}
        for name, f in catalog.resolve(
            ["fp32", "fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "int8", "int4-g128", "mxfp4", "nvfp4", "nf4"]
        )
    ]
)
summary.select("format", "bits", "bytes_per_weight", "max", "epsilon", "dynamic_range_db", "mostly used for")

# %% [markdown]
# max, epsilon and dynamic range are those of the element, before any scale; bits and bytes include scales.
#
# 1. **Train in BF16** where the hardware has it: the range of FP32, no loss scaling. FP16 is more precise, but needs the loss scaled.
# 2. **Weights in 8 bits** with a scale per row or block cost almost nothing: about 39 dB, and half the memory of FP16.
# 3. **Weights in 4 bits need blocks**: 16 to 128 values a scale. Count the scales: 4.25 or 4.5 bits, not 4.
# 4. **E4M3 for weights and activations, E5M2 for gradients**, with a scale: what lies outside of 0.002 to 448 is lost to E4M3.
# 5. **Look for outliers first.** One value in a thousand can cost 20 dB. Smaller blocks or a few values kept in FP16 repair it.
# 6. **Measure your own tensors**: an average over random numbers says little about one layer. `fewbits scan MODEL`
#
# ## Exercise 1: block-wise quantization
#
# *Quantize a tensor of any shape to INT4 with a float16 scale for every 128 values. Give back the values, codes, scales and the
# effective bits. Compare with one scale for the tensor, on normal values and on those with outliers, for several block sizes.*
#
# `flat128` cuts the tensor, laid out flat, into blocks of 128; a last, shorter block has a scale of its own values, without padding.


# %%
def blockwise(x, block_size=128, n_bits=4):
    """(values like x in shape and dtype, signed codes, scales, effective bits a weight)."""
    q = fb.encode(x, f"s{n_bits}@flat{block_size}:f16")
    signed = np.array(q.format.element.decoded)[q.codes].astype(np.int8)
    return fb.decode(q).astype(x.dtype), signed, fb.decode(q.scale).ravel(), fb.bits(q.format, x.shape)


odd_shape = np.concatenate([np.zeros(256, np.float32), Torch42().randn(3 * 7 * 37 - 256)]).reshape(3, 7, 37)
y, codes, scales, effective = blockwise(odd_shape)
partial = odd_shape.ravel()[768:]  # the last block: 9 of 128 values
print(
    f"shape {y.shape}, {y.dtype}; codes {codes.min()} to {codes.max()}; {scales.size} blocks; {effective:.4f} bits a weight"
)
print(f"scales of the two zero blocks: {scales[:2]}, and all their values are zero: {not y.ravel()[:256].any()}")
print(f"scale of the partial block: {scales[-1]:.5f} = {np.abs(partial).max():.5f} / 7")

# %%
sizes = [16, 32, 64, 128, 256, 512, 1024]
compared_blocks = pl.concat(
    [
        fb.measure(x, ["int4", *(f"s4@flat{size}:f16" for size in sizes)]).select(
            pl.lit(name).alias("data"),
            "format",
            "bits",
            (pl.col("bits") * x.size / 8).ceil().cast(int).alias("bytes"),
            "mse",
            "sqnr_db",
            pl.col("atol").alias("largest error"),
            (pl.col("mse").first() / pl.col("mse")).alias("improvement"),
        )
        for name, x in (("normal", weights), ("outliers", spiked))
    ]
)
compared_blocks

# %%
figures.draw("accuracy_bits", fb.measure(spiked, ["int4", *(f"s4@flat{size}:f16" for size in sizes)]))

# %% [markdown]
# On normal values blocks of 128 halve the error, since a small block seldom holds a large value. With outliers they divide it by ten: an
# outlier spoils its own block and no other. The smaller the block, the less is spoiled, and the more bits the scales take: $4 + 16/\mathrm{size}$.
#
# ## Exercise 2: outliers in FP16
#
# *Keep values farther than 3 standard deviations from the mean in FP16, with their positions, and quantize the rest to INT4 with a
# scale that does not see them. Compare memory and error with plain INT4 and FP16, for several thresholds; when does it pay?*
#
# The option `+outliersRATIO:f16` keeps that share of the largest magnitudes apart. The threshold says how many those are.


# %%
def outlier_aware(x, threshold=3.0, n_bits=4):
    """(values, what is stored): outliers beyond `threshold` standard deviations from the mean in FP16, the rest in INT4."""
    count = int(np.count_nonzero(np.abs(x - x.mean()) > threshold * x.std()))
    option = f"+outliers{count / x.size:.12f}:f16" if count else ""
    q = fb.encode(x, f"s{n_bits}@tensor:f32{option}")
    return fb.decode(q), q


restored, stored = outlier_aware(spiked)
positions, _ = stored.outliers
others = np.delete(spiked, positions)
print(
    f"{positions.size} outliers ({100 * positions.size / spiked.size:.2f} %), all beyond 3 deviations:",
    bool((np.abs(spiked[positions]) > 3 * spiked.std()).all()),
)
print(
    "outliers are exactly the FP16 values:",
    np.array_equal(restored[positions], spiked[positions].astype(np.float16).astype(np.float32)),
)
print(f"scale {float(stored.scale.item()):.6f} = largest of the others / 7 = {np.abs(others).max() / 7:.6f}")

# %% [markdown]
# Memory. Positions in a tensor of $N$ values need $\lceil\log_2 N\rceil$ bits; many programs use 32. An outlier's place among the codes stays.


# %%
def breakdown(x, q, index_bits):
    """Bytes of everything that is stored."""
    count = 0 if q.outliers is None else q.outliers[0].size
    parts = {
        "codes": x.size * q.format.element.bits / 8,
        "scale": 4.0,
        "outliers": 2.0 * count,
        "positions": index_bits * count / 8,
    }
    return parts | {"total": sum(parts.values())}


needed = int(np.ceil(np.log2(spiked.size)))
memory_of_outliers = table(
    [
        {"stored as": "FP16", "total": 2.0 * spiked.size, "mse": fb.measure(spiked, "fp16")["mse"][0]},
        {"stored as": "INT4", **breakdown(spiked, fb.encode(spiked, "int4"), 0), "mse": fb.measure(spiked, "int4")["mse"][0]},
        *(
            {"stored as": f"INT4 and FP16 outliers, {bits}-bit positions", **breakdown(spiked, stored, bits), "mse": float(np.mean((restored - spiked) ** 2.0))}
            for bits in (needed, 32)
        ),
    ],
    "stored as", "codes", "scale", "outliers", "positions", "total", "mse",
)  # fmt: skip
memory_of_outliers

# %%
tails = {
    "normal": clean,
    "0.1 % outliers": spiked,
    "heavy tail (Student t, 3)": (0.02 * np.random.default_rng(42).standard_t(3, 10000)).astype(np.float32),
}
thresholds = []
for name, x in tails.items():
    for threshold in (2.0, 2.5, 3.0, 4.0, 6.0, np.inf):
        y, q = outlier_aware(x, threshold)
        count = 0 if q.outliers is None else q.outliers[0].size
        sqnr = 10 * np.log10(np.mean(x.astype(np.float64) ** 2) / np.mean((y.astype(np.float64) - x) ** 2))
        thresholds.append(
            {
                "data": name,
                "threshold": threshold,
                "outliers": count,
                "bits": fb.bits(q.format, x.shape),
                "sqnr_db": sqnr,
            }
        )
table(thresholds).with_columns(pl.col("sqnr_db").round(2))

# %% [markdown]
# **Break-even.** An outlier takes 16 bits and its position more than the 4 it has anyway. So a share $p$ costs $p\,(16 + 14)$ bits a weight
# here, $48\,p$ with 32-bit positions. Compared with spending the same bits on something else:

# %%
each = {"14-bit positions": 16 + needed, "32-bit positions": 16 + 32}
break_even = table(
    [
        {"instead of": other, **{key: f"{100 * more / bits:.2f} %" for key, bits in each.items()}}
        for other, more in (
            ("INT4 in blocks of 128", 16 / 128),
            ("INT4 in blocks of 32", 16 / 32),
            ("INT8", 4),
            ("FP16", 12),
        )
    ]
)
break_even

# %% [markdown]
# Edge cases: without outliers it is plain INT4, and a constant or a tensor of zeros comes back as it was.

# %%
edge = {}
for name, x in (("no outliers", np.linspace(-1, 1, 1000)), ("constant", np.full(1000, 0.3)), ("zeros", np.zeros(1000))):
    x = x.astype(np.float32)
    y, q = outlier_aware(x)
    edge[name] = {
        "outliers": 0 if q.outliers is None else q.outliers[0].size,
        "same as INT4": np.array_equal(y, fb.quantize(x, "int4")),
        "largest error": float(np.abs(y - x).max()),
    }
table([{"data": name} | row for name, row in edge.items()])

# %% [markdown]
# ## Exercise 3: a chain of conversions
#
# *FP32 → FP16 → FP8 → INT8 → FP32, each step on the result of the one before; which step costs what, and does the order matter?*
#
# INT8 is absmax with one scale for the tensor; FP8 has no scale and saturates. Columns with *previous* compare with what the step was
# given, the others with the original.

# %%
routes = [
    ["fp16", "fp8-e4m3", "int8", "fp32"],
    ["fp16", "fp8-e5m2", "int8", "fp32"],
    ["int8", "fp16", "fp8-e4m3", "fp32"],
    ["int8", "fp32"],
]
chains = [row for route in routes for row in chain(weights, catalog.resolve(route))]
table(
    chains, "chain", "step", "format", "mse", "sqnr_db", "previous_sqnr_db", "atol", "rel_mae", "zeroed"
).with_columns(pl.col("sqnr_db", "previous_sqnr_db").round(2))

# %%
draw("chain_error", chains)

# %% [markdown]
# The worst step decides. Errors of independent steps add: $\mathrm{MSE} \approx \mathrm{MSE}_1 + \mathrm{MSE}_2 + \dots$, so next to 31.5 dB of E4M3
# the 73.7 dB of FP16 are invisible and INT8 takes a quarter of a decibel. INT8 after E5M2 costs nothing measurable, INT8 directly is
# better than every chain through FP8, and the way back to FP32 is always free. The order matters little, since E4M3 is the worst step in each.
#
# Other inputs show overflow and underflow: counts of values that became infinite (*overflowed*), were *clipped* at the largest value, or
# became zero (*zeroed*), step by step.

# %%
wide = (10.0 ** random.uniform(-9, 6, 10000) * random.choice([-1, 1], 10000)).astype(np.float32)
inputs = {"normal weights": weights, "with outliers": spiked, "wide range, 1e-9 to 1e6": wide}
flows = table(
    [
        {"data": name} | row
        for name, x in inputs.items()
        for route in routes[:2]
        for row in chain(x, catalog.resolve(route))
    ]
)
flows.select("data", "chain", "step", "format", "sqnr_db", "overflowed", "clipped", "zeroed").with_columns(
    pl.col("sqnr_db").round(2)
)

# %% [markdown]
# FP16 overflows above 65504 and flushes below $2^{-25}$ to zero; E4M3 clips at 448. What is infinite stays so, and the metrics are over the rest.
#
# ## Where to go from here
#
# `fewbits formats` lists all formats, `fewbits explain FORMAT VALUE…` shows every step of one, `fewbits scan MODEL -f …` measures them
# on a model and writes a report. [Formats](../formats.md) · [metrics](../metrics.md) · [method](../method.md) · [commands](../cli.md) · [gallery](../gallery.md)
