#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "concepts/files.h"
#include "support/expect_error.h"
#include "valuelens/query.h"

namespace valuelens {
namespace {

std::vector<std::string> texts_of(const QuerySet & set) {
    std::vector<std::string> texts;
    for (const Query & query : set.queries) {
        texts.push_back(query.text);
    }
    return texts;
}

class QueryFile : public testing::Test {
protected:
    void expect_refused(const std::string & name, const std::string & contents, const std::vector<std::string> & words,
                        const QueryOptions & options = {}) const {
        const auto path = files_.write(name, contents);
        expect_error(ErrorKind::bad_input, words, [&] { load_queries(path, options); });
    }
    FileFolder files_;
};

TEST_F(QueryFile, JsonLinesWithAnyOfTheKeys) {
    const QuerySet set =
        load_queries(files_.write("q.jsonl", "{\"text\": \"one?\", \"id\": \"a\", \"topic\": \"work\"}\n"
                                             "{\"query\": \"two?\", \"id\": 7}\n"
                                             "\n"
                                             "{\"prompt\": \"three?\"}\n"
                                             "{\"user\": \"four?\", \"text\": null}\n"));
    EXPECT_THAT(texts_of(set), testing::ElementsAre("one?", "two?", "three?", "four?"));
    EXPECT_EQ(set.queries[0].id, "a");
    EXPECT_EQ(set.queries[0].topic, "work");
    EXPECT_EQ(set.queries[1].id, "7");
    EXPECT_EQ(set.queries[2].id, "n4");
}

TEST_F(QueryFile, ShareGptTakesTheFirstHumanTurn) {
    const std::string data = R"([
        {"id": "x_0", "conversations": [{"from": "system", "value": "Be nice."},
                                        {"from": "human", "value": "First?"}, {"from": "gpt", "value": "Yes."},
                                        {"from": "human", "value": "Second?"}]},
        {"id": "x_1", "conversations": [{"from": "gpt", "value": "continued"}]},
        {"id": "x_2", "conversations": []},
        {"id": "x_3", "conversations": [{"from": "user", "value": "First?"}]},
        {"id": "x_0", "conversations": [{"from": "user", "value": "Other?"}]}
    ])";
    const QuerySet set = load_queries(files_.write("sharegpt.json", data));
    EXPECT_THAT(texts_of(set), testing::ElementsAre("First?", "Other?"));
    EXPECT_EQ(set.without_user, 2u);
    EXPECT_EQ(set.duplicates, 1u);
    EXPECT_EQ(set.queries[0].id, "x_0");
    EXPECT_EQ(set.queries[1].id, "x_0-2") << "an id that the data set repeats must be made unique";
}

TEST_F(QueryFile, LmsysIsFilteredByLanguage) {
    const std::string data =
        R"({"conversation_id": "c1", "model": "m", "conversation": [{"content": "Hello?", "role": "user"}, {"content": "Hi", "role": "assistant"}], "turn": 1, "language": "English", "redacted": false}
{"conversation_id": "c2", "model": "m", "conversation": [{"content": "Hallo?", "role": "user"}], "turn": 1, "language": "German"}
{"conversation_id": "c3", "model": "m", "conversation": [{"content": "Why?", "role": "user"}], "turn": 1, "language": "English"}
)";
    const auto path = files_.write("lmsys.jsonl", data);
    EXPECT_EQ(load_queries(path).queries.size(), 3u);
    QueryOptions english;
    english.language = "English";
    const QuerySet set = load_queries(path, english);
    EXPECT_THAT(texts_of(set), testing::ElementsAre("Hello?", "Why?"));
    EXPECT_EQ(set.filtered, 1u);
    EXPECT_EQ(set.queries[1].id, "c3");

    english.language = "Klingon";
    expect_refused("lmsys.jsonl", data, {"lmsys.jsonl", "no query", "3 conversations in other languages"}, english);
    english.language = "English";
    expect_refused("none.jsonl",
                   R"({"conversation_id": "c1", "conversation": [{"content": "Hello?", "role": "user"}]})",
                   {"none.jsonl:1", "\"language\" is missing"}, english);
    expect_error(ErrorKind::usage, {"LMSYS"}, [&] { load_queries(files_.write("q.txt", "One?\n"), english); });
}

TEST_F(QueryFile, PlainTextIsOneQueryALine) {
    const QuerySet set = load_queries(files_.write("q.txt", "\xEF\xBB\xBFOne?\r\n\r\n  Two?  \r\n[three]\r\nOne?\r\n"));
    EXPECT_THAT(texts_of(set), testing::ElementsAre("One?", "Two?", "[three]"));
    EXPECT_EQ(set.duplicates, 1u);
    EXPECT_EQ(set.queries[1].id, "n3");
}

TEST_F(QueryFile, ByteOrderMarkAndWindowsLineBreaksAreFineInJson) {
    EXPECT_THAT(
        texts_of(load_queries(files_.write("q.jsonl", "\xEF\xBB\xBF{\"text\": \"One?\"}\r\n{\"text\": \"Two?\"}\r\n"))),
        testing::ElementsAre("One?", "Two?"));
    EXPECT_THAT(
        texts_of(load_queries(files_.write("q.json", "\xEF\xBB\xBF[{\"text\": \"One?\"},\r\n{\"text\": \"Two?\"}]"))),
        testing::ElementsAre("One?", "Two?"));
}

TEST_F(QueryFile, BadRecordsAreRefusedByPlace) {
    const std::string good = "{\"text\": \"One?\"}\n";
    expect_refused("q.jsonl", good + "{\"text\": \"Two?\"", {"q.jsonl:2", "not valid JSON", "column"});
    expect_refused("q.jsonl", good + "[1]\n", {"q.jsonl:2", "array", "expected an object"});
    expect_refused("q.jsonl", good + "{\"topic\": \"x\"}\n", {"q.jsonl:2", "no query"});
    expect_refused("q.jsonl", good + "{\"text\": 3}\n", {"q.jsonl:2", "\"text\" is a JSON number", "string"});
    expect_refused("q.jsonl", good + "{\"text\": \"  \"}\n", {"q.jsonl:2", "\"text\" is empty"});
    expect_refused("q.jsonl", good + "{\"text\": \"a\", \"query\": \"b\"}\n", {"q.jsonl:2", "\"text\"", "\"query\""});
    expect_refused("q.jsonl", good + "{\"text\": \"\xFF\"}\n", {"q.jsonl:2", "UTF-8"});
    expect_refused("q.jsonl", "{\"text\": \"a\", \"id\": \"x\"}\n{\"text\": \"b\", \"id\": \"x\"}\n",
                   {"q.jsonl:2", "id \"x\"", "q.jsonl:1"});
    expect_refused("q.txt", "One?\nTwo \xC3\x28\n", {"q.txt:2", "UTF-8"});
    expect_refused("q.json", "[{\"text\": \"One?\"}, {\"text\": \"\"}]", {"q.json: element 1", "\"text\" is empty"});
    expect_refused("q.json", "[{\"text\": \"One?\"}, 7]", {"q.json: element 1", "number"});
    expect_refused("q.json", "[{\"text\": \"One?\"},\n {\"text\"}]", {"q.json:2", "not valid JSON"});
    expect_refused("q.json", "[]", {"q.json", "empty JSON array"});
    expect_refused("q.json", "[{\"wrong\": 1}]", {"q.json: element 0", "no known format"});
    expect_refused("q.json", "hello", {"q.json", "not JSON"});
    expect_refused("q.jsonl", "", {"q.jsonl", "is empty"});
    expect_refused("q.txt", "\n\n", {"q.txt", "is empty"});
    expect_refused("s.json", R"([{"conversations": [{"from": "human", "value": ""}]}])",
                   {"s.json: element 0", "turn 0", "\"value\" is empty"});
    expect_refused("s.json", R"([{"conversations": [{"value": "x"}]}])", {"s.json: element 0", "\"from\" is missing"});
    expect_refused("s.json", R"([{"conversations": 5}])", {"s.json: element 0", "\"conversations\"", "array"});
    expect_refused("v.json", R"([{"content": {"title": "t"}}])", {"v.json: element 0", "\"text\" is missing"});
    expect_refused("v.json", R"([{"content": "t"}])", {"v.json: element 0", "\"content\""});
    expect_error(ErrorKind::bad_input, {"none.jsonl", "cannot be read"}, [&] { load_queries(files_ / "none.jsonl"); });
}

TEST_F(QueryFile, AStatedFormatIsHeldTo) {
    QueryOptions options;
    options.format = QueryFormat::sharegpt;
    expect_refused("q.jsonl", "{\"text\": \"One?\"}\n", {"q.jsonl:1", "\"conversations\" is missing"}, options);
}

TEST_F(QueryFile, FormatsHaveTheNamesThatAConfigWrites) {
    EXPECT_EQ(query_format_name(load_queries(files_.write("q.txt", "What now?\n")).format), "text");
    EXPECT_EQ(query_format_name(shipped_queries().format), "jsonl");
    for (const QueryFormat format : {QueryFormat::detect, QueryFormat::jsonl, QueryFormat::sharegpt, QueryFormat::lmsys,
                                     QueryFormat::text, QueryFormat::value_portrait}) {
        EXPECT_EQ(query_format_named(query_format_name(format)), format);
    }
    EXPECT_EQ(query_format_named("parquet"), std::nullopt);
}

TEST_F(QueryFile, LimitTakesTheFirstAndASampleIsSeeded) {
    std::string lines;
    for (int i = 0; i < 100; ++i) {
        lines += "Question " + std::to_string(i) + "?\n";
    }
    const auto path = files_.write("q.txt", lines);
    QueryOptions options;
    options.limit = 3;
    EXPECT_THAT(texts_of(load_queries(path, options)),
                testing::ElementsAre("Question 0?", "Question 1?", "Question 2?"));

    options.limit = 20;
    options.sample = true;
    options.seed = 1;
    const auto first = texts_of(load_queries(path, options));
    EXPECT_EQ(first, texts_of(load_queries(path, options)));
    EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), 20u);
    options.seed = 2;
    EXPECT_NE(first, texts_of(load_queries(path, options)));
    options.limit = 1000;
    EXPECT_EQ(load_queries(path, options).queries.size(), 100u);
}

TEST(ValuePortrait, RealFilesLoad) {
    const std::filesystem::path folder = shared_data / "value-portrait";
    if (!std::filesystem::exists(folder)) {
        GTEST_SKIP() << folder << " is absent";
    }
    for (const char * name : {"DearAbby", "LMSYS", "Reddit", "ShareGPT"}) {
        const auto path = folder / ("query-" + std::string(name) + ".json");
        const QuerySet set = load_queries(path);
        EXPECT_EQ(set.queries.size(), 24u) << name;
        EXPECT_EQ(set.duplicates, 0u) << name;
        EXPECT_EQ(set.queries[0].topic, name);
        const auto content = nlohmann::json::parse(read_file(path))[0]["content"];
        const std::string text = content["text"];
        EXPECT_EQ(set.queries[0].text,
                  content["title"].is_null() ? text : content["title"].get<std::string>() + "\n\n" + text);
    }
    const QuerySet tagged = load_queries(folder / "query-response-tagged.json");
    EXPECT_EQ(tagged.queries.size(), 104u);
    EXPECT_EQ(tagged.queries[0].id, "1025");
}

TEST(ValuePortrait, AQueryWithSeveralResponsesIsTakenOnce) {
    FileFolder files;
    const QuerySet set = load_queries(files.write("tagged.json", R"([
        {"content": {"title": "T", "text": "Q?"}, "response": "one", "portrait_id": 1},
        {"content": {"title": "T", "text": "Q?"}, "response": "two", "portrait_id": 1}])"));
    EXPECT_THAT(texts_of(set), testing::ElementsAre("T\n\nQ?"));
    EXPECT_EQ(set.duplicates, 1u);
}

TEST(ShippedQueries, AreManyAndDistinctOverManyTopics) {
    const QuerySet set = shipped_queries();
    EXPECT_GE(set.queries.size(), 400u);
    EXPECT_EQ(set.duplicates, 0u);
    std::set<std::string> topics;
    for (const Query & query : set.queries) {
        EXPECT_FALSE(query.topic.empty()) << query.id;
        topics.insert(query.topic);
    }
    EXPECT_GE(topics.size(), 24u);
}

} // namespace
} // namespace valuelens
