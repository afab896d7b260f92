#include "concepts/csv_table.h"

#include "support/expect_error.h"

namespace valuelens {
namespace {

using Rows = std::vector<std::vector<std::string>>;

void read(const std::string & text, Rows & rows, std::vector<std::string> & places) {
    for_each_csv_record(
        text, "t.csv",
        [](const CsvHeader & header) {
            header.need({"text", "item"});
        },
        [&](const auto & cells, const auto & where) {
            rows.push_back(cells);
            places.push_back(where);
        });
}

TEST(CsvTable, RecordsComeWithTheirLines) {
    Rows rows;
    std::vector<std::string> places;
    read("id, Item \n1,\"a\nb\"\n\n2,c\n", rows, places);
    EXPECT_EQ(rows, (Rows{{"1", "a\nb"}, {"2", "c"}}));
    EXPECT_THAT(places, testing::ElementsAre("t.csv:2", "t.csv:5"));
}

TEST(CsvTable, BadTablesAreRefused) {
    const auto refuse = [](const std::string & text, const std::vector<std::string> & words) {
        Rows rows;
        std::vector<std::string> places;
        expect_error(ErrorKind::bad_input, words, [&] { read(text, rows, places); });
    };
    refuse("", {"t.csv", "is empty"});
    refuse("text\n", {"t.csv", "is empty"});
    refuse("id,words\n1,a\n", {"t.csv:1", "\"text\" or \"item\"", "\"id\", \"words\""});
    refuse("id,text\n1,a,b\n", {"t.csv:2", "3 cells", "expected 2"});
}

TEST(CsvTable, TheFirstOfSeveralColumnsIsFound) {
    const CsvHeader header{{"", "idx", "IDX"}, "t.csv:1"};
    EXPECT_EQ(header.find({"idx"}), 1u);
    EXPECT_EQ(header.find({"other"}), std::nullopt);
}

} // namespace
} // namespace valuelens
