"""The engines: what reaches R, what is restored, and the errors if something is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parity import hosted

from pyexpr.base.errors import EngineError, RError
from pyexpr.measurement.engines import choice, host_engine, rpy2_engine, rscript_engine, wire
from pyexpr.measurement.engines.protocol import Answer, FitRequest, fitted
from pyexpr.measurement.model_syntax import parse_model

ROOT = Path(__file__).parents[2]
ASK = {"rpy2": rpy2_engine.ask, "rscript": rscript_engine.ask}

DATA = (
    "import numpy as np; rng = np.random.default_rng(3); f = rng.normal(size=80); "
    "data = {n: f + rng.normal(size=80) for n in 'abc'}; model = {'f': ['a', 'b', 'c']}; "
    "from pyexpr.measurement.factor.cfa import cfa; "
)


def child(code: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh Python; None removes a variable."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name, value in environment.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False
    )


def printed(code: str, **environment: str | None) -> str:
    done = child(code, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


VALUES = {
    "doubles": np.array([1.5, np.nan, np.pi, 1e-310, -0.0, np.inf, 0.1 + 0.2]),
    "one": np.array([2.0]),
    "none": np.array([]),
    "integers": [1, None, -(2**31) + 1, 2**31 - 1],
    "logicals": [True, None, False],
    "strings": ["a", None, "NA", "résponse 1", "a;b", "", "`if`", "\\n\"'"],
    "nothing": None,
    "nested": {"list": [[1, 2], ["x"]], "é": {"deep": [None, "y"]}},
}


def assert_same(found: object, wanted: object) -> None:
    if isinstance(wanted, np.ndarray):
        assert isinstance(found, np.ndarray)
        assert found.tobytes() == wanted.tobytes()
    elif isinstance(wanted, dict):
        assert isinstance(found, dict)
        assert list(found) == list(wanted)
        for name in wanted:
            assert_same(found[name], wanted[name])
    else:
        assert found == wanted


@pytest.mark.parametrize("engine", ASK)
def test_values_cross_bit_for_bit_with_na_of_every_type(engine: str) -> None:
    answer = ASK[engine]({"task": "echo", "value": VALUES})
    assert_same(answer.value, VALUES)
    assert {"R", "lavaan"} <= set(answer.versions)


def test_r_sees_na_of_every_type() -> None:
    """Judged by R itself, not by the way back."""
    raw = wire.encode({"d": np.array([np.nan, 1.0]), "i": [None, 1], "l": [None, True],
                       "s": [None, "NA"]})  # fmt: skip
    code = (
        "x <- unserialize(readBin(file('stdin', 'rb'), 'raw', 1e6)); "
        "cat(sapply(x, typeof), sapply(x, function(v) is.na(v)), is.nan(x$d[1]))"
    )
    done = subprocess.run(["Rscript", "-e", code], input=raw, capture_output=True, check=True)
    types = "double integer logical character"
    assert done.stdout.decode() == f"{types} TRUE FALSE TRUE FALSE TRUE FALSE TRUE FALSE FALSE"


def test_what_cannot_be_an_r_vector_is_refused() -> None:
    with pytest.raises(EngineError, match=r"beyond 2\^31"):
        wire.encode([2**31])
    with pytest.raises(EngineError, match="cannot be one R vector: int, str"):
        wire.encode([1, "a"])


@pytest.mark.parametrize("engine", ASK)
def test_errors_and_warnings_of_r_arrive_as_data(engine: str, capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(RError, match=r"asked to fail.*a warning first"):
        ASK[engine]({"task": "fail"})
    assert capfd.readouterr() == ("", "")


def test_errors_of_lavaan_speak_of_the_users_columns() -> None:
    model = parse_model({"mood": ["smile", "nod", "v1"]})
    request = FitRequest(model, np.eye(4, 3), None)

    def ask(payload: dict[str, Any]) -> Answer:
        assert list(payload["columns"]) == ["v1", "v2", "v3"]
        raise RError("lavaan ERROR: v2 of f1 has no variance; v3 and v9 have")

    with pytest.raises(RError, match=r"^lavaan ERROR: nod of mood .*; v1 and v9 have$"):
        fitted(request, ask)


def test_starting_r_leaves_the_process_as_it_was() -> None:
    code = DATA + (
        "import os, locale, signal; "
        "places = [locale.LC_COLLATE, locale.LC_CTYPE, locale.LC_NUMERIC, locale.LC_TIME, "
        "locale.LC_MONETARY, locale.LC_MESSAGES]; "
        "before = dict(os.environ), [locale.setlocale(p) for p in places], "
        "signal.getsignal(signal.SIGINT); "
        "fit = cfa(data, model, engine='rpy2'); "
        "after = dict(os.environ), [locale.setlocale(p) for p in places], "
        "signal.getsignal(signal.SIGINT); "
        "from rpy2.rinterface_lib import callbacks as c; "
        "new = [k for k in after[0] if k not in before[0]]; "
        "print(all(after[0].get(k) == v for k, v in before[0].items()), "
        "'LD_LIBRARY_PATH' in new, all(k.startswith('R_') or k == 'PYTHON_SESSION_INITIALIZED' "
        "for k in new), before[1:] == after[1:], c.consolewrite_print.__module__, "
        "c.consolewrite_warnerror.__module__, c.consoleread.__module__)"
    )
    ours = "rpy2.rinterface_lib.callbacks"
    for path in (None, "/somewhere"):
        found = printed(code, LD_LIBRARY_PATH=path, LC_ALL=None, LANG="C.UTF-8")
        assert found == f"True False True True {ours} {ours} {ours}"


def test_r_globals_are_left_alone() -> None:
    code = DATA + (
        "cfa(data, model, engine='rpy2'); import rpy2.rinterface as r; "
        "print(len(r.evalr('ls(globalenv(), all.names = TRUE)')), "
        "'package:lavaan' in list(r.evalr('search()')))"
    )
    assert printed(code) == "0 False"


def test_the_random_numbers_of_r_go_on_as_if_lavaan_drew_none() -> None:
    # Some versions of lavaan draw when they fit; here the request itself draws.
    code = (
        "from pyexpr.measurement.engines import rpy2_engine as e; "
        "e.ask({'task': 'versions'}); import rpy2.rinterface as r; "
        "bridge = e._session.answer.closureenv; r.globalenv['bridge'] = bridge; "
        "draws = 'function() { stats::runif(1); list(R = \"\") }'; "
        "r.evalr(f'evalq(pyexpr_versions <- {draws}, bridge)'); "
        "e.ask({'task': 'versions'}); "
        "print(r.evalr('exists(\".Random.seed\", globalenv(), inherits = FALSE)')[0]); "
        "r.evalr('set.seed(1)'); e.ask({'task': 'versions'}); "
        "print(r.evalr('x <- stats::runif(1); set.seed(1); identical(x, stats::runif(1))')[0])"
    )
    assert printed(code).split() == ["False", "True"]


def test_rpy2_is_imported_only_when_used() -> None:
    code = DATA + "import sys; cfa(data, model, engine='native'); print('rpy2' in sys.modules)"
    assert printed(code) == "False"


DEEP = """
import threading
from pyexpr.base.errors import EngineError
from pyexpr.measurement.engines import rpy2_engine as e

known = e.ask({"task": "versions"})
r = e._session.rinterface
# Twice: the second time R compiles the function, deep down, with R code.
deep = r.evalr("function(raw) { f <- function(n) if (n == 0) 0 else 1 + f(n - 1); f(1e5) }")
bridge, e._session = e._session, e._Session(r, deep)
def work():
    for _ in range(2):
        try:
            e.ask({"task": "versions"})
        except EngineError as error:
            print("too close to the limit" in str(error) or "nested too deeply" in str(error))
work()
thread = threading.Thread(target=work)
thread.start()
thread.join()
e._session = bridge
print(e.ask({"task": "versions"}) == known)
"""


def test_a_recursion_too_deep_for_the_stack_is_an_error_in_any_thread() -> None:
    assert printed(DEEP).split() == ["True"] * 5


@pytest.mark.parametrize("first", ["main", "another"])
def test_eight_threads_fit_alike_whichever_started_r(first: str) -> None:
    code = DATA + (
        "import threading, sys\nfound = []\n"
        "def work():\n"
        "    for engine in ('auto', 'rpy2'):\n"
        "        fit = cfa(data, model, engine=engine)\n"
        "        found.append((fit.engine, fit.tidy().to_csv()))\n"
        "if sys.argv[1:] == ['main']: work()\n"
        "threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "work(); print(len(found), *{engine for engine, _ in found}, len(set(found)))"
    )
    code = f"import sys; sys.argv[1:] = [{first!r}]; " + code
    assert printed(code) == f"{20 if first == 'main' else 18} rpy2 1"


@pytest.mark.parametrize("profile", ['stop("no")', "quit()"])
def test_the_profile_of_the_user_is_not_read(profile: str, tmp_path: Path) -> None:
    (tmp_path / ".Rprofile").write_text(profile + "\n")
    code = DATA + (
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "found = [cfa(data, model, engine=engine) for engine in ('rpy2', 'auto', 'rscript')]\n"
        "print(*[fit.engine for fit in found], len({fit.tidy().to_csv() for fit in found}),\n"
        "      'R_PROFILE_USER' in os.environ)"
    )
    done = child(code, HOME=str(tmp_path))
    assert done.stdout.strip() == "rpy2 rpy2 rscript 1 False", done.stderr
    assert done.stderr == ""


# The engine, by which variable R is told of the file, what the file says, and what R then says.
STOPPED_BY = [
    ("rscript", "R_PROFILE", 'stop("no")', "Error: no"),
    ("rpy2", "R_PROFILE", "quit()", "nothing"),
    ("auto", "R_ENVIRON", "R_MAX_NUM_DLLS=5", "Fatal error: R_MAX_NUM_DLLS must be at least"),
    ("rpy2", "R_ENVIRON_USER", "R_HOME=/nowhere", "Error in gzfile"),
]
CALLED = {
    "R_PROFILE": "the site's profile",
    "R_ENVIRON": "the site's file of environment variables",
    "R_ENVIRON_USER": "the user's file of environment variables",
}


@pytest.mark.parametrize(("engine", "variable", "text", "r_printed"), STOPPED_BY)
def test_the_file_that_ends_r_at_once_is_named(
    engine: str, variable: str, text: str, r_printed: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text(text + "\n")
    found = printed(failure(engine), **{variable: str(file)})
    assert f"Error R stops as soon as it starts, with the message: {r_printed}" in found
    assert f"; it runs without {CALLED[variable]} {str(file)!r}: correct that file, or " in found
    assert found.endswith(f"or start Python with {variable}=/dev/null")
    assert "apt-get" not in found


def test_files_that_end_r_each_by_itself_are_named_together(tmp_path: Path) -> None:
    (tmp_path / ".Renviron").write_text("R_MAX_NUM_DLLS=5\n")
    profile = tmp_path / "Rprofile.site"
    profile.write_text("quit()\n")
    code = f"import os; os.chdir({str(tmp_path)!r})\n" + failure("rscript")
    found = printed(code, R_PROFILE=str(profile), R_ENVIRON=os.devnull, R_ENVIRON_USER=None)
    assert f"{str(profile)!r} and the user's file of environment variables '" in found
    assert f"{str(tmp_path / '.Renviron')!r}: correct these files" in found
    assert found.endswith("start Python with R_PROFILE=/dev/null and R_ENVIRON_USER=/dev/null")


def test_an_r_that_no_file_ends_blames_none(tmp_path: Path) -> None:
    broken = tmp_path / "Rscript"
    broken.write_text("#!/bin/sh\necho broken beyond repair >&2\nexit 3\n")
    broken.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    found = printed(failure("rscript"), PATH=path)
    assert (
        found == "EngineError R stops as soon as it starts, with the message: broken beyond repair"
    )


# rpy2 asks an R for its environment with a function of one of these packages.
def test_r_starts_with_few_packages_of_its_own() -> None:
    code = DATA + "import os; fit = cfa(data, model); print(fit.engine, os.environ[name])"
    found = printed("name = 'R_DEFAULT_PACKAGES'; " + code, R_DEFAULT_PACKAGES="NULL")
    assert found == "rpy2 NULL"


@pytest.mark.parametrize(
    ("engine", "variable", "text"),
    [("rscript", "R_PROFILE", "assign('.lib.loc', .Library, environment(.libPaths))"),
     # An R that starts in this process leaves there what the file says.
     ("rpy2", "R_ENVIRON", "R_LIBS_SITE=/nowhere\nR_LIBS_USER=/nowhere")],
)  # fmt: skip
def test_the_file_that_hides_lavaan_is_named(
    engine: str, variable: str, text: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text(text + "\n")
    found = printed(failure(engine), **{variable: str(file)})
    assert found.startswith("LavaanNotFoundError R 4.")
    assert f"does not find its package lavaan, but finds it without {CALLED[variable]}" in found
    assert f"{str(file)!r}: correct that file, or start Python with {variable}=/dev/null" in found
    assert "apt-get" not in found


def test_the_library_of_an_unread_profile_is_mentioned(
    r_without_lavaan: dict[str, str], tmp_path: Path
) -> None:
    user = tmp_path / "profile"
    user.write_text(".libPaths('mine')\n")
    found = printed(failure("rscript"), R_PROFILE_USER=str(user), **r_without_lavaan)
    assert f"R was started without {str(user)!r}" in found
    assert "R_LIBS" in found


def test_a_forked_process_gets_a_sentence() -> None:
    code = DATA + (
        "import os, sys; cfa(data, model, engine='rpy2')\n"
        "if os.fork() == 0:\n"
        "    try:\n        cfa(data, model, engine='rpy2')\n"
        "    except Exception as error:\n        print(type(error).__name__, error)\n"
        "    sys.stdout.flush(); os._exit(0)\n"
        "os.wait()"
    )
    assert printed(code).startswith("EngineError this process was forked after R had started")


def test_a_spawned_worker_can_fit(tmp_path: Path) -> None:
    script = tmp_path / "work.py"
    script.write_text(
        DATA.replace("; ", "\n") + "\nimport multiprocessing as mp\n"
        "def work(seed):\n"
        "    return cfa(data, model, engine='rpy2').tidy()['estimate'].iloc[0]\n"
        "if __name__ == '__main__':\n"
        "    here = work(0)\n"
        "    with mp.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(work, [1, 2]) == [here, here])\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.strip() == "True", done.stderr


def failure(engine: str) -> str:
    return DATA + (
        f"\ntry:\n    cfa(data, model, engine={engine!r})\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )


@pytest.mark.parametrize("engine", ["rpy2", "rscript"])
def test_r_missing(engine: str) -> None:
    found = printed(failure(engine), PATH="/nowhere", R_HOME=None)
    assert found.startswith("RNotFoundError R was not found")
    assert "apt-get install --no-install-recommends r-base-core r-base-dev r-cran-lavaan" in found
    assert "RPY2_CFFI_MODE=API python -m pip install --no-cache-dir rpy2-rinterface==3.6." in found


def test_rpy2_missing() -> None:
    # A Python path on which rpy2 cannot be found: its folders are hidden from the finder.
    code = (
        "import sys\nclass Hide:\n    def find_spec(self, name, path=None, target=None):\n"
        "        return None\n"
        "import importlib.machinery as m\nfind = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = classmethod(lambda cls, name, path=None, target=None: "
        "None if name.split('.')[0] == 'rpy2' else find(name, path, target))\n"
    )
    found = printed(code + failure("rpy2"))
    assert found.startswith("RNotFoundError the Python package rpy2-rinterface")
    assert printed(code + DATA + "\nprint(cfa(data, model).engine)") == "rscript"


@pytest.fixture
def r_without_lavaan() -> dict[str, str]:
    """An R that sees its own packages only."""
    base = subprocess.run(["Rscript", "-e", "cat(.Library)"], capture_output=True, text=True,
                          check=True).stdout.strip()  # fmt: skip
    assert not (Path(base) / "lavaan").exists()
    return dict.fromkeys(("R_LIBS", "R_LIBS_SITE", "R_LIBS_USER"), "/nowhere")


@pytest.mark.parametrize("engine", ["rpy2", "rscript"])
def test_lavaan_missing(engine: str, r_without_lavaan: dict[str, str]) -> None:
    found = printed(failure(engine), **r_without_lavaan)
    assert found.startswith("LavaanNotFoundError R 4.")
    assert "apt-get install --no-install-recommends r-cran-lavaan" in found


def test_auto_falls_back_to_native_and_says_why(r_without_lavaan: dict[str, str]) -> None:
    code = DATA + "fit = cfa(data, model); print(fit.engine, fit.messages)"
    found = printed(code, PATH="/nowhere", R_HOME=None)
    assert found.startswith("native (")
    assert "fitted by the native engine, because R was not found" in found
    assert "does not have its package lavaan" in printed(code, **r_without_lavaan)
    several = DATA.replace("{'f': ['a', 'b', 'c']}", "'f =~ a + b; g =~ b + c'")
    code = several + (
        "\ntry:\n    cfa(data, model)\nexcept Exception as error:\n    print(type(error).__name__)"
    )
    assert printed(code, PATH="/nowhere", R_HOME=None) == "RNotFoundError"


def test_auto_prefers_r_in_this_process() -> None:
    assert printed(DATA + "print(cfa(data, model).engine)") == "rpy2"


def test_hosted_python_never_imports_rpy2() -> None:
    code = (
        "import os; os.environ['R_SESSION_INITIALIZED'] = f'PID={os.getpid()}:NAME=\"R\"'; "
        + DATA
        + "import sys; fit = cfa(data, model); print(fit.engine, 'rpy2' in sys.modules)\n"
        "try:\n    cfa(data, model, engine='rpy2')\nexcept Exception as error:\n    print(error)"
    )
    first, second = printed(code).splitlines()
    assert first == "rscript False"
    assert "runs inside R" in second
    # A child of such a process inherits the variable, but is not hosted itself.
    inherited = DATA + "print(cfa(data, model).engine)"
    assert printed(inherited, R_SESSION_INITIALIZED='PID=1:NAME="R"') == "rpy2"


def test_host_engine_without_a_host() -> None:
    assert not host_engine.registered()
    with pytest.raises(EngineError, match="no hosting R"):
        host_engine.ask({})
    with pytest.raises(EngineError, match="must register a function"):
        host_engine.register(3)  # type: ignore[arg-type]


def fit_inside_a_real_r() -> None:
    """R, reticulate, this Python, and lavaan in that R, with R's garbage collected between."""
    python = Path(sys.executable)
    packages = sysconfig.get_path("purelib")
    code = f"""
        library(reticulate)
        use_python("{python}", required = TRUE)
        # As the R package does: reticulate's Python need not have read the .pth files.
        py_run_string("import site; site.addsitedir('{packages}')")
        host <- import("pyexpr.measurement.engines.host_engine")
        bridge <- new.env(parent = baseenv())
        eval(parse(text = host$bridge_text()), bridge)
        host$register(r_to_py(bridge$pyexpr_answer, convert = TRUE))
        py_run_string("{DATA}")
        for (turn in 1:5) {{
            py_run_string("fit = cfa(data, model); other = cfa(data, model, engine='native')")
            invisible(gc())
        }}
        py_run_string("
import sys
same = abs(fit.tidy().estimate - other.tidy().estimate).max() < 1e-7
print(fit.engine, same, 'rpy2' in sys.modules, flush=True)
from pyexpr.measurement.engines import host_engine
import numpy as np
values = dict(d=np.array([0.1, np.nan]), one=[7], s=['NA', None], l=[None, True], i=[None, 3])
back = host_engine.ask(dict(task='echo', value=values)).value
exact = back['d'].tobytes() == values['d'].tobytes()
print(exact, all(back[k] == values[k] for k in 'one s l i'.split()), flush=True)
try:
    host_engine.ask(dict(task='fail'))
except Exception as error:
    print(type(error).__name__, error, flush=True)
")
    """
    env = {**os.environ, "RETICULATE_PYTHON": str(python), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, env=env,
                          check=False)  # fmt: skip
    lines = done.stdout.split("\n")
    assert done.returncode == 0, done.stderr
    assert lines[0] == "host True False"
    assert lines[1] == "True True"
    assert lines[2].startswith("RError asked to fail")


def nothing_changes_and_threads_are_refused() -> None:
    assert hosted.result("state after") == hosted.result("state before")
    assert "can be called only from the thread" in hosted.result("second thread")
    assert hosted.result("rpy2 was imported") is False
    assert hosted.result("reticulate")


# reticulate 1.28, Debian 12's, cannot start Python 3.13; Debian 12's own Python is 3.11.
if hosted.POSSIBLE:
    test_host_engine_inside_a_real_r = fit_inside_a_real_r
    test_a_hosted_python_is_left_as_it_was = nothing_changes_and_threads_are_refused


def test_the_hosting_r_is_used_only_where_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_engine, "_answer", None)
    monkeypatch.setattr(host_engine, "_home", (0, 0))
    host_engine.register(lambda raw: raw)
    assert choice.r_engines() == ["host"]
    caught: list[object] = []

    def work() -> None:
        with pytest.raises(EngineError, match="from the thread and the process") as error:
            host_engine.ask({})
        caught.extend([error, choice.r_engines()[-1]])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert caught[1:] == ["rscript"]


def test_versions_of_the_r_that_would_fit() -> None:
    assert set(choice.r_versions()) == {"R", "lavaan"}
    code = "from pyexpr.measurement.engines.choice import r_versions; print(r_versions())"
    assert printed(code, PATH="/nowhere", R_HOME=None) == "{}"


def test_bridge_is_in_the_package() -> None:
    from importlib.resources import files

    from pyexpr.measurement.engines.protocol import bridge_text

    assert files("pyexpr.measurement.engines").joinpath("bridge.R").is_file()
    assert "pyexpr_answer" in bridge_text()
    assert shutil.which("Rscript") is not None
