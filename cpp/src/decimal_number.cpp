#include "pyexpr/decimal_number.hpp"

#include <charconv>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <system_error>

#if !defined(__cpp_lib_to_chars)
#include <clocale>
#include <cstdlib>
#include <string>
#if defined(__APPLE__)
#include <xlocale.h>
#endif
#endif

namespace pyexpr {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::uint64_t kLargestExact = std::uint64_t{1} << 53;
// So many digits fit into 64 bits.
constexpr int kMostDigits = 19;
// An exponent beyond this decides by itself, whatever the digits (a line has fewer of them).
constexpr std::int64_t kFarExponent = 100'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_blank(char c) { return c == ' ' || c == '\t'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// A number in parts: value = digits * 10^exponent, digits without those that did not fit.
struct Parts {
    std::uint64_t digits = 0;
    std::int64_t exponent = 0;
    bool all_digits = true;
};

// Takes the digits from `at` on, and returns where they end.
const char* take_digits(const char* at, const char* end, bool after_point, int& significant,
                        Parts& parts) {
    for (; at != end && is_digit(*at); ++at) {
        const auto digit = static_cast<std::uint64_t>(*at - '0');
        if (significant < kMostDigits) {
            parts.digits = 10 * parts.digits + digit;
            significant += parts.digits != 0;
            parts.exponent -= after_point;
        } else {
            parts.all_digits = parts.all_digits && digit == 0;
            parts.exponent += !after_point;
        }
    }
    return at;
}

bool take_exponent(const char* at, const char* end, Parts& parts) {
    const bool negative = at != end && *at == '-';
    if (at != end && (*at == '-' || *at == '+')) ++at;
    if (at == end) return false;
    std::int64_t exponent = 0;
    for (; at != end; ++at) {
        if (!is_digit(*at)) return false;
        if (exponent < kFarExponent) exponent = 10 * exponent + (*at - '0');
    }
    parts.exponent += negative ? -exponent : exponent;
    return true;
}

// Unsigned text to its parts; false if it is no number.
bool parted(const char* begin, const char* end, Parts& parts) {
    int significant = 0;
    const char* at = take_digits(begin, end, false, significant, parts);
    std::ptrdiff_t digits = at - begin;
    if (at != end && *at == '.') {
        const char* const after = at + 1;
        at = take_digits(after, end, true, significant, parts);
        digits += at - after;
    }
    if (digits == 0) return false;
    return at == end || (lower(*at) == 'e' && take_exponent(at + 1, end, parts));
}

// The nearest double of unsigned text that is a number, by the standard library.
double nearest(const char* begin, const char* end, const Parts& parts) {
#if defined(__cpp_lib_to_chars)
    double value = 0.0;
    if (std::from_chars(begin, end, value).ec == std::errc()) return value;
    // The digits times 10^exponent lie beyond the largest double, or below the smallest.
    return parts.exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
#else
    // Of the C library, but not in the user's locale, whose point may be a comma.
    static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
    static_cast<void>(parts);
    return strtod_l(std::string(begin, end).c_str(), nullptr, plain);
#endif
}

double value_of(const char* begin, const char* end, const Parts& parts) {
    if (parts.digits == 0) return 0.0;
    if (parts.all_digits && parts.digits <= kLargestExact) {
        const auto whole = static_cast<double>(parts.digits);
        if (parts.exponent >= 0 && parts.exponent <= 22) {
            return whole * decimal::kPowers[static_cast<std::size_t>(parts.exponent)];
        }
        if (parts.exponent < 0 && parts.exponent >= -22) {
            return whole / decimal::kPowers[static_cast<std::size_t>(-parts.exponent)];
        }
    }
    return nearest(begin, end, parts);
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
    for (const std::string_view word : words) {
        if (text == word) return true;
    }
    return false;
}

bool same_in_any_case(std::string_view text, std::string_view word) {
    if (text.size() != word.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (lower(text[i]) != word[i]) return false;
    }
    return true;
}

// nan(...): what the C library of Windows says of its kind, as C allows it.
bool is_nan_with_kind(std::string_view text) {
    if (text.size() < 5 || !same_in_any_case(text.substr(0, 3), "nan")) return false;
    if (text[3] != '(' || text.back() != ')') return false;
    for (const char c : text.substr(4, text.size() - 5)) {
        if (!is_digit(c) && c != '_' && (lower(c) < 'a' || lower(c) > 'z')) return false;
    }
    return true;
}

// What older C libraries of Windows print. They pad these with zeros, and cut and round them as
// if they were digits: "1.#R" is "1.#QNAN" in two places.
bool is_of_old_windows(std::string_view text) {
    if (text.substr(0, 3) != "1.#") return false;
    text.remove_prefix(3);
    if (is_one_of(text, {"R", "QO", "J", "IO", "SO"})) return true;
    for (int zeros = 0; zeros < 4; ++zeros) {
        if (is_one_of(text, {"QNAN", "SNAN", "IND", "INF"})) return true;
        if (text.empty() || text.back() != '0') return false;
        text.remove_suffix(1);
    }
    return false;
}

// Text without blanks around it that means a missing value.
bool is_missing(std::string_view text) {
    if (is_one_of(text, {"", "NA", "N/A", "#N/A", "null", "NULL", "None"})) return true;
    if (text.front() == '-' || text.front() == '+') text.remove_prefix(1);
    return same_in_any_case(text, "nan") || same_in_any_case(text, "inf") ||
           same_in_any_case(text, "infinity") || is_nan_with_kind(text) || is_of_old_windows(text);
}

}  // namespace

bool read_number(const char* begin, const char* end, double& value) noexcept {
    while (begin != end && is_blank(*begin)) ++begin;
    while (begin != end && is_blank(end[-1])) --end;
    const bool negative = begin != end && *begin == '-';
    const char* const first = begin + (begin != end && (*begin == '-' || *begin == '+'));
    Parts parts;
    if (parted(first, end, parts)) {
        const double magnitude = value_of(first, end, parts);
        value = negative ? -magnitude : magnitude;
        if (magnitude > std::numeric_limits<double>::max()) value = kMissing;
        return true;
    }
    value = kMissing;
    return is_missing({begin, static_cast<std::size_t>(end - begin)});
}

}  // namespace pyexpr
