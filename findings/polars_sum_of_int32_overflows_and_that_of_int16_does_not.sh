#!/usr/bin/env bash
# TITLE     polars: the sum of an Int32 column overflows without a word, while those of Int8 and Int16 do not
# VERSION   polars 2.1.0, numpy 2.4.6, Python 3.11
# GUESS     A sum of whole numbers is exact up to 2⁶³, as in NumPy and pandas, and as in polars itself for Int8 and Int16. So rows
#           may be added up to one row for each cell of a tariff, claims and days of exposure, and the Poisson rates stay the same.
# BEHAVIOUR The sum of Int32 is an Int32 modulo 2³², in select, group_by, cum_sum and lazy frames alike. The mean is right. Here the
#           cell of 12 million policies of 365 days gets 85 million days in place of 4380 million, so that its rate is 51.5 times too
#           high. A cell of half of that size would have negative days. Days that were read as Int16 give the right sum.
# SOURCE    The Notes of Expr.sum name the types that are widened before they are summed, Int8, UInt8, Int16 and UInt16; Int32 and
#           UInt32 are not among them, and the result keeps their type.
# SEEN      Int16: days {'small': 365000000, 'large': 4380000000}, claims per year [0.1 0.1]
#           Int32: days {'small': 365000000, 'large': 85032704}, claims per year [0.1   5.151]
set -euo pipefail
here="$(mktemp -d)"; trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0 numpy==2.4.6 >/dev/null
"$here/venv/bin/python" - <<'PY'
import numpy as np
import polars as pl

POLICIES = {"small": 1_000_000, "large": 12_000_000}
DAYS, CLAIM_EVERY = 365, 10  # one claim in ten policy years, in both cells
cell = np.repeat(np.arange(2, dtype=np.int8), list(POLICIES.values()))
claims = (np.arange(len(cell)) % CLAIM_EVERY == 0).astype(np.int8)
exact = {name: DAYS * policies for name, policies in POLICIES.items()}

rates = {}
for kind in (pl.Int16, pl.Int32):
    days = pl.repeat(DAYS, len(cell), dtype=kind, eager=True)
    rows = pl.DataFrame({"cell": cell, "claims": claims, "days": days})
    sums = rows.group_by("cell").agg(pl.col("claims", "days").sum(), mean=pl.col("days").mean()).sort("cell")
    lazy = rows.lazy().group_by("cell").agg(pl.col("days").sum()).sort("cell").collect()
    assert sums["days"].equals(lazy["days"]) and sums["mean"].to_list() == [DAYS, DAYS]
    rates[kind] = (DAYS * sums["claims"] / sums["days"]).to_numpy()
    print(f"{kind}: days {dict(zip(POLICIES, sums['days'].to_list()))}, claims per year {rates[kind].round(3)}")
    right = kind == pl.Int16
    assert (sums["days"].to_list() == list(exact.values())) == right
    assert days.to_numpy().sum() == sum(exact.values()), "NumPy"
    assert (days.sum() == sum(exact.values()) == days.cum_sum()[-1]) == right
assert np.allclose(rates[pl.Int16], 0.1) and np.isclose(rates[pl.Int32][1], 0.1 * exact["large"] / (exact["large"] - 2**32))
print("As described.")
PY
