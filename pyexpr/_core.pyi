"""Typed stub of the extension."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# kinematics

class Velocity:
    abs_derivative: Velocity
    derivative: Velocity
    speed: Velocity

def landmark_motion(
    landmarks: NDArray[np.float64] | NDArray[np.float32],
    rate: float,
    reading: Velocity,
    period: float,
) -> tuple[
    tuple[float, float, int, int],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.int64],
]: ...

# clip_features
def bin_points(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    expected: NDArray[np.int64],
    end: int,
    decimate: bool,
    angles: bool,
) -> NDArray[np.float64]: ...
def binned_motion(
    points: NDArray[np.float64],
    first: NDArray[np.int64],
    expected: NDArray[np.int64],
    end: int,
    decimate: bool,
    angles: bool,
    rate: float,
    reading: Velocity,
) -> tuple[float, float, int, int]: ...
def unit_activity(
    valid: NDArray[np.bool_],
    presence: NDArray[np.float64],
    intensity: NDArray[np.float64],
    columns: NDArray[np.int64],
) -> tuple[int, int, int, float, list[int]]: ...
def count_frames(
    present: NDArray[np.bool_], valid: NDArray[np.bool_], confidence: NDArray[np.float64]
) -> tuple[int, int, int, int, float]: ...

# frame_grid
def blank_rows(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> int: ...
def point_middles(points: NDArray[np.float64]) -> NDArray[np.float64]: ...
def fastest_step(
    places: NDArray[np.float64], seconds: NDArray[np.float64], least: float, circle: float
) -> float: ...

# icc
_OneWay = tuple[int, int, int, float, float, float, float, float, NDArray[np.float64]]
_TwoWay = tuple[int, int, float, float, float, float, float]

def icc_matrix_squares(
    values: NDArray[np.float64],
) -> tuple[_OneWay, _TwoWay | None]: ...
def icc_long_squares(
    values: NDArray[np.float64], targets: NDArray[np.int64], n_targets: int
) -> _OneWay: ...
def icc_fill_cells(
    values: NDArray[np.float64],
    targets: NDArray[np.int64],
    raters: NDArray[np.int64],
    n_targets: int,
    n_raters: int,
) -> tuple[NDArray[np.float64], int]: ...
def icc_wald_limit(sizes: NDArray[np.float64], ms_within: float, quantile: float) -> float: ...

# interrupts
def hold_interrupts(flag: int) -> bool: ...
def tell_interrupts(flag: int) -> None: ...
def release_interrupts() -> bool: ...

# factor_model
def factor_moments(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def fit_factor(
    covariance: NDArray[np.float64], n_rows: int
) -> tuple[int, NDArray[np.float64], NDArray[np.float64], float, int]: ...
def fit_factor_sums(
    sums: NDArray[np.float64], p: int, n_threads: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]: ...
def fit_factor_resampled(
    sums: NDArray[np.float64], counts: NDArray[np.float64], p: int, n_threads: int
) -> tuple[NDArray[np.float64], NDArray[np.int32]]: ...

# cluster_bootstrap

def cluster_sums(
    prediction: NDArray[np.float64],
    truth: NDArray[np.float64],
    cluster: NDArray[np.int64],
    n_clusters: int,
    part: int,
) -> tuple[NDArray[np.float64], list[float]]: ...

class RowSums:
    def __init__(self, n_groups: int, n_clusters: int, constant: bool) -> None: ...
    def add_to_means(
        self,
        prediction: NDArray[np.float64],
        truth: NDArray[np.float64],
        slot: NDArray[np.int64],
    ) -> None: ...
    def add_to_sums(
        self,
        part: int,
        prediction: NDArray[np.float64],
        truth: NDArray[np.float64],
        slot: NDArray[np.int64],
    ) -> None: ...
    def sums(self, part: int, group: int) -> tuple[NDArray[np.float64], list[float]]: ...
    def constant(self, group: int) -> NDArray[np.float64]: ...

def draw_counts(
    strata: Sequence[int], seed: int, stream: int, first: int, n: int
) -> NDArray[np.int32]: ...
def summarise(
    values: NDArray[np.float64],
    estimate: NDArray[np.float64],
    null: NDArray[np.float64],
    n_threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...
def order_statistics(
    values: NDArray[np.float64], ranks: NDArray[np.int64], n_threads: int
) -> NDArray[np.float64]: ...

class MetricDesign:
    def __init__(
        self,
        sums: NDArray[np.float64],
        column_sums: NDArray[np.int64],
        centres: NDArray[np.float64],
        least: NDArray[np.float64],
        levels: Sequence[tuple[int, float, Sequence[int], bool, int]],
        quantities: NDArray[np.int64],
        strata: Sequence[int],
        ranked: Sequence[Sequence[NDArray[np.int64]]],
        column_ranks: Sequence[int],
    ) -> None: ...
    def alone(self) -> NDArray[np.float64]: ...
    def estimate(self) -> NDArray[np.float64]: ...
    def jackknife(self) -> NDArray[np.float64]: ...
    def weighted(self, counts: NDArray[np.float64], n_threads: int) -> NDArray[np.float64]: ...
    def replicates(
        self,
        seed: int,
        stream: int,
        first: int,
        n: int,
        rows: Sequence[int],
        offset: int,
        out: NDArray[np.float64],
        n_threads: int,
    ) -> None: ...
    def standard_errors(
        self,
        seed: int,
        stream: int,
        first: int,
        n: int,
        rows: Sequence[int],
        offset: int,
        out: NDArray[np.float64],
        n_threads: int,
    ) -> None: ...

# csv_reader
def has_sha256_instructions() -> bool: ...

class Sha256:
    def __init__(self, instructions: bool) -> None: ...
    def update(self, text: bytes | bytearray | memoryview) -> None: ...
    def hexdigest(self) -> str: ...

class CsvReader:
    def __init__(
        self,
        tables: Sequence[Sequence[int]],
        n_columns: int,
        skip_lines: int,
        longest_line: int,
        n_bytes: int,
    ) -> None: ...
    def feed(self, text: bytes | bytearray | memoryview) -> bool: ...
    def feed_file(self, descriptor: int, digest: Sha256, least: int) -> tuple[bool, int]: ...
    def finish(self) -> bool: ...
    def cut(self) -> list[int]: ...
    def overlong(self) -> list[int]: ...
    def unread(self) -> tuple[int, int, int, bytes] | None: ...
    def take(self, table: int, n_columns: int, room: int) -> NDArray[np.float64]: ...

# elastic_net
def elastic_net_cross_products(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    cluster: NDArray[np.int64],
    n_clusters: int,
    centre: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> NDArray[np.float64]: ...
def elastic_net_fits(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    alphas: NDArray[np.float64],
    l1_ratios: NDArray[np.float64],
    start: NDArray[np.float64],
    tolerance: float,
    max_sweeps: int,
    n_threads: int,
) -> tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.float64],
]: ...
def elastic_net_squared_errors(
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    coef: NDArray[np.float64],
    intercept: NDArray[np.float64],
    mean: NDArray[np.float64],
    scale: NDArray[np.float64],
    n_threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

# logistic_net
def logistic_net_fits(
    z: NDArray[np.float64],
    label: NDArray[np.int64],
    n_classes: int,
    alphas: NDArray[np.float64],
    l1_ratios: NDArray[np.float64],
    tolerance: float,
    max_steps: int,
    n_threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...

# sign_flip
def sign_flips(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    metrics: Sequence[int],
    centres: NDArray[np.float64],
    strata: Sequence[int],
    all: bool,
    seed: int,
    stream: int,
    first: int,
    n: int,
    n_threads: int,
) -> NDArray[np.float64]: ...

# compiled_statistic
def statistic_replicates(
    functions: Sequence[tuple[int, int]],
    rows: NDArray[np.float64],
    cluster: NDArray[np.int64],
    strata: Sequence[int],
    seed: int,
    stream: int,
    first: int,
    values: NDArray[np.float64],
    failed: NDArray[np.uint8],
    n_threads: int,
) -> None: ...
def statistic_leave_one_out(
    functions: Sequence[tuple[int, int]],
    rows: NDArray[np.float64],
    cluster: NDArray[np.int64],
    strata: Sequence[int],
    values: NDArray[np.float64],
    failed: NDArray[np.uint8],
    n_threads: int,
) -> None: ...
