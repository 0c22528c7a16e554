"""What a saved result holds comes back bit for bit, and nothing else can be in it."""

from __future__ import annotations

import datetime
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyexpr.base import saved
from pyexpr.base.errors import SavedResultError
from pyexpr.base.outputs import OutputError
from pyexpr.base.saved import pack, unpack
from pyexpr.base.saved_classes import _MODULES, class_of, name_of
from pyexpr.base.saved_values import UserFunction
from pyexpr.measurement.icc.intervals import icc_interval


def same(one: Any, other: Any) -> bool:
    """Say whether two values are of one type and have the same bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        alike = one.dtype == other.dtype and one.shape == other.shape
        order = one.flags.f_contiguous == other.flags.f_contiguous
        if one.dtype == object:
            return alike and all(map(same, one.ravel(), other.ravel()))
        return alike and order and one.tobytes() == other.tobytes()
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, float):
        return repr(one) == repr(other)
    return bool(one is other or one == other)


PLAIN = {
    "floats": [0.1 + 0.2, -0.0, 5e-324, float("nan"), float("inf"), -float("inf")],
    "integers": [0, -1, 2**70],
    "text": ["", "é", '{"tuple": []}'],
    "nothing": [None, True, False],
    "nested": (1, (2.5, [(), {}]), frozenset({"b", "a"}), {1, 2}),
    "mapping": {("a", 1): np.float64(0.1), 2: {"x": None}, "object": [1]},
    "scalars": [np.float64("nan"), np.int64(-3), np.bool_(True), np.str_("é")],
    "dates": [
        datetime.date(2020, 2, 29),
        datetime.datetime(2020, 2, 29, 1, 2, 3, 4),
        pd.Timestamp("2020-02-29 12:00:00.123456789", tz="Europe/Berlin"),
    ],
    "missing": [pd.NA, pd.NaT],
    "intervals": [pd.Interval(0.5, 1.5, closed="left")],
    "bytes": b"\x00\xff",
}


@pytest.mark.parametrize("name", PLAIN)
def test_values_come_back(name: str) -> None:
    assert same(unpack(pack(PLAIN[name])), PLAIN[name])


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, np.nan, -0.0, 5e-324]),
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24, dtype=np.int32).reshape(2, 3, 4)[:, ::2],
        np.array([True, False]),
        np.array(["a", "résponse"]),
        np.array(["2020-01-01", "NaT"], dtype="datetime64[s]"),
        np.array([1.5, 2.5], dtype=">f8").astype("<f8"),
        np.array([["a", None], [1.5, ("b", 2)]], dtype=object),
        np.empty((0, 3)),
        np.array(2.5),
    ],
)
def test_arrays_come_back(values: np.ndarray[Any, Any]) -> None:
    again = unpack(pack([values]))[0]
    # Of a view with gaps the values are kept, not the gaps.
    assert same(again, values.copy(order="A"))
    assert again.flags.writeable


def test_what_occurs_twice_is_one_object_again() -> None:
    y = np.arange(3.0)
    again = unpack(pack({"y": y, "tested": y, "other": y.copy()}))
    assert again["y"] is again["tested"]
    assert again["y"] is not again["other"]


def test_tables_of_every_kind_come_back() -> None:
    table = pd.DataFrame(
        {
            "float": [0.1, np.nan],
            "integer": [1, -1],
            "boolean": [True, False],
            "text": ["a", None],
            "object": pd.Series([("a", 1), None], dtype=object),
            "category": pd.Categorical(["b", None], ["b", "a"], ordered=True),
            "numbers": pd.Categorical([3, 1]),
            "masked": pd.array([1, None], dtype="Int32"),
            "flags": pd.array([True, None], dtype="boolean"),
            "string": pd.array(["x", None], dtype="string"),
            "time": pd.to_datetime(["2020-01-01", None]),
            "instant": pd.to_datetime(["2020-01-01", None]).tz_localize("Europe/Berlin"),
        },
        index=pd.Index(["one", "two"], name="row"),
    )
    pd.testing.assert_frame_equal(unpack(pack(table)), table, check_exact=True)
    cases = [
        table.iloc[:0],
        table.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None])),
        pd.DataFrame([[1, 2]], columns=["twice", "twice"]),
        pd.DataFrame(index=pd.RangeIndex(3)),
        pd.DataFrame({"text": pd.Series(["a"], dtype=object)}),
    ]
    for case in cases:
        pd.testing.assert_frame_equal(unpack(pack(case)), case, check_exact=True)
    pd.testing.assert_series_equal(unpack(pack(table["masked"])), table["masked"])
    pd.testing.assert_index_equal(unpack(pack(table.index)), table.index)


def test_the_same_result_has_the_same_bytes() -> None:
    assert pack(icc_interval(0.8, n_targets=20, k=3)) == pack(icc_interval(0.8, n_targets=20, k=3))


# --- files of unknown origin ------------------------------------------------------------------


def altered(change: dict[str, Any], data: bytes = b"") -> bytes:
    """Return a saved result with something else in it."""
    with zipfile.ZipFile(io.BytesIO(pack([]))) as archive:
        head = json.loads(archive.read("result.json"))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("result.json", json.dumps(head | change))
        archive.writestr("arrays", data)
    return out.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        {"object": ["system", 0, {}]},
        {"object": ["os:system", 0, {}]},
        # It would call what lies at an address.
        {"object": ["CompiledStatistic", 0, {"address": 1, "owner": None, "n_values": 1}]},
        # It would unpickle.
        {"object": ["UserFunction", 0, {"name": "f", "pickled": {"bytes": "gASVAAAA"}}]},
        {"named": ["OrderedDict", []]},
        {"reduce": []},
        {"same": 3},
        {"array": 0},
        {"float": "one"},
        {"a": 1, "b": 2},
    ],
)
def test_a_file_can_hold_nothing_else(value: Any) -> None:
    with pytest.raises(SavedResultError):
        unpack(altered({"value": value}))


def test_an_array_is_of_numbers_within_the_file() -> None:
    for layout in (["|O", [1], "C", 0], ["<f8", [2], "C", 0], ["<f8", [1], "C", 64]):
        with pytest.raises(SavedResultError):
            unpack(altered({"arrays": [layout], "value": {"array": 0}}, data=b"\0" * 8))


def test_a_function_in_a_file_is_a_name() -> None:
    found = unpack(pack([len]))[0]
    assert isinstance(found, UserFunction)
    with pytest.raises(SavedResultError, match=r"does not contain your function 'len'; pass"):
        found([])
    # Nor does it become more when it is saved again, out of a pickle.
    again = unpack(pack([UserFunction("len", pickle.dumps(len))]))[0]
    assert again.pickled is None


def test_a_function_that_is_not_defined_here_is_reported() -> None:
    missing = UserFunction("gone", b"cno_such_module\ngone\n.")
    with pytest.raises(SavedResultError, match=r"'gone' is not defined in this session \("):
        missing(1)


def test_only_classes_of_the_list_are_written() -> None:
    with pytest.raises(SavedResultError, match="a result that holds a UserWarning"):
        pack(UserWarning())
    for names in _MODULES.values():
        for name in names:
            assert name_of(class_of(name)) == name


def test_another_version_is_reported() -> None:
    made = {"versions": {"pyexpr-stats": "9.1"}}
    with pytest.raises(SavedResultError, match=r"the result was saved by pyexpr 9\.1, and results"):
        unpack(altered({"format": 2} | made))
    parts = {"value": {"object": ["ICCInterval", 0, {"new_part": 1}]}} | made
    with pytest.raises(SavedResultError, match=r"saved by pyexpr 9\.1, .*new_part.*load it with"):
        unpack(altered(parts))
    # With the same parts it works.
    assert unpack(altered({"value": [1]} | made)) == [1]


def test_damage_is_reported(tmp_path: Path) -> None:
    raw = bytearray(pack(np.arange(100.0)))
    raw[len(raw) // 2] ^= 1
    for damaged in (bytes(raw), bytes(raw)[:50], b"", b"not a zip file"):
        with pytest.raises(SavedResultError, match="is not a saved result, or is damaged"):
            unpack(damaged)
    path = tmp_path / "numbers.csv"
    path.write_text("a,b\n")
    with pytest.raises(SavedResultError, match=r"the file '.*numbers\.csv' is not a saved result"):
        saved.load(path)


def test_a_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    result, path = icc_interval(0.8, n_targets=20, k=3), tmp_path / "icc.pyexpr"
    result.save(path)
    with pytest.raises(OutputError, match="there already"):
        result.save(path)
    result.save(str(path), overwrite=True)
    assert str(saved.load(path)) == str(result)
