#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "concepts/dictionary.h"
#include "concepts/json_lines.h"
#include "judge/judges.h"

namespace valuelens {
namespace {

class FileJudge : public Judge {
public:
    FileJudge(const std::filesystem::path & path, const ConceptSet & concepts) : path_(path.string()) {
        const std::string text = read_file(path);
        hash_ = sha256_hex(text);
        for_each_json_record(
            text, path_, R"({"id", "value", "probability" or "expresses"})", [&](const JsonRecord & record) {
                const std::string value = record.text("value");
                const auto place = concepts.find(value);
                if (!place) {
                    record.bad("value '{}' is not in the concept set {}", value, concepts.name);
                }
                double probability = 0;
                if (const auto given = record.object.find("probability"); given != record.object.end()) {
                    if (!given->is_number() || given->get<double>() < 0 || given->get<double>() > 1) {
                        record.bad("\"probability\" must be a number from 0 to 1");
                    }
                    probability = given->get<double>();
                } else {
                    probability = record.boolean("expresses") ? 1 : 0;
                }
                if (!labels_.emplace(std::pair(record.identifier("id"), *place), probability).second) {
                    record.bad("the label of '{}' for {} comes twice", record.identifier("id"), value);
                }
            });
    }

    std::string describe() const override { return fmt::format("labels from {} ({})", path_, hash_.substr(0, 12)); }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token) override {
        std::vector<std::vector<double>> probabilities;
        for (const JudgeItem & item : items) {
            std::vector<double> row;
            for (const std::size_t value : item.values) {
                const auto found = labels_.find({item.id, value});
                row.push_back(found == labels_.end() ? std::numeric_limits<double>::quiet_NaN() : found->second);
            }
            probabilities.push_back(std::move(row));
            progress.advance(probabilities.size());
        }
        return probabilities;
    }

private:
    std::string path_;
    std::string hash_;
    std::map<std::pair<std::string, std::size_t>, double> labels_;
};

bool is_word_byte(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || (static_cast<unsigned char>(c) & 0x80) != 0 || c == '\'';
}

class DictionaryJudge : public Judge {
public:
    DictionaryJudge(const std::filesystem::path & path, const ConceptSet & concepts)
        : path_(path.string()), hash_(sha256_file(path)), dictionary_(load_value_dictionary(path, concepts)) {}

    std::string describe() const override { return fmt::format("value words of {} ({})", path_, hash_.substr(0, 12)); }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token) override {
        std::vector<std::vector<double>> probabilities;
        for (const JudgeItem & item : items) {
            const std::vector<std::string> words = split(item.text);
            std::vector<double> row;
            for (const std::size_t value : item.values) {
                const std::vector<std::string> & list = dictionary_.words[value];
                if (words.empty() || list.empty()) {
                    row.push_back(std::numeric_limits<double>::quiet_NaN());
                    continue;
                }
                const auto hits = static_cast<double>(std::count_if(
                    words.begin(), words.end(), [&](const std::string & word) { return matches(list, word); }));
                const double per_hundred = 100 * hits / static_cast<double>(words.size());
                row.push_back(1 - std::exp(-per_hundred / 10));
            }
            probabilities.push_back(std::move(row));
            progress.advance(probabilities.size());
        }
        return probabilities;
    }

private:
    static std::vector<std::string> split(const std::string & text) {
        std::vector<std::string> words;
        std::string word;
        for (const char c : lower_latin1(text) + " ") {
            if (is_word_byte(c)) {
                word.push_back(c);
            } else if (!word.empty()) {
                words.push_back(std::move(word));
                word.clear();
            }
        }
        return words;
    }

    static bool matches(const std::vector<std::string> & list, const std::string & word) {
        if (std::binary_search(list.begin(), list.end(), word)) {
            return true;
        }
        // A stem "help*" sorts at its own beginning: try each beginning of the word.
        for (std::size_t length = 1; length <= word.size(); ++length) {
            if (std::binary_search(list.begin(), list.end(), word.substr(0, length) + "*")) {
                return true;
            }
        }
        return false;
    }

    std::string path_;
    std::string hash_;
    ValueDictionary dictionary_;
};

} // namespace

std::unique_ptr<Judge> make_file_judge(const std::filesystem::path & path, const ConceptSet & concepts) {
    return std::make_unique<FileJudge>(path, concepts);
}

std::unique_ptr<Judge> make_dictionary_judge(const std::filesystem::path & path, const ConceptSet & concepts) {
    return std::make_unique<DictionaryJudge>(path, concepts);
}

} // namespace valuelens
