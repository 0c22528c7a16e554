"""R's interface without R: requests and answers as bytes, tables of every type, errors as data."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pyexpr import _core
from pyexpr.base.errors import ColumnError, DataError, EngineError, PyexprWarning
from pyexpr.base.results import Result
from pyexpr.hosted import callback, interface, results, verbs
from pyexpr.hosted.interrupts import quieten_handler
from pyexpr.hosted.tables import from_frame, to_frame
from pyexpr.hosted.values import to_python, to_r
from pyexpr.measurement.engines import wire


def node(value: Any) -> dict[str, Any] | None:
    """Return an argument as R sends it."""
    if value is None or (isinstance(value, dict) and "kind" in value):
        return value
    if isinstance(value, dict):
        return {"kind": "dict", "names": [*value], "items": [node(v) for v in value.values()]}
    if isinstance(value, list):
        return {"kind": "many", "value": value}
    return {"kind": "scalar", "value": value}


def ask(verb: str, released: list[int] | None = None, **arguments: Any) -> dict[str, Any]:
    """Send a request and return the whole answer."""
    request = {
        "verb": verb,
        "arguments": node(arguments),
        "released": np.array(released or [], dtype=float),
    }
    answer = interface.answer(bytearray(wire.encode(request)))
    assert isinstance(answer, bytearray)
    found = wire.decode(bytes(answer))
    assert isinstance(found, dict)
    return found


def crossed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame as it comes back from R, which sends tables as it gets them."""
    return to_frame(wire.decode(wire.encode(from_frame(frame))))


FRAME = pd.DataFrame(
    {
        "d": [1.5, np.nan, -0.0],
        "i": pd.array([1, None, 3], dtype="Int32"),
        "j": np.array([1, 2, 3], dtype=np.int32),
        "w": pd.array([2**60, None, 3], dtype="Int64"),
        "l": pd.array([True, None, False], dtype="boolean"),
        "s": ["a", None, "é"],
        "f": pd.Categorical(["b", None, "a"], ["b", "unused", "a"]),
        "o": pd.Categorical(["b", None, "a"], ["b", "a"], ordered=True),
        "day": pd.to_datetime(["2020-02-29", None, "1969-12-31"]).astype("datetime64[s]"),
        "t": pd.to_datetime(["2020-02-29 12:00:00.25", None, "1969-12-31 00:00:00.0"]).tz_localize(
            "Europe/Berlin"
        ),
    }
)


def test_every_type_of_column_crosses() -> None:
    back = crossed(FRAME)
    assert list(back.columns) == list(FRAME.columns)
    for name in FRAME.columns:
        expected = FRAME[name]
        if name == "t":
            expected = expected.astype("datetime64[ns, Europe/Berlin]")
        pd.testing.assert_series_equal(back[name], expected)
    assert back["d"].to_numpy().tobytes() == FRAME["d"].to_numpy().tobytes()


def test_empty_frames_and_doubled_names_cross() -> None:
    assert crossed(FRAME.iloc[:0]).shape == (0, len(FRAME.columns))
    assert crossed(pd.DataFrame(index=range(3))).shape == (3, 0)
    twice = pd.DataFrame([[1.0, 2.0]], columns=["a", "a"])
    assert list(crossed(twice).columns) == ["a", "a"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "integer"), ([2**40, 1], "double"), ([2**60, 1], "integer64"),
        ([None, None], "logical"), ([True, None], "logical"), ([1, None, 2.5], "double"),
        (["a", 1], "character"),
    ],
)  # fmt: skip
def test_what_columns_become_in_r(values: list[Any], kind: str) -> None:
    column = (
        pd.Series(values) if kind.startswith(("int", "dou")) else pd.Series(values, dtype=object)
    )
    assert from_frame(column.to_frame("x"))["columns"][0]["type"] == kind


def test_what_cannot_be_a_column_of_r_is_refused() -> None:
    with pytest.raises(ColumnError, match="column 'x' holds lists"):
        from_frame(pd.DataFrame({"x": [[1], [2]]}))
    with pytest.raises(ColumnError, match="type timedelta64"):
        from_frame(pd.DataFrame({"x": pd.to_timedelta([1])}))
    with pytest.raises(ColumnError, match=r"beyond 2\^63"):
        from_frame(pd.DataFrame({"x": np.array([2**63], dtype=np.uint64)}))


def test_dates_and_zones_that_python_lacks_are_refused() -> None:
    def frame(**column: Any) -> pd.DataFrame:
        return to_frame(wire.decode(wire.encode({"n": 1, "names": ["x"], "columns": [column]})))

    half = np.array([0.5]).tobytes()
    with pytest.raises(ColumnError, match="must hold whole dates, but row 1"):
        frame(type="Date", data=half)
    with pytest.raises(ColumnError, match="times from 1678 to 2261"):
        frame(type="POSIXct", data=np.array([1e12]).tobytes(), tz="UTC")
    with pytest.raises(ColumnError, match="time zone 'Mars/Olympus'"):
        frame(type="POSIXct", data=half, tz="Mars/Olympus")


def test_arguments_and_values() -> None:
    decoded = wire.decode(wire.encode(node({"n": 2000.0, "x": 0.5, "many": ["a"], "none": None})))
    assert to_python(decoded) == {"n": 2000, "x": 0.5, "many": ["a"], "none": None}
    assert type(to_python(decoded)["n"]) is int
    wide = {"kind": ["scalar"], "value": np.array([2**63 - 1]).tobytes()}
    assert to_python(wide) == 2**63 - 1
    assert to_r(2**40) == float(2**40)
    assert to_r(np.bool_(True)) is True
    assert to_r(np.arange(6.0).reshape(2, 3))["dim"] == [2, 3]
    with pytest.raises(DataError, match="unknown kind 'socks'"):
        to_python({"kind": ["socks"]})


def test_errors_are_data_with_classes_and_a_traceback() -> None:
    error = ask("icc_interval", icc=1.2, n_targets=20, k=3)["error"]
    assert error["classes"] == ["pyexpr_data_error", "pyexpr_error"]
    assert error["message"] == ["a published ICC(1,k) must be below 1, not 1.2"]
    assert "Traceback" in error["traceback"][0]
    other = ask("icc_interval", wrong=1)["error"]
    assert other["classes"] == ["pyexpr_type_error"]
    assert other["message"][0].startswith("TypeError: ")


def test_warnings_are_data_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    def warns() -> None:
        for _ in range(2):
            warnings.warn("look here", PyexprWarning, stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    monkeypatch.setattr(verbs, "do_warns", warns, raising=False)
    message = list(ask("warns")["warnings"].values())
    assert [item["message"] for item in message] == [["look here"]]
    assert message[0]["classes"] == ["pyexpr_warning"]


def test_na_of_r_is_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    # R's NA: a signalling NaN, which is invalid to the processor in the first sum.
    na = np.array([0x7FF00000000007A2], dtype=np.uint64).view(np.float64)
    monkeypatch.setattr(verbs, "do_half", lambda: bool(np.isnan(na / 2)[0]), raising=False)
    answer = ask("half")
    assert answer["value"][0]
    assert not answer["warnings"]


def test_an_interrupt_is_returned_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "do_stopped", stopped, raising=False)
    assert ask("stopped")["interrupted"] == [True]


def test_without_the_flag_of_r_the_signal_handler_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rpytools.signals", raising=False)
    assert not quieten_handler()
    signals = ModuleType("rpytools.signals")
    monkeypatch.setitem(sys.modules, "rpytools.signals", signals)
    # Another reticulate, and then a process without R, whatever other tests have loaded here.
    assert not quieten_handler()
    library = ctypes.CDLL(_core.__file__)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    signals._callback = theirs = lambda reset: False  # type: ignore[attr-defined]
    assert not quieten_handler()
    assert signals._callback is theirs


def test_r_is_interrupted_by_its_flag_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    signals = ModuleType("rpytools.signals")
    signals._callback = lambda reset: False  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "rpytools.signals", signals)
    flag = ctypes.c_int(1)
    found = SimpleNamespace(in_dll=lambda library, name: flag)
    monkeypatch.setattr("pyexpr.hosted.interrupts.ctypes.c_int", found)
    assert quieten_handler()
    assert signals._callback(False)
    assert flag.value == 1
    signals._callback(True)
    assert flag.value == 0
    assert not signals._callback(False)


def test_results_are_kept_until_released() -> None:
    answer = ask("icc_interval", icc=0.8, n_targets=20, k=3)
    key = int(answer["value"]["items"]["1"][0])
    assert isinstance(results.kept(key), Result)
    ask("versions", released=[key])
    with pytest.raises(DataError, match="was forgotten; compute it again"):
        results.kept(key)
    assert "was forgotten" in ask("method", key=key, name="interval")["error"]["message"][0]


def test_a_result_of_another_session_is_made_again_from_its_bytes() -> None:
    answer = ask("icc_interval", icc=0.8, n_targets=20, k=3)["value"]
    kept = dict(zip(answer["names"], answer["items"].values(), strict=True))
    assert isinstance(kept["saved"], bytes)
    key = ask("revive", saved={"kind": "raw", "value": kept["saved"]})["value"][0]
    assert str(results.kept(key)) == str(results.kept(int(kept["key"][0])))
    error = ask("revive", saved={"kind": "raw", "value": b"PK"})["error"]
    assert error["classes"][0] == "pyexpr_saved_result_error"


def test_a_result_with_a_function_of_r_gets_the_one_of_this_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called = []

    def caller(raw: bytearray) -> bytes:
        request = wire.decode(bytes(raw))
        called.append(request["function"][0])
        value = np.array([np.sum(request["arguments"]["weights"])])
        return wire.encode({"status": "ok", "value": value, "names": ["sum"]})

    monkeypatch.setattr(callback, "_caller", caller)
    frame = pd.DataFrame({"subject": np.repeat(np.arange(25), 2), "unused": 0.5})
    answer = verbs.do_cluster_bootstrap(frame, 3, cluster="subject", n_boot=5)
    # R has the rows; here they are not kept, nor saved.
    assert results.kept(answer["key"]).draws.rows.shape == (50, 0)
    again = results.kept(verbs.do_revive(answer["saved"], function=8))
    assert set(called) == {3}
    assert again.extend(2).n_boot == 7
    assert called[-2:] == [8, 8]


def test_only_methods_that_are_listed_can_be_called() -> None:
    answer = ask("icc_interval", icc=0.8, n_targets=20, k=3)
    key = int(answer["value"]["items"]["1"][0])
    assert "R may ask" in ask("method", key=key, name="__class__")["error"]["message"][0]


@pytest.fixture
def caller() -> Iterator[list[dict[str, Any]]]:
    """Answers that "R" gives, in turn."""
    answers: list[dict[str, Any]] = []
    callback.register_caller(lambda _: wire.encode(answers.pop(0)))
    yield answers
    callback._caller = None


def test_functions_of_r(caller: list[dict[str, Any]]) -> None:
    caller += [
        {"status": "ok", "value": np.array([1.5]), "names": None},
        {"status": "ok", "value": np.array([1.5, np.nan]), "names": ["a", "b"]},
        {"status": "error"},
        {"status": "interrupted"},
    ]
    assert callback.call_r(1, weights=np.ones(2)) == 1.5
    named = callback.call_r(1)
    assert named["a"] == 1.5
    assert np.isnan(named["b"])
    with pytest.raises(callback.FunctionError):
        callback.call_r(1)
    with pytest.raises(KeyboardInterrupt):
        callback.call_r(1)


def test_without_r_there_is_a_sentence() -> None:
    with pytest.raises(EngineError, match="no R has handed over"):
        callback.call_r(1)
