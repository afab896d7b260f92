// The verdicts of IFEval's own Python code on answers of ours, made by make_ifeval_reference.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "evaluate/instruction_checks.h"

namespace valuelens {
namespace {

using nlohmann::json;

/// Names of records by the reason for which our verdict is another one.
using Different = std::map<std::string, std::vector<std::string>>;

/// What docs/evaluations.md tells.
Different on_purpose() {
    return {
        {"capital words are our tokens, not those of word_tokenize",
         {
             R"(change_case:capital_word_frequency/cannot/"at least", 4)",
             R"(change_case:capital_word_frequency/possessive/"at least", 3)",
             R"(change_case:capital_word_frequency/dash/"less than", 5)",
         }},
        {"sentences are ICU's, not punkt's",
         {
             R"(length_constraints:number_sentences/abbreviations/"less than", 4)",
             R"(length_constraints:number_sentences/initials/"at least", 4)",
             R"(length_constraints:number_sentences/brackets/"at least", 4)",
             R"(length_constraints:number_sentences/question marks/"at least", 4)",
             R"(length_constraints:number_sentences/bold/"less than", 4)",
             R"(length_constraints:number_sentences/chinese/"at least", 2)",
         }},
        {"we count a mark that is no letter; there a random letter takes its place",
         {
             R"(keywords:letter_frequency/marks/"#", "less than", 3)",
         }},
        {"JSON is what nlohmann::json reads, not Python's json",
         {
             "detectable_format:json_format/not a number",
             "detectable_format:json_format/infinity",
             "detectable_format:json_format/huge",
             "detectable_format:json_format/half of a pair",
             "detectable_format:json_format/byte order mark",
         }},
        {"keywords are sought by Unicode's rules of case and marks, not by those of Python's re",
         {
             R"(keywords:existence/double s/["Straße"])",
             R"(keywords:existence/dotless/["a.b", "kin"])",
             R"(keywords:forbidden_words/combining/["can", "ride"])",
             R"(keywords:forbidden_words/hindi/["été", "नहीं"])",
         }},
    };
}

const std::vector<json> & records() {
    static const std::vector<json> all = [] {
        std::ifstream file(std::string(VALUELENS_SOURCE_DIR) + "/tests/evaluate/ifeval_reference.jsonl");
        std::vector<json> read;
        for (std::string line; std::getline(file, line);) {
            read.push_back(json::parse(line));
        }
        return read;
    }();
    return all;
}

TEST(IfevalReference, AgreesRecordByRecordExceptWhereListed) {
    std::vector<std::string> different;
    for (const json & record : records()) {
        const InstructionCheck check = make_instruction_check(record.at("instruction"), record.at("arguments"));
        const std::string answer = record.at("answer");
        const auto agrees = [](const json & verdict, bool ours) {
            return verdict.is_null() || verdict == ours;
        };
        if (!agrees(record.at("strict"), follows_strictly(check, answer)) ||
            !agrees(record.at("loose"), follows_loosely(check, answer))) {
            different.push_back(record.at("name"));
        }
    }
    std::vector<std::string> listed;
    for (const auto & [reason, names] : on_purpose()) {
        listed.insert(listed.end(), names.begin(), names.end());
    }
    EXPECT_THAT(different, testing::UnorderedElementsAreArray(listed));
}

TEST(IfevalReference, DecidesAllButOneThatItDrawsALetterFor) {
    std::vector<std::string> undecided;
    for (const json & record : records()) {
        if (record.at("strict").is_null() || record.at("loose").is_null()) {
            undecided.push_back(record.at("name"));
        }
    }
    EXPECT_THAT(undecided, testing::ElementsAre(R"(keywords:letter_frequency/marks/"!", "at least", 1)"));
}

TEST(IfevalReference, HoldsEveryInstructionFollowedAndNot) {
    std::map<std::string, std::set<bool>> strict;
    std::size_t only_loosely = 0;
    for (const json & record : records()) {
        if (record.at("strict").is_boolean()) {
            strict[record.at("instruction")].insert(record.at("strict").get<bool>());
        }
        only_loosely += record.at("strict") == false && record.at("loose") == true ? 1 : 0;
    }
    EXPECT_EQ(strict.size(), 25u);
    for (const auto & [instruction, verdicts] : strict) {
        EXPECT_EQ(verdicts.size(), 2u) << instruction;
    }
    EXPECT_GT(only_loosely, 40u);
}

} // namespace
} // namespace valuelens
