// Columns of numbers out of comma-separated text that arrives in pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pyexpr {

class Sha256;

// A growing array of doubles whose memory can be handed over, and which the system may grow
// where it stands.
class Numbers {
  public:
    [[nodiscard]] double* data() noexcept { return memory_.get(); }
    void resize(std::size_t count);
    [[nodiscard]] double* release() noexcept { return memory_.release(); }

  private:
    struct Free {
        void operator()(double* memory) const noexcept { std::free(memory); }
    };
    std::unique_ptr<double, Free> memory_;
};

// What is to be read, and what is known of the text.
struct CsvLayout {
    std::size_t n_columns;     // of a whole row
    std::size_t skip_lines;    // lines before the first row, empty ones too
    std::size_t longest_line;  // characters that a line may have
    std::size_t n_bytes;       // of the whole text, 0 if unknown: to ask for memory once
    // For each table to be made its columns, by their positions in a row, from 0.
    std::vector<std::vector<std::uint32_t>> tables;
    // Whether to use all instructions the processor has; the numbers are the same without.
    bool widest = true;
};

// A field that holds neither a number nor a word for a missing one.
struct UnreadField {
    std::size_t table;
    std::size_t column;  // of the table
    std::int64_t row;
    std::string text;  // without blanks around it
};

// Text in, tables of doubles out: one pass, and memory for the tables, a piece and a line.
//
// Fields are separated by commas and have no quotes; a line ends with \n, \r or \r\n; empty
// lines do not count. Rows are numbered from 1, those with too few or too many fields too: these
// are dropped whole. Values are as read_number() reads them. Fields that are not asked for may
// hold anything.
//
// Where the text ends without the end of a line, and this line has all its fields, the last of
// them may have been cut. The row then counts as one with too few fields, if the field is empty,
// or not to be read, or has fewer decimals than that of the whole row before, and if there is no
// such row to compare it with.
//
// O(bytes), if pieces are longer than lines; the tables are the same for any pieces.
class CsvReader {
  public:
    // Throws std::invalid_argument if a column lies beyond the row.
    explicit CsvReader(CsvLayout layout);
    CsvReader(CsvReader&&) noexcept;
    ~CsvReader();

    // Takes the next piece of the text; false if a line is too long, and then no more is taken.
    // Throws std::invalid_argument after finish() or take(), and for 4 GiB in a piece or line.
    //
    // With a `hash` the piece is added to it, too, whatever is returned. Instructions for hashing
    // wait for one another, and those for reading numbers fill the time.
    [[nodiscard]] bool feed(const char* text, std::size_t length, Sha256* hash = nullptr);

    // The text has ended; false as before.
    [[nodiscard]] bool finish();

    [[nodiscard]] std::size_t n_rows() const noexcept;
    // Columns of a table; throws std::invalid_argument if it is not there.
    [[nodiscard]] std::size_t n_columns(std::size_t table) const;
    // The rows with too few fields, and with too many.
    [[nodiscard]] const std::vector<std::int64_t>& cut() const noexcept;
    [[nodiscard]] const std::vector<std::int64_t>& overlong() const noexcept;
    // Of the first table and column that has such fields, its first one.
    [[nodiscard]] std::optional<UnreadField> unread() const;
    // A requested table, n_rows() x columns, row by row; once, after finish(). Behind it
    // there is memory, which holds anything, up to `room` rows. Throws std::invalid_argument for a
    // table that is not there, or was taken before.
    [[nodiscard]] Numbers take(std::size_t table, std::size_t room = 0);

  private:
    class Work;
    std::unique_ptr<Work> work_;
};

}  // namespace pyexpr
