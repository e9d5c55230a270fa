"""Writes numpy_print.json: arrays and what NumPy prints for them. Run: python3 numpy_print.py"""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(7)


def cases():
    yield [1.0, 2.0, 3.0], [3]
    yield [0.5, 0.25, 1.0], [3]
    yield [1e-5, 1.5, 3.0], [3]
    yield [1e9, 1.0], [2]
    yield [0.0, -0.0, 1.0], [3]
    yield [0.1, 0.2, 1 / 3], [3]
    yield [np.nan, 1.0, -2.5], [3]
    yield [np.inf, -np.inf, 0.001], [3]
    yield [np.nan, np.inf], [2]
    yield [1e-7, 0.0], [2]
    yield [123456.789, 1234.5], [2]
    yield [100000.0, 99.0, 150.0], [3]
    yield [5.0], []
    yield [0.1], []
    yield [1e-7], []
    yield [], [0]
    yield [], [0, 3]
    yield [0.999995] * 12, [1, 3, 2, 2]
    yield list(np.linspace(0, 5, 16)), [2, 2, 2, 2]
    yield list(rng.normal(size=24)), [2, 3, 4]
    yield list(rng.normal(size=40)), [40]
    yield list(rng.normal(size=60) * 1e-3), [3, 20]
    yield list(np.arange(1001.0)), [1001]
    yield list(np.arange(1200.0)), [30, 40]
    yield list(np.arange(1200.0)), [2, 20, 30]
    yield list(np.arange(2000.0)), [1000, 2]
    yield list(rng.normal(size=1100) * 1e6), [11, 100]
    yield list(np.arange(1000.0)), [1000]
    yield [1e-300, 1.0], [2]
    yield [1e300, -1e300], [2]
    yield [16777216.0, 3.0, 0.125], [3]
    yield [99999999.0, 1e6], [2]
    yield [-1e-10, 5e-11], [2]


def finite(value):
    return value if np.isfinite(value) else str(value)


rows = []
for dtype in ("float32", "float64", "float16"):
    for values, shape in cases():
        with np.errstate(over="ignore"):
            array = np.array(values, np.float64).reshape(shape).astype(dtype)
        source = [finite(float(v)) for v in array.astype(np.float64).ravel()]
        rows.append({"dtype": dtype, "shape": shape, "values": source, "text": str(array)})

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"numpy": np.__version__, "rows": rows}) + "\n")
