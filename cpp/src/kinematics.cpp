#include "pyexpr/kinematics.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <vector>

// Vectors are the extension of GCC and Clang, so that one text serves every width. A lane is one
// landmark and does what plain code would do: the width changes the time, never the result. Other
// compilers take the plain code for all landmarks.
#if defined(__GNUC__)
#define PYEXPR_VECTORS 1
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#define PYEXPR_INLINE inline __attribute__((always_inline))
#define PYEXPR_AVX2 __attribute__((target("avx2")))
#if defined(__clang__)
#define PYEXPR_SHUFFLE2(a, b, i, j) __builtin_shufflevector(a, b, i, j)
#define PYEXPR_SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define PYEXPR_SHUFFLE2(a, b, i, j) __builtin_shuffle(a, b, Integer{i, j})
#define PYEXPR_SHUFFLE4(a, b, i, j, k, l) __builtin_shuffle(a, b, Integer{i, j, k, l})
// Vectors pass between inlined functions only, so it does not matter how they would be passed.
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
#endif

namespace pyexpr {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// So many rows are taken while the sums of a few landmarks stay in registers. The processor does
// not foresee that order, so the coming rows are prefetched. Both measured.
constexpr std::size_t kRowsAtOnce = 4;
constexpr std::size_t kBytesAhead = 32768;

// A step counts in the lower half of an integer, a change in the upper: rows are limited so that
// neither half overflows.
constexpr long long kOneStep = 1;
constexpr long long kOneChange = 1LL << 32;
constexpr std::size_t kMostRows = (std::size_t{1} << 31) - 1;

struct Layout {
    std::size_t rows;  // those that have a row before them
    std::size_t landmarks;
    double period;
    Vectors vectors;
};

// The running values of all landmarks.
struct Running {
    explicit Running(std::size_t landmarks)
        : last_step(landmarks, kMissing),
          steps(landmarks, 0.0),
          changes(landmarks, 0.0),
          counts(landmarks, 0) {}

    std::vector<double> last_step;
    std::vector<double> steps;
    std::vector<double> changes;
    std::vector<long long> counts;
};

#if defined(PYEXPR_VECTORS)
constexpr long long kMagnitude = 0x7fffffffffffffffLL;

// Two doubles: what every x86-64 and ARM64 processor has.
struct Two {
    static constexpr std::size_t width = 2;
    typedef double Real __attribute__((vector_size(16)));
    typedef long long Integer __attribute__((vector_size(16)));
    typedef float Single __attribute__((vector_size(8)));

    static PYEXPR_INLINE void add_pairs(const Real& a, const Real& b, Real& sums) {
        sums = PYEXPR_SHUFFLE2(a, b, 0, 2) + PYEXPR_SHUFFLE2(a, b, 1, 3);
    }
    static PYEXPR_INLINE void root(Real& values) {
#if defined(__x86_64__)
        values = _mm_sqrt_pd(values);
#else
        values = Real{std::sqrt(values[0]), std::sqrt(values[1])};
#endif
    }
};

#if defined(__x86_64__)
struct Four {
    static constexpr std::size_t width = 4;
    typedef double Real __attribute__((vector_size(32)));
    typedef long long Integer __attribute__((vector_size(32)));
    typedef float Single __attribute__((vector_size(16)));

    PYEXPR_AVX2 static inline void add_pairs(const Real& a, const Real& b, Real& sums) {
        const Real swapped = PYEXPR_SHUFFLE4(a, b, 0, 4, 2, 6) + PYEXPR_SHUFFLE4(a, b, 1, 5, 3, 7);
        sums = PYEXPR_SHUFFLE4(swapped, swapped, 0, 2, 1, 3);
    }
    PYEXPR_AVX2 static inline void root(Real& values) { values = _mm256_sqrt_pd(values); }
};
#endif

template <typename Vector, typename Element>
PYEXPR_INLINE void load(const Element* from, Vector& to) {
    std::memcpy(&to, from, sizeof(Vector));
}

template <typename Vector, typename Element>
PYEXPR_INLINE void store(const Vector& from, Element* to) {
    std::memcpy(to, &from, sizeof(Vector));
}

template <typename Lanes>
PYEXPR_INLINE void load_real(const double* from, typename Lanes::Real& to) {
    load(from, to);
}

template <typename Lanes>
PYEXPR_INLINE void load_real(const float* from, typename Lanes::Real& to) {
    typename Lanes::Single single;
    load(from, single);
    to = __builtin_convertvector(single, typename Lanes::Real);
}

template <typename Lanes, std::size_t Dims, typename T>
PYEXPR_INLINE void step_lengths(const T* now, const T* before, typename Lanes::Real& steps) {
    using Real = typename Lanes::Real;
    if constexpr (Dims == 2) {
        Real low, high, low_before, high_before;
        load_real<Lanes>(now, low);
        load_real<Lanes>(now + Lanes::width, high);
        load_real<Lanes>(before, low_before);
        load_real<Lanes>(before + Lanes::width, high_before);
        low -= low_before;
        high -= high_before;
        Lanes::add_pairs(low * low, high * high, steps);
    } else {
        for (std::size_t lane = 0; lane < Lanes::width; ++lane) {
            double squares = 0.0;
            for (std::size_t axis = 0; axis < Dims; ++axis) {
                const std::size_t i = lane * Dims + axis;
                const double moved = static_cast<double>(now[i]) - static_cast<double>(before[i]);
                squares += moved * moved;
            }
            steps[lane] = squares;
        }
    }
    Lanes::root(steps);
}

// `count` rows of Lanes::width landmarks, beginning at landmark `start`.
template <typename Lanes, std::size_t Dims, bool Absolute, typename T>
PYEXPR_INLINE void take_block(const T* first, std::size_t row_length, std::size_t count,
                              std::size_t start, Running& running) {
    using Real = typename Lanes::Real;
    using Integer = typename Lanes::Integer;
    Real last_step, steps, changes;
    Integer counts;
    load(running.last_step.data() + start, last_step);
    load(running.steps.data() + start, steps);
    load(running.changes.data() + start, changes);
    load(running.counts.data() + start, counts);
    for (std::size_t row = 0; row < count; ++row) {
        const T* now = first + row * row_length + start * Dims;
        __builtin_prefetch(
            // Beyond the array a sum of pointers is undefined, one of numbers is not.
            // NOLINTNEXTLINE(performance-no-int-to-ptr)
            reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(now) + kBytesAhead));
        Real step;
        step_lengths<Lanes, Dims>(now, now - row_length, step);
        const Real difference = step - last_step;
        const Real magnitude = (Real)((Integer)difference & kMagnitude);
        const Real change = Absolute ? magnitude : difference;
        // An invalid coordinate makes the step NaN or infinite: it fails here and adds zero.
        const Integer is_step = step <= kLargest;
        const Integer is_change = magnitude <= kLargest;
        steps += (Real)((Integer)step & is_step);
        changes += (Real)((Integer)change & is_change);
        counts += (is_step & kOneStep) + (is_change & kOneChange);
        last_step = step;
    }
    store(last_step, running.last_step.data() + start);
    store(steps, running.steps.data() + start);
    store(changes, running.changes.data() + start);
    store(counts, running.counts.data() + start);
}
#endif  // PYEXPR_VECTORS

// The same for one landmark, in plain words; it also wraps.
template <std::size_t Dims, bool Absolute, typename T>
void take_one(const T* first, std::size_t row_length, std::size_t count, std::size_t landmark,
              double period, Running& running) {
    for (std::size_t row = 0; row < count; ++row) {
        const T* now = first + row * row_length + landmark * Dims;
        double squares = 0.0;
        for (std::size_t axis = 0; axis < Dims; ++axis) {
            double moved =
                static_cast<double>(now[axis]) - static_cast<double>((now - row_length)[axis]);
            if (period > 0.0) moved = std::remainder(moved, period);
            squares += moved * moved;
        }
        const double step = std::sqrt(squares);
        const double difference = step - running.last_step[landmark];
        running.last_step[landmark] = step;
        if (step <= kLargest) {
            running.steps[landmark] += step;
            running.counts[landmark] += kOneStep;
        }
        if (std::abs(difference) <= kLargest) {
            running.changes[landmark] += Absolute ? std::abs(difference) : difference;
            running.counts[landmark] += kOneChange;
        }
    }
}

// The landmarks from `first_landmark` on.
template <std::size_t Dims, bool Absolute, typename T>
void take_rest(const T* block, std::size_t count, std::size_t first_landmark, const Layout& layout,
               Running& running) {
    const std::size_t row_length = layout.landmarks * Dims;
    for (std::size_t i = first_landmark; i < layout.landmarks; ++i)
        take_one<Dims, Absolute>(block, row_length, count, i, layout.period, running);
}

template <std::size_t Dims, bool Absolute, typename T>
void take_all_plainly(const T* first, const Layout& layout, Running& running) {
    for (std::size_t row = 0; row < layout.rows; row += kRowsAtOnce) {
        const std::size_t count = std::min(kRowsAtOnce, layout.rows - row);
        const T* block = first + row * layout.landmarks * Dims;
        take_rest<Dims, Absolute>(block, count, 0, layout, running);
    }
}

#if defined(PYEXPR_VECTORS)
template <typename Lanes, std::size_t Dims, bool Absolute, typename T>
PYEXPR_INLINE void take_all(const T* first, const Layout& layout, Running& running) {
    const std::size_t row_length = layout.landmarks * Dims;
    const std::size_t whole = layout.landmarks - layout.landmarks % Lanes::width;
    for (std::size_t row = 0; row < layout.rows; row += kRowsAtOnce) {
        const std::size_t count = std::min(kRowsAtOnce, layout.rows - row);
        const T* block = first + row * row_length;
        for (std::size_t i = 0; i < whole; i += Lanes::width)
            take_block<Lanes, Dims, Absolute>(block, row_length, count, i, running);
        take_rest<Dims, Absolute>(block, count, whole, layout, running);
    }
}

#if defined(__x86_64__)
template <std::size_t Dims, bool Absolute, typename T>
PYEXPR_AVX2 void take_all_avx2(const T* first, const Layout& layout, Running& running) {
    take_all<Four, Dims, Absolute>(first, layout, running);
}
#endif
#endif  // PYEXPR_VECTORS

template <std::size_t Dims, bool Absolute, typename T>
void take(const T* first, const Layout& layout, Running& running) {
#if defined(PYEXPR_VECTORS)
    if (layout.period == 0.0 && layout.vectors != Vectors::none) {
#if defined(__x86_64__)
        static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
        if (has_avx2 && layout.vectors == Vectors::widest)
            return take_all_avx2<Dims, Absolute>(first, layout, running);
#endif
        return take_all<Two, Dims, Absolute>(first, layout, running);
    }
#endif
    take_all_plainly<Dims, Absolute>(first, layout, running);
}

template <std::size_t Dims, typename T>
void take(const T* first, const Layout& layout, bool absolute, Running& running) {
    if (absolute) {
        take<Dims, true>(first, layout, running);
    } else {
        take<Dims, false>(first, layout, running);
    }
}

void check(const std::size_t dims, const std::size_t rows, std::size_t landmarks, double rate,
           double period, const LandmarkAverages& each) {
    if (dims < 1 || dims > 3) throw std::invalid_argument("dims must be 1, 2 or 3");
    if (rows > kMostRows) throw std::invalid_argument("there are more than 2^31 - 1 frames");
    if (!(rate > 0.0 && rate <= kLargest)) throw std::invalid_argument("rate must be positive");
    if (!(period >= 0.0 && period <= kLargest))
        throw std::invalid_argument("period must be 0 or positive");
    if (period > 0.0 && dims != 1)
        throw std::invalid_argument("only coordinates of one dimension can be wrapped");
    if (each.displacement.shape[0] != landmarks || each.velocity.shape[0] != landmarks ||
        each.n_steps.shape[0] != landmarks || each.n_velocities.shape[0] != landmarks)
        throw std::invalid_argument("results must have one place per landmark");
}

double average(double sum, std::int64_t n) { return n ? sum / static_cast<double>(n) : kMissing; }

MotionAverages summarise(const Running& running, double rate, Velocity reading,
                         LandmarkAverages& each) {
    const bool is_speed = reading == Velocity::speed;
    double steps = 0.0;
    double changes = 0.0;
    MotionAverages all;
    for (std::size_t i = 0; i < running.steps.size(); ++i) {
        const std::int64_t n_steps = running.counts[i] % kOneChange;
        const std::int64_t n_velocities = is_speed ? n_steps : running.counts[i] / kOneChange;
        const double change = is_speed ? running.steps[i] : running.changes[i];
        each.displacement(i) = average(running.steps[i], n_steps);
        each.velocity(i) = average(change, n_velocities) * rate;
        each.n_steps(i) = n_steps;
        each.n_velocities(i) = n_velocities;
        steps += running.steps[i];
        changes += change;
        all.n_steps += n_steps;
        all.n_velocities += n_velocities;
    }
    all.displacement = average(steps, all.n_steps);
    all.velocity = average(changes, all.n_velocities) * rate;
    return all;
}

}  // namespace

template <typename T>
MotionAverages landmark_motion(ArrayView<const T, 3> landmarks, double rate, Velocity reading,
                               double period, LandmarkAverages each, Vectors vectors) {
    const auto [rows, count, dims] = landmarks.shape;
    check(dims, rows, count, rate, period, each);
    Running running(count);
    if (rows > 1 && count > 0) {
        const Layout layout{rows - 1, count, period, vectors};
        const T* first = landmarks.data + count * dims;
        const bool absolute = reading == Velocity::abs_derivative;
        if (dims == 1) take<1>(first, layout, absolute, running);
        if (dims == 2) take<2>(first, layout, absolute, running);
        if (dims == 3) take<3>(first, layout, absolute, running);
    }
    return summarise(running, rate, reading, each);
}

template MotionAverages landmark_motion<float>(ArrayView<const float, 3>, double, Velocity, double,
                                               LandmarkAverages, Vectors);
template MotionAverages landmark_motion<double>(ArrayView<const double, 3>, double, Velocity,
                                                double, LandmarkAverages, Vectors);

}  // namespace pyexpr
