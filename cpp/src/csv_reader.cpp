#include "pyexpr/csv_reader.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "number_lanes.hpp"
#include "pyexpr/checked_size.hpp"
#include "pyexpr/decimal_number.hpp"
#include "pyexpr/sha256.hpp"
#include "separators.hpp"

namespace pyexpr {
namespace {

// Rows that there is memory for at first.
constexpr std::size_t kFewRows = 64;
// Bytes before and behind the text that are looked at, whatever they are.
constexpr std::size_t kAround = kReadableBefore + kBlock + kReadable;
// Places in a text are held in 32 bits, with room for what is put around it.
constexpr std::size_t kLongestText = std::numeric_limits<std::uint32_t>::max() - 4 * kAround;

// Bytes hashed while the four fields after them are read: two blocks, as many as the processor
// overlaps, and about as many bytes as four of the columns of a recording that are read stand for.
constexpr std::size_t kHashedAtOnce = 128;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::size_t decimals(std::string_view text) {
    const auto point = text.find('.');
    return point == std::string_view::npos ? 0 : text.size() - point - 1;
}

}  // namespace

void Numbers::resize(std::size_t count) {
    // Never 0 bytes, of which realloc() may make anything.
    const std::size_t bytes = checked_product(std::max<std::size_t>(1, count), sizeof(double));
    auto* const resized = static_cast<double*>(std::realloc(memory_.get(), bytes));
    if (resized == nullptr) throw std::bad_alloc();
    static_cast<void>(memory_.release());
    memory_.reset(resized);
}

class CsvReader::Work {
  public:
    explicit Work(CsvLayout layout) : layout_(std::move(layout)), numbers_(layout_.tables.size()) {
        for (const auto& table : layout_.tables) {
            for (const std::uint32_t column : table) {
                if (column >= layout_.n_columns) {
                    throw std::invalid_argument("a column to be read lies beyond the row");
                }
            }
            unread_.emplace_back(table.size());
        }
        taken_.resize(numbers_.size());
    }

    bool feed(const char* text, std::size_t length, Sha256* hash) {
        if (ended_) throw std::invalid_argument("the text has ended: nothing can be added to it");
        append(text, length);
        hash_ = hash;
        to_hash_ = hash == nullptr ? std::string_view() : std::string_view(text, length);
        const std::size_t taken = take_lines();
        hash_some(to_hash_.size());
        bytes_taken_ += taken;
        end_ -= taken;
        std::memmove(this->text(), this->text() + taken, end_);
        too_long_ = too_long_ || end_ > layout_.longest_line;
        return !too_long_;
    }

    bool finish() {
        ended_ = true;
        if (end_ > 0 && !too_long_) {
            unended_ = true;
            append("\n", 1);
            take_lines();
            end_ = 0;
        }
        return !too_long_;
    }

    Numbers take(std::size_t table, std::size_t room) {
        const std::size_t width = n_columns(table);
        if (taken_[table]) throw std::invalid_argument("the table was taken before");
        ended_ = true;
        Numbers& numbers = numbers_[table];
        numbers.resize(checked_product(std::max(n_rows_, room), width));
        taken_[table] = true;
        return std::move(numbers);
    }

    std::size_t n_columns(std::size_t table) const {
        if (table >= numbers_.size()) throw std::invalid_argument("there is no such table");
        return layout_.tables[table].size();
    }

    std::optional<UnreadField> unread() const {
        for (const auto& table : unread_) {
            for (const auto& field : table) {
                if (field) return field;
            }
        }
        return std::nullopt;
    }

    std::size_t n_rows_ = 0;
    std::vector<std::int64_t> cut_;
    std::vector<std::int64_t> overlong_;

  private:
    char* text() { return text_.data() + kReadableBefore; }
    const char* text() const { return text_.data() + kReadableBefore; }

    void append(const char* text, std::size_t length) {
        if (length > kLongestText - end_) {
            throw std::invalid_argument("a piece of text, or a line, is longer than 4 GiB");
        }
        if (end_ + length + kAround > text_.size()) text_.resize(end_ + length + kAround);
        if (length > 0) std::memcpy(this->text() + end_, text, length);
        end_ += length;
    }

    // Takes the lines that have ended, and returns where the rest begins.
    std::size_t take_lines() {
        separators_.find(text(), end_, after_return_);
        std::size_t start = 0;
        std::size_t before = 0;
        last_field_ = {};
        for (const std::uint32_t end : separators_.line_ends()) {
            std::uint32_t* const row = separators_.places() + before;
            const std::size_t stop = separators_.places()[end];
            start += after_return_ && text()[start] == '\n';
            after_return_ = text()[stop] == '\r';
            // Fields begin behind a place, the first one behind this.
            row[0] = static_cast<std::uint32_t>(start) - 1;
            take_line(row, end - before, stop - start, stop);
            start = stop + 1;
            before = end;
        }
        if (last_field_.data() != nullptr) model_ = trimmed(last_field_);
        return start;
    }

    void take_line(const std::uint32_t* row, std::size_t n_fields, std::size_t length,
                   std::size_t stop) {
        too_long_ = too_long_ || length > layout_.longest_line;
        if (lines_skipped_ < layout_.skip_lines) {
            ++lines_skipped_;
            return;
        }
        if (length == 0) return;
        ++row_;
        if (n_fields > layout_.n_columns) {
            overlong_.push_back(row_);
        } else if (n_fields < layout_.n_columns || (unended_ && is_cut(last_field(row)))) {
            cut_.push_back(row_);
        } else {
            make_room(stop);
            take_row(row);
        }
    }

    std::string_view last_field(const std::uint32_t* row) const {
        const std::uint32_t begin = row[layout_.n_columns - 1] + 1;
        return {text() + begin, row[layout_.n_columns] - begin};
    }

    bool is_cut(std::string_view field) const {
        field = trimmed(field);
        double value = 0.0;
        return !model_ || field.empty() ||
               !read_number(field.data(), field.data() + field.size(), value) ||
               decimals(field) < decimals(*model_);
    }

    void take_row(const std::uint32_t* row) {
        for (std::size_t t = 0; t < numbers_.size(); ++t) {
            const std::vector<std::uint32_t>& columns = layout_.tables[t];
            double* const values = numbers_[t].data() + n_rows_ * columns.size();
            std::size_t i = 0;
            for (; wide_ && i + 4 <= columns.size(); i += 4) {
                hash_some(kHashedAtOnce);
                const int read = read_four(text(), row, columns.data() + i, values + i);
                if (read == 0xF) continue;
                for (std::size_t lane = 0; lane < 4; ++lane) {
                    if (!(read >> lane & 1)) take_field(row, t, i + lane, values[i + lane]);
                }
            }
            for (; i < columns.size(); ++i) take_field(row, t, i, values[i]);
        }
        last_field_ = last_field(row);
        ++n_rows_;
    }

    void hash_some(std::size_t length) {
        if (to_hash_.empty()) return;
        const std::string_view some = to_hash_.substr(0, length);
        hash_->add(some.data(), some.size());
        to_hash_.remove_prefix(some.size());
    }

    void take_field(const std::uint32_t* row, std::size_t table, std::size_t column,
                    double& value) {
        const std::uint32_t* const place = row + layout_.tables[table][column];
        // In 32 bits: of the first field of the text this is -1 + 1.
        const char* const begin = text() + std::uint32_t{place[0] + 1};
        const char* const end = text() + place[1];
        if (read_short_number(begin, end, value)) return;
        std::optional<UnreadField>& first = unread_[table][column];
        if (first) return;
        const std::string_view field(begin, static_cast<std::size_t>(end - begin));
        first = UnreadField{table, column, row_, std::string(trimmed(field))};
    }

    // Makes room for a row that stops there in the text.
    void make_room(std::size_t stop) {
        if (n_rows_ < room_) return;
        const double done = static_cast<double>(bytes_taken_ + stop + 1);
        const double all = std::max(done, static_cast<double>(layout_.n_bytes));
        const double rows = static_cast<double>(n_rows_ + 1) * all / done;
        const std::size_t expected =
            layout_.n_bytes > 0 ? static_cast<std::size_t>(rows * 1.02) : n_rows_ + n_rows_ / 2;
        room_ = std::max(expected, n_rows_ + n_rows_ / 16) + kFewRows;
        for (std::size_t t = 0; t < numbers_.size(); ++t) {
            numbers_[t].resize(checked_product(room_, layout_.tables[t].size()));
        }
    }

    CsvLayout layout_;
    std::vector<Numbers> numbers_;
    std::vector<std::vector<std::optional<UnreadField>>> unread_;
    bool wide_ = layout_.widest && has_number_lanes();
    // The text that is not taken yet: text()[0, end_).
    std::vector<char> text_;
    std::size_t end_ = 0;
    Separators separators_;
    bool after_return_ = false;
    bool unended_ = false;
    bool too_long_ = false;
    bool ended_ = false;
    std::vector<bool> taken_;
    std::size_t bytes_taken_ = 0;
    std::size_t lines_skipped_ = 0;
    std::size_t room_ = 0;
    std::int64_t row_ = 0;
    // The last field of the last whole row, while the text stands, and what is kept of it.
    std::string_view last_field_;
    std::optional<std::string> model_;
    // What of a piece is to be hashed yet.
    Sha256* hash_ = nullptr;
    std::string_view to_hash_;
};

CsvReader::CsvReader(CsvLayout layout) : work_(std::make_unique<Work>(std::move(layout))) {}
CsvReader::CsvReader(CsvReader&&) noexcept = default;
CsvReader::~CsvReader() = default;

bool CsvReader::feed(const char* text, std::size_t length, Sha256* hash) {
    return work_->feed(text, length, hash);
}
bool CsvReader::finish() { return work_->finish(); }
std::size_t CsvReader::n_rows() const noexcept { return work_->n_rows_; }
std::size_t CsvReader::n_columns(std::size_t table) const { return work_->n_columns(table); }
const std::vector<std::int64_t>& CsvReader::cut() const noexcept { return work_->cut_; }
const std::vector<std::int64_t>& CsvReader::overlong() const noexcept { return work_->overlong_; }
std::optional<UnreadField> CsvReader::unread() const { return work_->unread(); }
Numbers CsvReader::take(std::size_t table, std::size_t room) { return work_->take(table, room); }

}  // namespace pyexpr
