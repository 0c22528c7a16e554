#include "pyexpr/icc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>

namespace pyexpr::icc {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kRounding = 64 * std::numeric_limits<double>::epsilon();

double real(std::size_t n) { return static_cast<double>(n); }

double zero_if_rounding(double sum_squares, double all_squares) {
    return sum_squares <= kRounding * all_squares ? 0.0 : sum_squares;
}

double mean_square(double sum_squares, std::size_t n, std::size_t lost) {
    return n > lost ? sum_squares / real(n - lost) : kNaN;
}

// Mean and sum of squares about it, one value at a time (Welford, 1962).
struct Moments {
    std::size_t count = 0;
    double mean = 0;
    double sum_squares = 0;

    void add(double value) {
        ++count;
        const double delta = value - mean;
        mean += delta / real(count);
        sum_squares += delta * (value - mean);
    }
};

// Targets are handed over one by one, whatever layout they come from.
class OneWayBuilder {
  public:
    void add(std::size_t size, double mean, double squares_within) {
        if (size != last_size_) {
            last_ = &classes_[size];
            last_size_ = size;
        }
        last_->add(mean);
        within_ += squares_within;
    }

    [[nodiscard]] OneWay finish() const {
        OneWay result;
        double weighted = 0;
        double squared_sizes = 0;
        double inverse_sizes = 0;
        for (const auto& [size, means] : classes_) {
            const double n = real(size);
            const double targets = real(means.count);
            result.sizes.push_back({n, targets, means.mean, means.sum_squares});
            result.n_targets += means.count;
            result.n_ratings += size * means.count;
            weighted += n * targets * means.mean;
            squared_sizes += n * n * targets;
            inverse_sizes += targets / n;
        }
        if (result.n_targets == 0) {
            result.n0 = result.n_harmonic = result.ms_between = result.ms_within = result.signal =
                kNaN;
            return result;
        }
        if (result.sizes.front().size == 1) {
            result.n_single = static_cast<std::size_t>(result.sizes.front().count);
        }
        const double n = real(result.n_ratings);
        const double mean = weighted / n;
        double between = 0;
        for (const SizeClass& c : result.sizes) {
            between += c.size * (c.sum_squares + c.count * (c.mean - mean) * (c.mean - mean));
        }
        const double all = between + within_ + n * mean * mean;
        const std::size_t targets = result.n_targets;
        result.n_harmonic = real(targets) / inverse_sizes;
        result.n0 = targets > 1 ? (n - squared_sizes / n) / real(targets - 1) : kNaN;
        result.ms_between = mean_square(zero_if_rounding(between, all), targets, 1);
        result.ms_within = mean_square(zero_if_rounding(within_, all), result.n_ratings, targets);
        result.signal = (result.ms_between - result.ms_within) / (result.n0 * result.ms_within);
        return result;
    }

  private:
    std::map<std::size_t, Moments> classes_;
    Moments* last_ = nullptr;
    std::size_t last_size_ = 0;
    double within_ = 0;
};

// The raters' means of what is left when each target's mean is taken away, and
// the squares left after these: both from one reading, neither by subtraction.
class RaterMoments {
  public:
    explicit RaterMoments(std::size_t raters) : means_(raters), squares_(raters) {}

    void add(const double* deviations) {
        const double share = 1.0 / real(++rows_);
        for (std::size_t j = 0; j < means_.size(); ++j) {
            const double delta = deviations[j] - means_[j];
            means_[j] += delta * share;
            squares_[j] += delta * (deviations[j] - means_[j]);
        }
    }

    [[nodiscard]] TwoWay finish(const OneWay& one_way, double all) const {
        TwoWay result;
        result.n_targets = rows_;
        result.n_raters = means_.size();
        const double n = real(rows_);
        const double k = real(means_.size());
        double centre = 0;
        for (double mean : means_) centre += mean / k;
        double raters = 0;
        double error = 0;
        for (std::size_t j = 0; j < means_.size(); ++j) {
            raters += n * (means_[j] - centre) * (means_[j] - centre);
            error += squares_[j];
        }
        const double df_error = (n - 1) * (k - 1);
        result.ms_targets = one_way.ms_between;
        result.ms_raters = zero_if_rounding(raters, all) / (k - 1);
        result.ms_error = zero_if_rounding(error, all) / df_error;
        const double difference = result.ms_targets - result.ms_error;
        result.signal_agreement =
            n * difference / (k * (result.ms_raters + (n - 1) * result.ms_error));
        result.signal_consistency = difference / (k * result.ms_error);
        return result;
    }

  private:
    std::size_t rows_ = 0;
    std::vector<double> means_;
    std::vector<double> squares_;
};

double first_value(const double* values, std::size_t n) {
    const double* found =
        std::find_if(values, values + n, [](double value) { return !std::isnan(value); });
    return found == values + n ? 0.0 : *found;
}

void check_lengths(std::size_t values, std::size_t codes, const char* name) {
    if (values != codes) {
        throw std::invalid_argument(std::string(name) + " has " + std::to_string(codes) +
                                    " codes for " + std::to_string(values) + " values");
    }
}

std::size_t checked_code(std::int64_t code, std::size_t below, const char* name) {
    if (code < 0 || static_cast<std::size_t>(code) >= below) {
        throw std::invalid_argument(std::string(name) + " has the code " + std::to_string(code) +
                                    ", outside 0.." + std::to_string(below) + " (exclusive)");
    }
    return static_cast<std::size_t>(code);
}

// A long target while it is being read. Shifted by its own first value, the
// squares lose at most a factor n_i + 1 by the subtraction at the end.
struct LongTarget {
    std::size_t count = 0;
    double first = 0;
    double sum = 0;
    double squares = 0;
};

double wald_ratio(ArrayView<const double, 2> sizes, double ms_within, double signal) {
    double weights = 0;
    double weighted = 0;
    double targets = 0;
    for (std::size_t c = 0; c < sizes.shape[0]; ++c) {
        const double weight = sizes(c, 0) / (1 + sizes(c, 0) * signal);
        weights += weight * sizes(c, 1);
        weighted += weight * sizes(c, 1) * sizes(c, 2);
        targets += sizes(c, 1);
    }
    const double centre = weighted / weights;
    double squares = 0;
    for (std::size_t c = 0; c < sizes.shape[0]; ++c) {
        const double weight = sizes(c, 0) / (1 + sizes(c, 0) * signal);
        const double off = sizes(c, 2) - centre;
        squares += weight * (sizes(c, 3) + sizes(c, 1) * off * off);
    }
    return squares / ((targets - 1) * ms_within);
}

}  // namespace

MatrixSquares matrix_squares(ArrayView<const double, 2> values) {
    const std::size_t rows = values.shape[0];
    const std::size_t columns = values.shape[1];
    MatrixSquares result;
    OneWayBuilder builder;
    RaterMoments raters(columns);
    result.complete = rows > 1 && columns > 1;
    const double shift = first_value(values.data, values.size());
    std::vector<double> row(columns);
    double within_all = 0;
    for (std::size_t i = 0; i < rows; ++i) {
        const double* source = values.data + i * columns;
        std::size_t size = 0;
        double sum = 0;
        for (std::size_t j = 0; j < columns; ++j) {
            if (std::isnan(source[j])) continue;
            row[size] = source[j] - shift;
            sum += row[size++];
        }
        if (size < columns) result.complete = false;
        if (size == 0) continue;
        const double mean = sum / real(size);
        double squares = 0;
        for (std::size_t j = 0; j < size; ++j) {
            row[j] -= mean;
            squares += row[j] * row[j];
        }
        builder.add(size, mean, squares);
        within_all += squares;
        if (result.complete) raters.add(row.data());
    }
    result.one_way = builder.finish();
    if (result.complete) {
        const OneWay& one = result.one_way;
        const SizeClass& all = one.sizes.front();
        const double total =
            within_all + all.size * (all.sum_squares + all.count * all.mean * all.mean);
        result.two_way = raters.finish(one, total);
    }
    return result;
}

OneWay long_squares(ArrayView<const double, 1> values, ArrayView<const std::int64_t, 1> targets,
                    std::size_t n_targets) {
    check_lengths(values.size(), targets.size(), "targets");
    std::vector<LongTarget> cells(n_targets);
    for (std::size_t i = 0; i < values.size(); ++i) {
        LongTarget& target = cells[checked_code(targets(i), n_targets, "targets")];
        const double value = values(i);
        if (std::isnan(value)) continue;
        if (target.count++ == 0) {
            target.first = value;
            continue;
        }
        const double off = value - target.first;
        target.sum += off;
        target.squares += off * off;
    }
    const double shift = first_value(values.data, values.size());
    OneWayBuilder builder;
    for (const LongTarget& target : cells) {
        if (target.count == 0) continue;
        const double mean = target.sum / real(target.count);
        const double within = target.squares - target.sum * mean;
        builder.add(target.count, (target.first - shift) + mean,
                    within <= kRounding * target.squares ? 0.0 : within);
    }
    return builder.finish();
}

std::size_t fill_cells(ArrayView<const double, 1> values, ArrayView<const std::int64_t, 1> targets,
                       ArrayView<const std::int64_t, 1> raters, ArrayView<double, 2> cells) {
    check_lengths(values.size(), targets.size(), "targets");
    check_lengths(values.size(), raters.size(), "raters");
    std::fill(cells.data, cells.data + cells.size(), kNaN);
    std::size_t doubled = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t target = checked_code(targets(i), cells.shape[0], "targets");
        const std::size_t rater = checked_code(raters(i), cells.shape[1], "raters");
        if (std::isnan(values(i))) continue;
        double& cell = cells(target, rater);
        if (std::isnan(cell)) {
            cell = values(i);
        } else {
            ++doubled;
        }
    }
    return doubled;
}

double wald_limit(ArrayView<const double, 2> sizes, double ms_within, double quantile) {
    if (sizes.shape[1] != 4) {
        throw std::invalid_argument("sizes must have 4 columns: size, count, mean, sum of squares");
    }
    double largest = 0;
    for (std::size_t c = 0; c < sizes.shape[0]; ++c) largest = std::max(largest, sizes(c, 0));
    const double end = -1 / largest;
    // rho = theta / (1 + theta) maps (-1/max, inf) to (-1/(max - 1), 1).
    double low = largest > 1 ? -1 / (largest - 1) : -std::numeric_limits<double>::max();
    double high = 1;
    bool found = false;
    while (true) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) break;
        const double ratio = wald_ratio(sizes, ms_within, middle / (1 - middle));
        if (ratio > quantile) {
            low = middle;
            found = true;
        } else {
            high = middle;
        }
    }
    return found ? low / (1 - low) : end;
}

}  // namespace pyexpr::icc
