#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "../src/separators.hpp"
#include "pyexpr/csv_reader.hpp"
#include "pyexpr/decimal_number.hpp"
#include "pyexpr/sha256.hpp"

using pyexpr::CsvLayout;
using pyexpr::CsvReader;

TEST_SUITE_BEGIN("csv_reader");

namespace {

constexpr std::size_t kLongest = 100'000;
using Tables = std::vector<std::vector<std::uint32_t>>;

struct Result {
    bool complete = true;
    std::vector<std::vector<double>> tables;
    std::vector<std::int64_t> cut, overlong;
    std::string unread;
};

std::string named(const std::optional<pyexpr::UnreadField>& field) {
    if (!field) return "";
    return std::to_string(field->table) + " " + std::to_string(field->column) + " " +
           std::to_string(field->row) + " " + field->text;
}

Result read(std::string_view text, std::size_t n_columns, const Tables& tables,
            std::size_t piece = 1'000'000, std::size_t skip = 0, std::size_t longest = kLongest,
            std::size_t n_bytes = 0, bool widest = true) {
    CsvReader reader(CsvLayout{n_columns, skip, longest, n_bytes, tables, widest});
    Result result;
    for (std::size_t at = 0; at < text.size() && result.complete; at += piece) {
        // A copy of the right length, so that the address sanitizer sees what is read beyond.
        const std::string part(text.substr(at, piece));
        result.complete = reader.feed(part.data(), part.size());
    }
    result.complete = reader.finish() && result.complete;
    for (std::size_t t = 0; t < tables.size(); ++t) {
        pyexpr::Numbers numbers = reader.take(t);
        const std::size_t count = reader.n_rows() * tables[t].size();
        result.tables.emplace_back(numbers.data(), numbers.data() + count);
    }
    result.cut = reader.cut();
    result.overlong = reader.overlong();
    result.unread = named(reader.unread());
    return result;
}

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::size_t decimals(const std::string& text) {
    return text.find('.') == std::string::npos ? 0 : text.size() - text.find('.') - 1;
}

// The definition, written down character by character and field by field.
Result brute_force(const std::string& text, std::size_t n_columns, const Tables& tables,
                   std::size_t skip) {
    std::vector<std::vector<std::string>> lines(1, std::vector<std::string>(1));
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n' || text[i] == '\r') {
            if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
            lines.emplace_back(1);
        } else if (text[i] == ',') {
            lines.back().emplace_back();
        } else {
            lines.back().back() += text[i];
        }
    }
    Result result;
    result.tables.resize(tables.size());
    std::vector<pyexpr::UnreadField> unread;
    std::int64_t number = 0;
    std::string model;
    bool any = false;
    for (std::size_t line = skip; line < lines.size(); ++line) {
        const std::vector<std::string>& fields = lines[line];
        if (fields.size() == 1 && fields[0].empty()) continue;
        ++number;
        if (fields.size() != n_columns) {
            (fields.size() < n_columns ? result.cut : result.overlong).push_back(number);
            continue;
        }
        const std::string last = trimmed(fields.back());
        double value = 0.0;
        if (line + 1 == lines.size() &&
            (!any || last.empty() ||
             !pyexpr::read_number(last.data(), last.data() + last.size(), value) ||
             decimals(last) < decimals(model))) {
            result.cut.push_back(number);
            continue;
        }
        model = last;
        any = true;
        for (std::size_t t = 0; t < tables.size(); ++t) {
            for (std::size_t i = 0; i < tables[t].size(); ++i) {
                const std::string& field = fields[tables[t][i]];
                if (!pyexpr::read_number(field.data(), field.data() + field.size(), value)) {
                    unread.push_back({t, i, number, trimmed(field)});
                }
                result.tables[t].push_back(value);
            }
        }
    }
    for (std::size_t t = 0; t < tables.size() && result.unread.empty(); ++t) {
        for (std::size_t i = 0; i < tables[t].size() && result.unread.empty(); ++i) {
            for (const auto& field : unread) {
                if (field.table == t && field.column == i) {
                    result.unread = named(field);
                    break;
                }
            }
        }
    }
    return result;
}

void check_equal(const Result& a, const Result& b) {
    CHECK(a.cut == b.cut);
    CHECK(a.overlong == b.overlong);
    CHECK(a.unread == b.unread);
    REQUIRE(a.tables.size() == b.tables.size());
    for (std::size_t t = 0; t < a.tables.size(); ++t) {
        REQUIRE(a.tables[t].size() == b.tables[t].size());
        for (std::size_t i = 0; i < a.tables[t].size(); ++i) {
            CHECK(std::bit_cast<std::uint64_t>(a.tables[t][i]) ==
                  std::bit_cast<std::uint64_t>(b.tables[t][i]));
        }
    }
}

std::string random_text(std::mt19937_64& random, std::size_t n_columns, std::size_t n_lines) {
    const std::vector<std::string> fields = {"1",   "-2.5", " 3.25", "0.125", "12345678.5", "-0.0",
                                             "nan", "",     "  7 ",  "1e-3",  "x",          "\xff"};
    const std::vector<std::string> ends = {"\n", "\n", "\r\n", "\r\n", "\r", "\n\n", "\n\r"};
    std::string text;
    for (std::size_t line = 0; line < n_lines; ++line) {
        std::size_t n = n_columns;
        if (random() % 6 == 0) n = random() % (2 * n_columns + 1);
        for (std::size_t i = 0; i < n; ++i) {
            if (i) text += ',';
            // What is no number is rarer than what is.
            text += fields[random() % (random() % 30 ? fields.size() - 2 : fields.size())];
        }
        text += ends[random() % ends.size()];
    }
    const std::size_t shorter = random() % 3 ? 0 : random() % 8;
    return text.substr(0, text.size() - std::min(text.size(), shorter));
}

}  // namespace

TEST_CASE("any text in any pieces is what its definition says") {
    std::mt19937_64 random(3);
    for (int i = 0; i < 500; ++i) {
        const std::size_t n_columns = 1 + random() % 40;
        const std::string text = random_text(random, n_columns, random() % 20);
        Tables tables(1 + random() % 3);
        for (auto& table : tables) {
            for (std::size_t n = random() % 11; n > 0; --n) {
                table.push_back(static_cast<std::uint32_t>(random() % n_columns));
            }
        }
        const std::size_t skip = random() % 3;
        const Result expected = brute_force(text, n_columns, tables, skip);
        for (const std::size_t piece :
             {std::size_t{1}, std::size_t{7}, 1 + random() % 200, std::size_t{1'000'000}}) {
            INFO(text);
            const std::size_t n_bytes = random() % 2 ? text.size() : 0;
            for (const bool widest : {true, false}) {
                check_equal(read(text, n_columns, tables, piece, skip, kLongest, n_bytes, widest),
                            expected);
            }
        }
    }
}

TEST_CASE("tables grow with the rows, whatever length was promised") {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += std::to_string(i) + ",0.5\n";
    for (const std::size_t promised :
         {std::size_t{0}, std::size_t{1}, text.size(), 100 * text.size()}) {
        const Result result = read(text, 2, {{0}, {1, 0}}, 64, 0, kLongest, promised);
        REQUIRE(result.tables[0].size() == 5000);
        for (std::size_t i = 0; i < 5000; ++i) {
            REQUIRE(result.tables[0][i] == static_cast<double>(i));
            REQUIRE(result.tables[1][2 * i] == 0.5);
            REQUIRE(result.tables[1][2 * i + 1] == static_cast<double>(i));
        }
    }
}

TEST_CASE("a table is handed over with room behind its rows") {
    const std::string text = "1,2\n3,4\n5,6\n";
    for (const std::size_t room :
         {std::size_t{0}, std::size_t{2}, std::size_t{3}, std::size_t{900}}) {
        CsvReader reader(CsvLayout{2, 0, kLongest, text.size(), {{0}, {1, 0}}, true});
        REQUIRE(reader.feed(text.data(), text.size()));
        REQUIRE(reader.finish());
        pyexpr::Numbers numbers = reader.take(1, room);
        CHECK(std::vector<double>(numbers.data(), numbers.data() + 6) ==
              std::vector<double>{2, 1, 4, 3, 6, 5});
        // The address sanitizer knows whether it is there.
        for (std::size_t i = 6; i < 2 * room; ++i) numbers.data()[i] = 0.0;
    }
}

TEST_CASE("a last line may be cut within its last number") {
    const Tables all = {{0, 1}};
    const std::string whole = "1,2.50\n3,4.50\n";
    CHECK(read(whole, 2, all).cut.empty());
    CHECK(read(whole + "5,6.50", 2, all).cut.empty());
    CHECK(read(whole + "5,6.5", 2, all).cut == std::vector<std::int64_t>{3});
    CHECK(read(whole + "5,6.500", 2, all).cut.empty());
    CHECK(read(whole + "5,-", 2, all).cut == std::vector<std::int64_t>{3});
    CHECK(read(whole + "5,", 2, all).cut == std::vector<std::int64_t>{3});
    CHECK(read(whole + "5", 2, all).cut == std::vector<std::int64_t>{3});
    CHECK(read(whole + "5,6.50,7", 2, all).overlong == std::vector<std::int64_t>{3});
    CHECK(read("1,2.50", 2, all).cut == std::vector<std::int64_t>{1});
    CHECK(read(whole + "5,6.5\n", 2, all).cut.empty());
    CHECK(read(whole + "5,6.5\r", 2, all).cut.empty());
    // The last whole row may have come with an earlier piece.
    CHECK(read(whole + "5,6.5", 2, all, 3).cut == std::vector<std::int64_t>{3});
}

TEST_CASE("a line that is too long ends the reading") {
    const std::string row = std::string(50, '1') + ",2";
    CHECK(read(row + "\n", 2, {{1}}, 10, 0, 52).complete);
    CHECK(read(row, 2, {{1}}, 1000, 0, 52).complete);
    CHECK_FALSE(read(row + "\n", 2, {{1}}, 1000, 0, 51).complete);
    CHECK_FALSE(read(row, 2, {{1}}, 10, 0, 51).complete);
    CHECK_FALSE(read(row + "\n1,2\n", 2, {{1}}, 10, 1, 51).complete);
}

TEST_CASE("columns beyond the row are refused, no table and no text are not") {
    CHECK_THROWS_AS(CsvReader(CsvLayout{3, 0, kLongest, 0, {{0}, {3}}}), std::invalid_argument);
    CHECK(read("", 3, {{0}}).tables[0].empty());
    CHECK(read("1,2,3\n", 3, {}).complete);
    CHECK(read("\n\r\n\r", 3, {{2}}).cut.empty());
}

TEST_CASE("four numbers at once are what each is alone") {
    // Everything short that can be made of these, and what is longer than eight characters.
    const std::string few = "0 -.9x+\t";
    std::vector<std::string> fields = {"",         "123456789", "-12345678", " -1234567",
                                       "12345678", "1234567.",  ".1234567",  "-.123456",
                                       "-1.2345",  "1.5 ",      "1e5",       "nan",
                                       "        ", "\xff\xff",  "1.2.3",     "..1"};
    for (std::size_t i = 0; i < few.size() * few.size() * few.size() * few.size() * few.size();
         ++i) {
        std::string field;
        for (std::size_t rest = i; rest > 0; rest /= few.size()) field += few[rest % few.size()];
        fields.push_back(field + std::string(i % 4, '7'));
    }
    std::mt19937_64 random(5);
    for (int i = 0; i < 20'000; ++i) {
        std::string field(random() % 3, ' ');
        if (random() % 2) field += '-';
        for (auto n = random() % 8; n > 0; --n) field += static_cast<char>('0' + random() % 10);
        field.insert(random() % (field.size() + 1), ".");
        fields.push_back(field);
    }
    std::string text;
    for (std::size_t i = 0; i < fields.size(); ++i) text += fields[i] + (i % 7 == 6 ? '\n' : ',');
    text = text.substr(0, text.rfind('\n') + 1);
    const Tables tables = {{0, 1, 2, 3, 4, 5, 6}, {6, 1, 4, 2}};
    const Result wide = read(text, 7, tables);
    const Result narrow = read(text, 7, tables, 1'000'000, 0, kLongest, 0, false);
    check_equal(wide, narrow);
    for (std::size_t i = 0; i < wide.tables[0].size(); ++i) {
        double value = 0.0;
        const char* const begin = fields[i].data();
        static_cast<void>(pyexpr::read_number(begin, begin + fields[i].size(), value));
        INFO(fields[i]);
        CHECK(std::bit_cast<std::uint64_t>(wide.tables[0][i]) ==
              std::bit_cast<std::uint64_t>(value));
    }
}

TEST_CASE("the instructions of this processor find what looking at each byte finds") {
    std::mt19937_64 random(4);
    for (int i = 0; i < 2000; ++i) {
        std::string text(pyexpr::kBlock, ' ');
        for (char& c : text) {
            c = static_cast<char>(random() % 3 ? random() % 256 : ",\n\r\t\x0e\x8d"[random() % 6]);
        }
        const auto fast = pyexpr::masks_of(text.data());
        const auto slow = pyexpr::masks_bytewise(text.data());
        CHECK(fast.commas == slow.commas);
        CHECK(fast.low == slow.low);
        CHECK(pyexpr::bits_in(fast.commas) == static_cast<unsigned>(std::popcount(fast.commas)));
    }
}

TEST_CASE("a piece is hashed whole, also one with a line that is too long") {
    std::string text;
    for (int row = 0; row < 300; ++row) text += "1,2,3,4,5.25,6,7,8,9\n";
    for (const std::string& end : {std::string("1,2"), std::string(400, '9')}) {
        for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::size_t{10000}}) {
            const std::string all = text + end;
            pyexpr::CsvReader reader({9, 0, 100, 0, {{0, 1, 2, 3, 4}, {8}}});
            pyexpr::Sha256 beside;
            pyexpr::Sha256 apart;
            std::size_t at = 0;
            for (bool whole = true; whole && at < all.size(); at += piece) {
                const std::size_t length = std::min(piece, all.size() - at);
                whole = reader.feed(all.data() + at, length, &beside);
                apart.add(all.data() + at, length);
            }
            CHECK(beside.digest() == apart.digest());
            static_cast<void>(reader.finish());
            CHECK(reader.n_rows() == 300);
        }
    }
}

TEST_SUITE_END();
