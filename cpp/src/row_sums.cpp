#include "pyexpr/row_sums.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "pyexpr/checked_size.hpp"

namespace pyexpr {

namespace {

// Calls use(row, slot) for every row that is not left out.
template <typename Use>
void for_each_row(ArrayView<const double, 1> p, ArrayView<const double, 1> t,
                  ArrayView<const std::int64_t, 1> slot, Use use) {
    for (std::size_t i = 0; i < p.shape[0]; ++i) {
        if (slot.data[i] >= 0 && !std::isnan(p.data[i]) && !std::isnan(t.data[i])) {
            use(i, static_cast<std::size_t>(slot.data[i]));
        }
    }
}

void add(std::array<double, kSums>& sums, double p, double t, double d) {
    sums[kN] += 1;
    sums[kD] += d;
    sums[kDD] += d * d;
    sums[kAbsD] += std::abs(d);
    sums[kP] += p;
    sums[kT] += t;
    sums[kPP] += p * p;
    sums[kTT] += t * t;
    sums[kPT] += p * t;
}

}  // namespace

RowSums::RowSums(std::size_t n_groups, std::size_t n_clusters, bool constant)
    : n_clusters_(n_clusters), groups_(n_groups) {
    const std::size_t n_slots = checked_product(n_groups, n_clusters);
    if (n_groups > std::numeric_limits<std::uint32_t>::max()) {
        throw std::invalid_argument("too many groups");
    }
    means_.resize(n_slots);
    if (constant) constant_.resize(n_slots);
    if (n_groups > 1) {
        group_of_.resize(n_slots);
        for (std::size_t s = 0; s < n_slots; ++s) {
            group_of_[s] = static_cast<std::uint32_t>(s / n_clusters);
        }
    }
}

void RowSums::check(ArrayView<const double, 1> p, ArrayView<const double, 1> t,
                    ArrayView<const std::int64_t, 1> slot) const {
    if (t.shape != p.shape || slot.shape != p.shape) {
        throw std::invalid_argument("prediction, truth and slot must have one length");
    }
    const auto n_slots = static_cast<std::int64_t>(means_.size());
    for (std::size_t i = 0; i < slot.shape[0]; ++i) {
        if (slot.data[i] < -1 || slot.data[i] >= n_slots) {
            throw std::invalid_argument("slot must be within -1 .. n_groups*n_clusters-1");
        }
    }
}

void RowSums::add_to_means(ArrayView<const double, 1> p, ArrayView<const double, 1> t,
                           ArrayView<const std::int64_t, 1> slot) {
    const std::lock_guard<std::mutex> lock(one_at_a_time_);
    if (closed_) throw std::invalid_argument("the second pass has begun");
    check(p, t, slot);
    // Means are summed about the first row: of values far from 0 the differences are exact.
    const auto add_row = [&](Group& group, std::size_t i, std::size_t s) {
        if (group.n == 0) {
            group.origin_p = p.data[i];
            group.origin_t = t.data[i];
        }
        Mean& mean = means_[s];
        if (!constant_.empty()) {
            Constant& one = constant_[s];
            if (mean.n == 0) one.prediction = p.data[i];
            if (p.data[i] != one.prediction) one.moves = 1;
            one.truth += t.data[i];
        }
        group.n += 1;
        mean.n += 1;
        mean.p += p.data[i] - group.origin_p;
        mean.t += t.data[i] - group.origin_t;
        group.squares_p += p.data[i] * p.data[i];
        group.squares_t += t.data[i] * t.data[i];
    };
    if (groups_.size() == 1) {
        Group only = groups_[0];  // held in registers
        for_each_row(p, t, slot, [&](std::size_t i, std::size_t s) { add_row(only, i, s); });
        groups_[0] = only;
    } else {
        for_each_row(p, t, slot,
                     [&](std::size_t i, std::size_t s) { add_row(groups_[group_of_[s]], i, s); });
    }
}

void RowSums::close() {
    if (closed_) return;
    closed_ = true;
    for (std::size_t k = 0; k < groups_.size(); ++k) {
        Group& group = groups_[k];
        if (group.n == 0) continue;
        double total_p = 0;
        double total_t = 0;
        for (std::size_t g = 0; g < n_clusters_; ++g) {
            Mean& mean = means_[k * n_clusters_ + g];
            if (mean.n == 0) continue;
            total_p += mean.p;
            total_t += mean.t;
            mean.p /= mean.n;
            mean.t /= mean.n;
        }
        group.centre_p = group.origin_p + total_p / group.n;
        group.centre_t = group.origin_t + total_t / group.n;
    }
}

void RowSums::add_to_sums(Part part, ArrayView<const double, 1> p, ArrayView<const double, 1> t,
                          ArrayView<const std::int64_t, 1> slot) {
    const std::lock_guard<std::mutex> lock(one_at_a_time_);
    if (part == Part::kBetween) throw std::invalid_argument("means of clusters need no sums");
    check(p, t, slot);
    close();
    const bool within = part == Part::kWithin;
    std::vector<Sums>& sums = sums_[within ? 1 : 0];
    if (sums.empty()) sums.assign(means_.size(), Sums{});
    double& rows = rows_[within ? 1 : 0];
    const auto group_of = [&](std::size_t s) -> const Group& {
        return groups_[groups_.size() == 1 ? 0 : group_of_[s]];
    };
    for_each_row(p, t, slot, [&](std::size_t i, std::size_t s) {
        const Group& group = group_of(s);
        rows += 1;
        if (within) {
            const double within_p = p.data[i] - group.origin_p - means_[s].p;
            const double within_t = t.data[i] - group.origin_t - means_[s].t;
            add(sums[s], within_p, within_t, within_p - within_t);
        } else {
            add(sums[s], p.data[i] - group.centre_p, t.data[i] - group.centre_t,
                p.data[i] - t.data[i]);
        }
    });
    double n = 0;
    for (const Group& group : groups_) n += group.n;
    if (rows > n) throw std::invalid_argument("more rows than in the first pass");
}

std::array<double, 2> RowSums::write(Part part, std::size_t k, ArrayView<double, 2> out) {
    const std::lock_guard<std::mutex> lock(one_at_a_time_);
    if (k >= groups_.size()) throw std::invalid_argument("no such group");
    if (out.shape[0] != kSums || out.shape[1] != n_clusters_) {
        throw std::invalid_argument("sums must be 9 rows of one value per cluster");
    }
    close();
    std::fill_n(out.data, out.size(), 0.0);
    const Group& group = groups_[k];
    if (group.n == 0) return {0.0, 0.0};
    const std::size_t start = k * n_clusters_;
    if (part != Part::kBetween) {
        const std::vector<Sums>& sums = sums_[part == Part::kWithin ? 1 : 0];
        if (sums.empty()) throw std::invalid_argument("the second pass is missing");
        for (std::size_t g = 0; g < n_clusters_; ++g) {
            for (std::size_t one = 0; one < kSums; ++one) out(one, g) = sums[start + g][one];
        }
    }
    if (part == Part::kPooled) return {group.centre_p, group.centre_t};
    if (part == Part::kWithin) {
        // Deviations from a mean sum to 0; rounding would leave a trace.
        for (std::size_t g = 0; g < n_clusters_; ++g) out(kD, g) = out(kP, g) = out(kT, g) = 0;
        return {std::sqrt(group.squares_p / group.n), std::sqrt(group.squares_t / group.n)};
    }
    double n_present = 0;
    double centre_p = 0;
    double centre_t = 0;
    for (std::size_t g = 0; g < n_clusters_; ++g) {
        const Mean& mean = means_[start + g];
        if (mean.n == 0) continue;
        n_present += 1;
        centre_p += mean.p;
        centre_t += mean.t;
    }
    centre_p /= n_present;
    centre_t /= n_present;
    for (std::size_t g = 0; g < n_clusters_; ++g) {
        const Mean& mean = means_[start + g];
        if (mean.n == 0) continue;
        Sums sums{};
        add(sums, mean.p - centre_p, mean.t - centre_t,
            mean.p - mean.t + (group.origin_p - group.origin_t));
        for (std::size_t one = 0; one < kSums; ++one) out(one, g) = sums[one];
    }
    return {group.origin_p + centre_p, group.origin_t + centre_t};
}

void RowSums::write_constant(std::size_t k, ArrayView<double, 2> out) {
    const std::lock_guard<std::mutex> lock(one_at_a_time_);
    if (k >= groups_.size()) throw std::invalid_argument("no such group");
    if (constant_.empty() && !means_.empty()) {
        throw std::invalid_argument("constant predictions were not recorded");
    }
    if (out.shape[0] != 4 || out.shape[1] != n_clusters_) {
        throw std::invalid_argument("out must be 4 rows of one value per cluster");
    }
    for (std::size_t g = 0; g < n_clusters_; ++g) {
        const std::size_t s = k * n_clusters_ + g;
        const bool there = means_[s].n > 0;
        out(0U, g) = means_[s].n;
        out(1U, g) = there ? constant_[s].prediction : std::numeric_limits<double>::quiet_NaN();
        out(2U, g) = constant_[s].moves;
        out(3U, g) = constant_[s].truth;
    }
}

std::array<double, 2> cluster_sums(ArrayView<const double, 1> p, ArrayView<const double, 1> t,
                                   ArrayView<const std::int64_t, 1> cluster, Part part,
                                   ArrayView<double, 2> sums) {
    if (t.shape != p.shape || cluster.shape != p.shape) {
        throw std::invalid_argument("prediction, truth and cluster must have one length");
    }
    if (sums.shape[0] != kSums) throw std::invalid_argument("sums must have 9 rows");
    for (std::size_t i = 0; i < cluster.shape[0]; ++i) {
        if (cluster.data[i] < 0 || static_cast<std::size_t>(cluster.data[i]) >= sums.shape[1]) {
            throw std::invalid_argument("cluster must be within 0 .. n_clusters-1");
        }
    }
    RowSums rows(1, sums.shape[1]);
    rows.add_to_means(p, t, cluster);
    if (part != Part::kBetween) rows.add_to_sums(part, p, t, cluster);
    return rows.write(part, 0, sums);
}

}  // namespace pyexpr
