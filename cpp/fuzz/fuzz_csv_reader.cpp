// libFuzzer: any text into the reader of comma-separated numbers, whole and in pieces, with all the
// instructions the processor has and without: the same tables, or the process ends. `make fuzz`.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "pyexpr/csv_reader.hpp"
#include "pyexpr/sha256.hpp"

namespace {

struct Read {
    std::vector<std::vector<double>> tables;
    std::vector<std::int64_t> cut, overlong;
    std::optional<std::string> unread;
    bool whole = true;
};

Read read(pyexpr::CsvLayout layout, const char* text, std::size_t length, std::size_t piece) {
    const auto tables = layout.tables;
    pyexpr::CsvReader reader(std::move(layout));
    Read found;
    pyexpr::Sha256 hash;
    std::size_t hashed = 0;
    for (std::size_t at = 0; found.whole && at < length; at += piece) {
        // A copy that ends where the piece does: the sanitizer sees what is read behind it.
        const std::vector<char> own(text + at, text + std::min(at + piece, length));
        found.whole = reader.feed(own.data(), own.size(), &hash);
        hashed += own.size();
    }
    pyexpr::Sha256 apart(false);
    apart.add(text, hashed);
    if (hash.digest() != apart.digest()) std::abort();
    if (found.whole) found.whole = reader.finish();
    found.cut = reader.cut();
    found.overlong = reader.overlong();
    if (const auto field = reader.unread()) {
        found.unread = std::to_string(field->table) + ":" + std::to_string(field->column) + ":" +
                       std::to_string(field->row) + ":" + field->text;
    }
    const std::size_t n_rows = reader.n_rows();
    for (std::size_t t = 0; t < tables.size(); ++t) {
        pyexpr::Numbers numbers = reader.take(t);
        const std::size_t n = n_rows * tables[t].size();
        found.tables.emplace_back(numbers.data(), numbers.data() + n);
    }
    return found;
}

bool same(const Read& a, const Read& b) {
    // Where a line was too long, how much had been read by then depends on the pieces.
    if (a.whole != b.whole) return false;
    if (!a.whole) return true;
    if (a.cut != b.cut || a.overlong != b.overlong || a.unread != b.unread) return false;
    for (std::size_t t = 0; t < a.tables.size(); ++t) {
        if (a.tables[t].size() != b.tables[t].size()) return false;
        if (!a.tables[t].empty() && std::memcmp(a.tables[t].data(), b.tables[t].data(),
                                                a.tables[t].size() * sizeof(double)) != 0) {
            return false;
        }
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    // The first bytes are the layout, the others the text.
    pyexpr::CsvLayout layout{};
    layout.n_columns = 1 + data[0] % 12;
    layout.skip_lines = data[0] / 12 % 3;
    layout.longest_line = data[1] % 4 == 0 ? 40 : 100000;
    layout.n_bytes = data[1] % 8 < 4 ? size : 0;
    const std::size_t piece = 1 + data[2];
    for (std::size_t t = 0; t <= data[3] % 3U; ++t) {
        std::vector<std::uint32_t> table;
        for (std::size_t i = 0; i < data[3] / 3U % 9U; ++i) {
            table.push_back(static_cast<std::uint32_t>((i * (t + 1)) % layout.n_columns));
        }
        layout.tables.push_back(table);
    }
    const auto* const text = reinterpret_cast<const char*>(data + 4);
    const Read whole = read(layout, text, size - 4, size);
    const Read pieces = read(layout, text, size - 4, piece);
    layout.widest = false;
    const Read plain = read(layout, text, size - 4, size);
    if (!same(whole, plain) || (whole.whole && pieces.whole && !same(whole, pieces))) {
        std::fputs("the same text gives other tables\n", stderr);
        std::abort();
    }
    return 0;
}
