#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "pyexpr/decimal_number.hpp"

TEST_SUITE_BEGIN("decimal_number");

namespace {

// Both ways; they must agree in whether it is a number, and bit by bit.
bool read(const std::string& text, double& value) {
    const std::string padded = text + ",\n" + std::string(pyexpr::kReadable, '7');
    const char* const begin = padded.data();
    double other = 0.0;
    const bool is_number = pyexpr::read_number(begin, begin + text.size(), value);
    CHECK(pyexpr::read_short_number(begin, begin + text.size(), other) == is_number);
    CHECK(std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(other));
    return is_number;
}

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

// The C library's, in the C locale that tests run in.
void check_nearest(const std::string& text) {
    double value = 0.0;
    const double expected = std::strtod(text.c_str(), nullptr);
    INFO(text);
    CHECK(read(text, value));
    if (std::isinf(expected)) {
        CHECK(std::isnan(value));
    } else {
        CHECK(bits(value) == bits(expected));
    }
}

std::string digits(std::mt19937_64& random, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('0' + random() % 10);
    return text;
}

}  // namespace

TEST_CASE("numbers of any shape are the nearest double") {
    std::mt19937_64 random(1);
    for (int i = 0; i < 20'000; ++i) {
        std::string text = random() % 3 ? "" : "-";
        text += digits(random, random() % 12 + (random() % 20 == 0 ? 20 : 0));
        if (random() % 4) text += "." + digits(random, random() % 12);
        if (text.find_first_of("0123456789") == std::string::npos) text += "0";
        if (random() % 5 == 0) {
            text += random() % 2 ? "e" : "E";
            text += std::vector<std::string>{"", "-", "+"}[random() % 3];
            text += std::to_string(random() % (random() % 2 ? 340 : 30));
        }
        check_nearest(text);
    }
}

TEST_CASE("doubles printed in 17 digits come back") {
    std::mt19937_64 random(2);
    for (int i = 0; i < 20'000; ++i) {
        const double value = std::bit_cast<double>(random());
        if (!std::isfinite(value)) continue;
        char text[64];
        std::snprintf(text, sizeof text, "%.*e", 16 + static_cast<int>(random() % 8), value);
        double back = 0.0;
        CHECK(read(text, back));
        CHECK(bits(back) == bits(value));
    }
}

TEST_CASE("hard cases") {
    for (const char* text : {"9007199254740992",
                             "9007199254740993",
                             "9007199254740992.5",
                             "9007199254740993.0000001",
                             "1e22",
                             "1e23",
                             "9007199254740993e22",
                             "123456789012345678901234567890",
                             "0.1e-22",
                             "2.2250738585072011e-308",
                             "2.2250738585072012e-308",
                             "2.2250738585072014e-308",
                             "4.9406564584124654e-324",
                             "2.4703282292062327e-324",
                             "2.4703282292062328e-324",
                             "1.7976931348623157e308",
                             "1.7976931348623159e308",
                             "1e309",
                             "-1e309",
                             "1e-400",
                             "0e999999999999",
                             "1e999999999999",
                             "1e-999999999999",
                             "-0",
                             "-0.0",
                             "00000000.1",
                             "0000000000000000000000000000000001",
                             "100000000000000000000000000000000000000000",
                             "1.00000000000000011102230246251565",
                             "1.00000000000000011102230246251566",
                             "7.2057594037927933e16",
                             "6.0221367e23",
                             "0.000000000000000000000000000000000001",
                             "1.",
                             ".5",
                             "5.e3"}) {
        check_nearest(text);
    }
    // More digits than any exact sum of halves has: what decides is the last of them.
    const std::string half = "1.00000000000000011102230246251565404236316680908203125";
    check_nearest(half);
    check_nearest(half + std::string(900, '0') + "1");
    check_nearest("0." + std::string(400, '0') + "1e401");
    check_nearest("1" + std::string(400, '0') + "e-400");
}

TEST_CASE("blanks and tabs around a number do not count, within it they do") {
    double value = 0.0;
    for (const char* text : {" 1.5", "  1.5", "1.5 ", "\t1.5\t ", "+1.5", " +1.5"}) {
        CHECK(read(text, value));
        CHECK(value == 1.5);
    }
    for (const char* text : {"1 5", "- 1.5", "1. 5", "1 .5", "\v1", "1\r"}) {
        CHECK_FALSE(read(text, value));
        CHECK(std::isnan(value));
    }
}

TEST_CASE("words for a missing value") {
    double value = 0.0;
    for (const char* text :
         {"",           " ",       "     ", "nan",  "NaN",      "-nan",      "+NAN",    "-nan(ind)",
          "nan(snan)",  "NaN()",   "inf",   "-Inf", "INFINITY", "+infinity", "NA",      "N/A",
          "#N/A",       "null",    "NULL",  "None", " NA ",     "1.#QNAN",   "-1.#IND", "1.#IND00",
          "-1.#INF000", "1.#SNAN", "+1.#R", "1.#J", "-1.#QO"}) {
        INFO(text);
        CHECK(read(text, value));
        CHECK(std::isnan(value));
    }
    for (const char* text :
         {"-",          "+",     ".",        "-.",       "e5",          "1e",    "1e+",  "1.2.3",
          "--1",        "+-1",   "1-",       "0x10",     "1_0",         "na",    "-NA",  "nul",
          "none",       "nan(",  "nan(a",    "nan(a-b)", "nan)",        "nani",  "infi", "1.#",
          "1.#IND0000", "1.#R0", "1.#QNA",   "1,5",      "1;5",         "12:30", "true", "abc",
          "1e5.0",      "1.5f",  "\xd9\xa3", "1\xff",    "\xef\xbc\x92"}) {
        INFO(text);
        CHECK_FALSE(read(text, value));
        CHECK(std::isnan(value));
    }
    // A NUL is a character like any other.
    CHECK_FALSE(read(std::string("1\0", 2), value));
    CHECK_FALSE(read(std::string("\0001", 2), value));
}

TEST_CASE("every text of two characters, and a sign and four of few") {
    double value = 0.0;
    for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
            const std::string text{static_cast<char>(a), static_cast<char>(b)};
            read(text, value);
        }
    }
    const std::string few = " -.09e";
    std::string text = "-0000";
    for (std::size_t i = 0; i < few.size() * few.size() * few.size() * few.size(); ++i) {
        std::size_t rest = i;
        for (std::size_t place = 1; place < 5; ++place, rest /= few.size()) {
            text[place] = few[rest % few.size()];
        }
        if (read(text, value) && !std::isnan(value)) {
            CHECK(bits(value) == bits(std::strtod(text.c_str(), nullptr)));
        }
    }
}

TEST_SUITE_END();
