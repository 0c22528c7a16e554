// Prints the bytes of every kernel on fixed data, one line each: tools/check_ports.sh compares
// them between processors, systems and compilers. The data come from the generator of rng.hpp by
// additions and multiplications alone, so that they are the same everywhere.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "pyexpr/clip_features.hpp"
#include "pyexpr/cluster_bootstrap.hpp"
#include "pyexpr/csv_reader.hpp"
#include "pyexpr/elastic_net.hpp"
#include "pyexpr/factor_model.hpp"
#include "pyexpr/frame_grid.hpp"
#include "pyexpr/icc.hpp"
#include "pyexpr/kinematics.hpp"
#include "pyexpr/logistic_net.hpp"
#include "pyexpr/rng.hpp"
#include "pyexpr/sign_flip.hpp"

namespace {

using Values = std::vector<double>;

constexpr std::size_t kThreads = 2;

// FNV-1a, of 64 bits.
class Hash {
  public:
    void add(std::uint64_t word) {
        for (int byte = 0; byte < 8; ++byte) {
            state_ = (state_ ^ ((word >> (8 * byte)) & 0xFF)) * 0x100000001B3ULL;
        }
    }

    // A missing number is one value: its sign is the processor's, and no result shows it.
    void add(double value) {
        std::uint64_t bits = 0x7FF8000000000000ULL;
        if (!std::isnan(value)) std::memcpy(&bits, &value, sizeof bits);
        add(bits);
    }

    void add(const Values& values) {
        for (const double value : values) add(value);
    }

    [[nodiscard]] std::uint64_t state() const { return state_; }

  private:
    std::uint64_t state_ = 0xCBF29CE484222325ULL;
};

// `uses` names functions of the C library whose last bit the standard leaves open.
void print(const char* kernel, const Hash& hash, const char* uses = "") {
    std::printf("%-24s %016llx%s%s\n", kernel, static_cast<unsigned long long>(hash.state()),
                *uses ? "  with " : "", uses);
}

class Uniform {
  public:
    explicit Uniform(std::uint64_t stream) : words_(20, stream, 0) {}
    double operator()() { return static_cast<double>(words_.next() >> 11) * 0x1p-53; }
    Values operator()(std::size_t n) {
        Values values(n);
        for (double& value : values) value = (*this)() - 0.5;
        return values;
    }

  private:
    pyexpr::ReplicateWords words_;
};

struct Rows {
    std::size_t n, n_clusters;
    Values p, t;
    std::vector<std::int64_t> cluster;

    Rows(std::size_t rows, std::size_t clusters, std::uint64_t stream)
        : n(rows), n_clusters(clusters), cluster(rows) {
        Uniform uniform(stream);
        const Values effect = uniform(clusters);
        for (std::size_t i = 0; i < n; ++i) {
            cluster[i] = static_cast<std::int64_t>((i * i) % clusters);
            t.push_back(effect[static_cast<std::size_t>(cluster[i])] + uniform());
            p.push_back(0.5 * t.back() + uniform());
        }
    }
};

pyexpr::MetricDesign design_of(const Rows& rows, const std::vector<pyexpr::Metric>& metrics,
                               bool logarithm) {
    Values sums(pyexpr::kSums * rows.n_clusters);
    const auto centres = pyexpr::cluster_sums(
        {rows.p.data(), {rows.n}}, {rows.t.data(), {rows.n}}, {rows.cluster.data(), {rows.n}},
        pyexpr::Part::kPooled, {sums.data(), {pyexpr::kSums, rows.n_clusters}});
    pyexpr::Column column;
    for (std::size_t k = 0; k < pyexpr::kSums; ++k) column.sum[k] = k;
    column.centre_p = centres[0];
    column.centre_t = centres[1];
    std::vector<pyexpr::Level> levels;
    std::vector<pyexpr::Quantity> quantities;
    for (const pyexpr::Metric metric : metrics) {
        quantities.push_back(
            {levels.size(), pyexpr::Quantity::kNone, pyexpr::Scale::kNegativeReciprocal});
        levels.push_back({metric, 1.0, {0}, logarithm});
    }
    return {{sums.data(), {pyexpr::kSums, rows.n_clusters}},
            {column},
            levels,
            quantities,
            {rows.n_clusters / 2, rows.n_clusters - rows.n_clusters / 2}};
}

void hash_design(const pyexpr::MetricDesign& design, Hash& hash, bool errors) {
    const std::size_t n = 200, q = design.n_quantities();
    std::vector<std::size_t> order(q);
    for (std::size_t i = 0; i < q; ++i) order[i] = i;
    Values out(q * n);
    design.replicates(1, 1, 0, n, order, 0, {out.data(), {q, n}}, kThreads);
    hash.add(out);
    Values rest(q * design.n_clusters());
    design.jackknife({rest.data(), {q, design.n_clusters()}});
    hash.add(rest);
    if (!errors) return;
    design.standard_errors(1, 1, 0, n, order, 0, {out.data(), {q, n}}, kThreads);
    hash.add(out);
}

void bootstrap() {
    using pyexpr::Metric;
    const Rows rows(400, 24, 1);
    Hash hash;
    hash_design(design_of(rows,
                          {Metric::kRmse, Metric::kMae, Metric::kCorrelation, Metric::kConcordance,
                           Metric::kR2, Metric::kBias},
                          false),
                hash, true);
    print("cluster_bootstrap", hash);
    Hash logarithms;
    hash_design(design_of(rows, {Metric::kRmse, Metric::kMae}, true), logarithms, false);
    print("cluster_bootstrap ratios", logarithms, "log");
}

void sign_flip() {
    const std::size_t g = 30;
    Uniform uniform(2);
    Values a = uniform(pyexpr::kSums * g), b = uniform(pyexpr::kSums * g);
    for (std::size_t i = 0; i < g; ++i) a[i] = b[i] = 3;
    for (const auto sum : {pyexpr::kDD, pyexpr::kPP, pyexpr::kTT}) {
        for (std::size_t i = 0; i < g; ++i) a[sum * g + i] += 2, b[sum * g + i] += 2;
    }
    Values out(3 * 500);
    pyexpr::sign_flips({a.data(), {3, pyexpr::kSums, g / 3}}, {b.data(), {3, pyexpr::kSums, g / 3}},
                       {{pyexpr::Metric::kRmse, 0, 0},
                        {pyexpr::Metric::kBias, 0, 0},
                        {pyexpr::Metric::kMse, 0, 0}},
                       {g / 3}, pyexpr::Flips::kRandom, 1, 2, 0, {out.data(), {3, 500}}, kThreads);
    Hash hash;
    hash.add(out);
    print("sign_flip", hash);
}

void icc() {
    Uniform uniform(3);
    Values ratings = uniform(60 * 5);
    for (std::size_t i = 0; i < ratings.size(); ++i) ratings[i] += 0.1 * static_cast<double>(i / 5);
    Hash hash;
    for (const bool holes : {false, true}) {
        if (holes) {
            for (std::size_t i = 0; i < ratings.size(); i += 7) {
                ratings[i] = std::numeric_limits<double>::quiet_NaN();
            }
        }
        const auto found = pyexpr::icc::matrix_squares({ratings.data(), {60, 5}});
        const auto& one = found.one_way;
        hash.add(Values{one.n0, one.n_harmonic, one.ms_between, one.ms_within, one.signal,
                        found.two_way.ms_error, found.two_way.signal_agreement});
        Values sizes;
        for (const auto& size : one.sizes) {
            sizes.insert(sizes.end(), {size.size, size.count, size.mean, size.sum_squares});
        }
        hash.add(sizes);
        hash.add(
            pyexpr::icc::wald_limit({sizes.data(), {one.sizes.size(), 4}}, one.ms_within, 1.5));
    }
    print("icc", hash);
}

void elastic_net() {
    const std::size_t n = 200, p = 6, clusters = 20, a = 3, r = 2;
    Uniform uniform(4);
    const Values x = uniform(n * p);
    Values y = uniform(n);
    std::vector<std::int64_t> cluster(n);
    for (std::size_t i = 0; i < n; ++i) {
        y[i] += x[i * p] - 0.5 * x[i * p + 3];
        cluster[i] = static_cast<std::int64_t>(i % clusters);
    }
    const Values centre(p + 1, 0.25), spread(p + 1, 0.5), alphas{0.1, 0.01, 0.001},
        ratios{0.5, 1.0}, start(p);
    const std::size_t length = pyexpr::cross_product_length(p);
    Values sums(clusters * length);
    pyexpr::cross_products({x.data(), {n, p}}, {y.data(), {n}}, {cluster.data(), {n}},
                           {centre.data(), {p + 1}}, {spread.data(), {p + 1}},
                           {sums.data(), {clusters, length}});
    const std::vector<std::int64_t> counts(clusters, 1);
    Values coef(a * r * p), intercept(1), mean(p), scale(p), gap(a * r);
    pyexpr::elastic_net_fits({sums.data(), {clusters, length}}, {counts.data(), {1, clusters}},
                             {alphas.data(), {a}}, {ratios.data(), {r}}, {start.data(), {p}},
                             {1e-12, 100000, kThreads},
                             {{coef.data(), {1, a, r, p}},
                              {intercept.data(), {1}},
                              {mean.data(), {1, p}},
                              {scale.data(), {1, p}},
                              {gap.data(), {1, a, r}}});
    Hash hash;
    for (const Values* each : {&sums, &coef, &intercept, &mean, &scale, &gap}) hash.add(*each);
    print("elastic_net", hash);
}

void logistic_net() {
    const std::size_t n = 150, p = 4, a = 2, r = 2, m = 3;
    Uniform uniform(5);
    const Values z = uniform(n * p);
    std::vector<std::int64_t> label(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double place = z[i * p] + 0.5 * uniform();
        label[i] = place < -0.1 ? 0 : place < 0.3 ? 1 : 2;
    }
    const Values alphas{0.1, 0.01}, ratios{0.5, 1.0};
    Values coef(a * r * m * p), intercept(a * r * m), breach(a * r);
    pyexpr::logistic_net_fits(
        {z.data(), {n, p}}, {label.data(), {n}}, m, {alphas.data(), {a}}, {ratios.data(), {r}},
        {1e-12, 200, kThreads},
        {{coef.data(), {a, r, m, p}}, {intercept.data(), {a, r, m}}, {breach.data(), {a, r}}});
    Hash hash;
    hash.add(coef);
    hash.add(intercept);
    print("logistic_net", hash, "exp, log, log1p");
}

void factor_model() {
    const std::size_t n = 300, p = 5;
    Uniform uniform(6);
    Values rows(n * p);
    for (std::size_t i = 0; i < n; ++i) {
        const double factor = uniform();
        for (std::size_t j = 0; j < p; ++j) {
            rows[i * p + j] = factor * (1.0 + 0.2 * static_cast<double>(j)) + uniform();
        }
    }
    Values mean(p), covariance(p * p);
    pyexpr::factor_moments({rows.data(), {n, p}}, {mean.data(), {p}}, {covariance.data(), {p, p}});
    Hash moments;
    moments.add(mean);
    moments.add(covariance);
    print("factor_model moments", moments);
    // The discrepancy has a logarithm and decides on the steps; three indicators have none.
    for (const std::size_t k : {std::size_t{3}, p}) {
        Values part(k * k), parameters(2 * k), vcov(4 * k * k);
        for (std::size_t i = 0; i < k; ++i) {
            for (std::size_t j = 0; j < k; ++j) part[i * k + j] = covariance[i * p + j];
        }
        const auto fit = pyexpr::fit_factor({part.data(), {k, k}}, {parameters.data(), {2 * k}});
        pyexpr::factor_information_inverse({parameters.data(), {2 * k}}, n,
                                           {vcov.data(), {2 * k, 2 * k}});
        Hash hash;
        hash.add(static_cast<double>(fit.status));
        hash.add(parameters);
        hash.add(vcov);
        print(k == 3 ? "factor_model of 3" : "factor_model of 5", hash, k == 3 ? "" : "log");
    }
}

void clip_features() {
    const std::size_t frames = 600, points = 11, dims = 2;
    // Bins of all lengths from 1 on.
    std::vector<std::int64_t> first, expected;
    for (std::size_t start = 0, length = 1; start + length <= frames; start += length++) {
        first.push_back(static_cast<std::int64_t>(start));
        expected.push_back(static_cast<std::int64_t>(length));
    }
    const std::size_t bins = first.size();
    Hash hash;
    for (const bool angles : {false, true}) {
        Uniform uniform(11);
        Values drawn = uniform(frames * points * dims);
        for (std::size_t i = 0; i < drawn.size(); ++i)
            drawn[i] = i % 31 == 30 ? std::numeric_limits<double>::quiet_NaN() : 700 * drawn[i];
        Values means(bins * points * dims);
        pyexpr::bin_points({drawn.data(), points * dims, frames, points, dims},
                           {{first.data(), {bins}}, {expected.data(), {bins}}, frames},
                           {false, angles}, {means.data(), {bins, points, dims}});
        for (const double mean : means) hash.add(mean);
    }
    print("clip_features", hash);
}

void frame_grid() {
    const std::size_t frames = 403, points = 9;
    Hash hash;
    for (const std::size_t dims : {std::size_t{2}, std::size_t{3}}) {
        Uniform uniform(13);
        Values drawn = uniform(frames * points * dims);
        for (std::size_t i = 0; i < drawn.size(); ++i)
            drawn[i] = i % 97 == 96 ? std::numeric_limits<double>::quiet_NaN() : 700 * drawn[i];
        Values middles(frames * dims), seconds(frames);
        pyexpr::point_middles({drawn.data(), {frames, points, dims}},
                              {middles.data(), {frames, dims}});
        hash.add(middles);
        for (std::size_t frame = 0; frame < frames; ++frame)
            seconds[frame] = 0.04 * static_cast<double>(frame);
        for (const double circle : {0.0, 360.0})
            hash.add(pyexpr::fastest_step({middles.data(), {frames, dims}},
                                          {seconds.data(), {frames}}, 1.0 / 30, circle));
    }
    print("frame_grid", hash);
}

template <typename T>
void kinematics(const char* name) {
    const std::size_t frames = 120, landmarks = 71;
    Hash hash;
    for (const auto vectors :
         {pyexpr::Vectors::widest, pyexpr::Vectors::baseline, pyexpr::Vectors::none}) {
        for (std::size_t dims = 1; dims <= 3; ++dims) {
            for (const double period : {0.0, 360.0}) {
                if (period > 0 && dims > 1) continue;
                Uniform uniform(7);
                const Values drawn = uniform(frames * landmarks * dims);
                std::vector<T> points(drawn.size());
                for (std::size_t i = 0; i < points.size(); ++i) {
                    points[i] = i % 31 == 30 ? std::numeric_limits<T>::quiet_NaN()
                                             : static_cast<T>(700 * drawn[i]);
                }
                Values displacement(landmarks), velocity(landmarks);
                std::vector<std::int64_t> n_steps(landmarks), n_velocities(landmarks);
                const auto all =
                    pyexpr::landmark_motion<T>({points.data(), {frames, landmarks, dims}}, 25,
                                               pyexpr::Velocity::abs_derivative, period,
                                               {{displacement.data(), {landmarks}},
                                                {velocity.data(), {landmarks}},
                                                {n_steps.data(), {landmarks}},
                                                {n_velocities.data(), {landmarks}}},
                                               vectors);
                hash.add(all.velocity);
                hash.add(displacement);
                hash.add(velocity);
                for (const auto n : n_velocities) hash.add(static_cast<double>(n));
            }
        }
    }
    print(name, hash);
}

void csv_reader() {
    pyexpr::ReplicateWords words(8, 8, 8);
    std::string text;
    const char* const odd[] = {"1e-310", "-0.1e3", " 7", "123456789.123456789",
                               "1.7976931348623157e308"};
    for (int row = 0; row < 500; ++row) {
        for (int column = 0; column < 9; ++column) {
            const std::uint64_t word = words.next();
            std::string number = std::to_string(word >> (word % 60));
            if (word % 3) number.insert(number.size() / 2, ".");
            if (word % 23 == 0) number = odd[word % 5];
            if (word % 5 == 0) number.insert(0, "-");
            if (word % 5 == 0 && (word % 23 == 0)) number = "nan";
            text += number + (column < 8 ? ", " : row % 2 ? "\n" : "\r\n");
        }
    }
    Hash hash;
    for (const bool widest : {true, false}) {
        pyexpr::CsvReader reader({9, 0, 10000, 0, {{0, 1, 2, 3, 4}, {8, 6, 5}}, widest});
        for (std::size_t at = 0; at < text.size(); at += 777) {
            (void)reader.feed(text.data() + at, std::min<std::size_t>(777, text.size() - at));
        }
        (void)reader.finish();
        hash.add(static_cast<double>(reader.n_rows()));
        for (const std::size_t table : {std::size_t{0}, std::size_t{1}}) {
            pyexpr::Numbers numbers = reader.take(table);
            for (std::size_t i = 0; i < reader.n_rows() * (table ? 3 : 5); ++i) {
                hash.add(numbers.data()[i]);
            }
        }
    }
    print("csv_reader", hash);
}

}  // namespace

int main() {
    Hash words;
    for (std::uint64_t replicate = 0; replicate < 100; ++replicate) {
        pyexpr::ReplicateWords drawn(1, 2, replicate);
        for (int i = 0; i < 50; ++i) words.add(drawn.next());
    }
    print("rng", words);
    bootstrap();
    sign_flip();
    icc();
    elastic_net();
    logistic_net();
    factor_model();
    clip_features();
    frame_grid();
    kinematics<double>("kinematics double");
    kinematics<float>("kinematics float");
    csv_reader();
    return 0;
}
