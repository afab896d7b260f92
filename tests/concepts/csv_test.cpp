#include "concepts/csv.h"

#include "support/expect_error.h"

namespace valuelens {
namespace {

using testing::ElementsAre;

std::vector<CsvRow> rows_of(std::string_view text) {
    std::vector<CsvRow> rows;
    for_each_csv_row(text, "t.csv", [&](CsvRow && row) { rows.push_back(std::move(row)); });
    return rows;
}

TEST(Csv, PlainCellsKeepTheirSpaces) {
    const auto rows = rows_of("a, b ,c\n1,,3\n");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_THAT(rows[0].cells, ElementsAre("a", " b ", "c"));
    EXPECT_THAT(rows[1].cells, ElementsAre("1", "", "3"));
}

TEST(Csv, QuotedCellsHoldCommasQuotesAndLineBreaks) {
    const auto rows = rows_of("\"a,b\",\"say \"\"hi\"\"\",\"\",\"\"\"\"\n\"one\ntwo\r\nthree\",x\nlast\n");
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_THAT(rows[0].cells, ElementsAre("a,b", "say \"hi\"", "", "\""));
    EXPECT_THAT(rows[1].cells, ElementsAre("one\ntwo\r\nthree", "x"));
    EXPECT_EQ(rows[1].line, 2u);
    EXPECT_EQ(rows[2].line, 5u) << "line breaks inside a cell count";
}

TEST(Csv, LineEndsOfBothKindsBlankLinesAndByteOrderMark) {
    const auto rows = rows_of("\xEF\xBB\xBF\"a\",b\r\n\r\n\nc,\"d\"\r\ne,");
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_THAT(rows[0].cells, ElementsAre("a", "b"));
    EXPECT_THAT(rows[1].cells, ElementsAre("c", "d"));
    EXPECT_EQ(rows[1].line, 4u);
    EXPECT_THAT(rows[2].cells, ElementsAre("e", "")) << "a comma at the end of the text opens an empty cell";
    EXPECT_TRUE(rows_of("").empty());
    EXPECT_TRUE(rows_of("\n\r\n").empty());
}

TEST(Csv, BrokenRecordsAreRefusedByLine) {
    const auto expect_refused = [](std::string_view text, const std::vector<std::string> & words) {
        expect_error(ErrorKind::bad_input, words, [&] { rows_of(text); });
    };
    expect_refused("a,b\nc,5\" pipe\n", {"t.csv:2", "quote", "5\" pipe"});
    expect_refused("a,b\n\"c\"d,e\n", {"t.csv:2", "after the closing quote", "cell 1"});
    expect_refused("a,b\nc,\"d\ne\nf", {"t.csv:2", "never closed"});
    expect_refused("\"a\nb\",c\nd,\"\xFF\"\n", {"t.csv:3", "UTF-8"});
}

} // namespace
} // namespace valuelens
