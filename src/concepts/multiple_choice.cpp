#include "concepts/multiple_choice.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "concepts/csv.h"
#include "concepts/json_lines.h"
#include "concepts/shipped.h"
#include "concepts/unique_ids.h"

namespace valuelens {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::string_view json_schema =
    R"({"id", "subject", "question", "options": [4 strings], "answer": "A" to "D", "role"?: "example"})";
constexpr std::string_view letters = "ABCD";
constexpr std::string_view digits = "0123";

/// The position that an answer key stands for.
std::optional<int> key_position(std::string_view key, std::string_view keys) {
    const std::size_t position = key.size() == 1 ? keys.find(key[0]) : std::string_view::npos;
    return position == std::string_view::npos ? std::nullopt : std::optional(static_cast<int>(position));
}

/// Collects questions, and counts those it leaves out.
class Collector {
public:
    void add(MultipleChoiceQuestion && question, const std::string & where) {
        ids_.add(question.id, where);
        const std::string & right = question.options[static_cast<std::size_t>(question.answer)];
        if (std::count(question.options.begin(), question.options.end(), right) > 1) {
            ++set_.ambiguous;
            return;
        }
        std::string identity = question.example ? "example" : "";
        for (const std::string & text : question.options) {
            identity += text + '\0';
        }
        if (!seen_.insert(identity + question.question).second) {
            ++set_.duplicates;
            return;
        }
        set_.questions.push_back(std::move(question));
    }

    MultipleChoiceSet take(const std::string & name) {
        if (set_.questions.empty()) {
            fail(ErrorKind::bad_input, "{}: holds no question to use ({} with two right options were left out)", name,
                 set_.ambiguous);
        }
        return std::move(set_);
    }

private:
    MultipleChoiceSet set_;
    UniqueIds ids_;
    std::unordered_set<std::string> seen_;
};

std::string required_text(const JsonRecord & record, const char * key) {
    const std::string text = record.text(key);
    if (is_blank(text)) {
        record.bad("\"{}\" is empty; expected {}", key, record.schema);
    }
    return std::string(trimmed(text));
}

std::array<std::string, 4> parse_options(const JsonRecord & record) {
    const auto found = record.object.find("options");
    if (found == record.object.end()) {
        record.bad("\"options\" is missing; expected {}", record.schema);
    }
    if (!found->is_array() || found->size() != 4) {
        record.bad("\"options\" is {}, expected an array of 4 strings",
                   found->is_array() ? fmt::format("an array of {}", found->size())
                                     : fmt::format("a JSON {}", found->type_name()));
    }
    std::array<std::string, 4> options;
    for (std::size_t i = 0; i < options.size(); ++i) {
        const json & option = (*found)[i];
        if (!option.is_string()) {
            record.bad("option {} is a JSON {}, expected a string", letters[i], option.type_name());
        }
        options[i] = trimmed(option.get_ref<const std::string &>());
        if (options[i].empty()) {
            record.bad("option {} is empty", letters[i]);
        }
        const auto same = std::find(options.begin(), options.begin() + static_cast<std::ptrdiff_t>(i), options[i]);
        if (const auto position = static_cast<std::size_t>(same - options.begin()); position < i) {
            record.bad("options {} and {} are the same, \"{}\"; expected four different ones", letters[position],
                       letters[i], options[i]);
        }
    }
    return options;
}

MultipleChoiceQuestion parse_record(const JsonRecord & record) {
    MultipleChoiceQuestion question;
    question.id = record.identifier("id");
    question.subject = required_text(record, "subject");
    question.question = required_text(record, "question");
    question.options = parse_options(record);
    const std::string key = record.text("answer");
    const std::optional<int> answer = key_position(key, letters);
    if (!answer) {
        record.bad("\"answer\" is \"{}\", expected \"A\", \"B\", \"C\" or \"D\"", key);
    }
    question.answer = *answer;
    if (const std::optional<std::string> role = record.optional_text("role")) {
        if (*role != "example") {
            record.bad("\"role\" is \"{}\", expected \"example\" or no such key", *role);
        }
        question.example = true;
    }
    return question;
}

void read_json(std::string_view text, const std::string & name, Collector & collector) {
    for_each_json_record(text, name, json_schema,
                         [&](const JsonRecord & record) { collector.add(parse_record(record), record.where); });
}

struct MmluName {
    std::string subject;
    std::string ending; ///< one of MMLU's, or empty
};

/// "anatomy_test" is "anatomy" and "_test".
MmluName split_mmlu_name(std::string stem) {
    for (const std::string ending : {"_test", "_dev", "_val", "_train"}) {
        if (stem.size() > ending.size() && stem.ends_with(ending)) {
            stem.resize(stem.size() - ending.size());
            return {std::move(stem), ending};
        }
    }
    return {std::move(stem), ""};
}

bool is_header(const CsvRow & row) {
    return lower_ascii(trimmed(row.cells.back())) == "answer";
}

MultipleChoiceQuestion parse_row(const CsvRow & row, const std::string & where) {
    constexpr std::array columns = {"the question", "option A", "option B", "option C", "option D", "the answer"};
    if (row.cells.size() != columns.size()) {
        fail(ErrorKind::bad_input, "{}: has {} cells, expected the 6 of MMLU: question, four options, answer", where,
             row.cells.size());
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (is_blank(row.cells[i])) {
            fail(ErrorKind::bad_input, "{}: {} is empty", where, columns[i]);
        }
    }
    MultipleChoiceQuestion question;
    question.question = trimmed(row.cells[0]);
    for (std::size_t i = 0; i < question.options.size(); ++i) {
        question.options[i] = trimmed(row.cells[i + 1]);
    }
    const std::string_view key = trimmed(row.cells[5]);
    const std::optional<int> letter = key_position(key, letters);
    const std::optional<int> answer = letter ? letter : key_position(key, digits);
    if (!answer) {
        fail(ErrorKind::bad_input, "{}: the answer is \"{}\", expected a letter A to D or a digit 0 to 3", where, key);
    }
    question.answer = *answer;
    return question;
}

/// `part` is what the file's folder says of it ("_dev", ...), for names that do not say it themselves.
void read_mmlu_file(const fs::path & path, const std::string & part, Collector & collector) {
    MmluName name = split_mmlu_name(path.stem().string());
    if (name.ending.empty()) {
        name.ending = part;
    }
    std::size_t rows = 0;
    std::size_t questions = 0;
    for_each_csv_row(read_file(path), path.string(), [&](CsvRow && row) {
        const std::string where = fmt::format("{}:{}", path.string(), row.line);
        if (++rows == 1 && is_header(row)) {
            return;
        }
        MultipleChoiceQuestion question = parse_row(row, where);
        question.id = fmt::format("{}{}-{}", name.subject, name.ending, ++questions);
        question.subject = name.subject;
        question.example = name.ending == "_dev";
        collector.add(std::move(question), where);
    });
    if (questions == 0) {
        fail(ErrorKind::bad_input, "{}: holds no question, expected rows of question, four options, answer",
             path.string());
    }
}

std::vector<fs::path> csv_files(const fs::path & folder) {
    std::vector<fs::path> files;
    if (fs::is_directory(folder)) {
        for (const fs::directory_entry & entry : fs::directory_iterator(folder)) {
            if (entry.path().extension() == ".csv") {
                files.push_back(entry.path());
            }
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

void read_mmlu_folder(const fs::path & folder, Collector & collector) {
    std::size_t files = 0;
    const auto read_all = [&](const fs::path & place, const char * part) {
        for (const fs::path & file : csv_files(place)) {
            read_mmlu_file(file, part, collector);
            ++files;
        }
    };
    read_all(folder, "");
    if (files == 0) {
        read_all(folder / "test", "_test");
        read_all(folder / "dev", "_dev");
    }
    if (files == 0) {
        fail(ErrorKind::bad_input, "{}: has no CSV file, nor have its folders test and dev; expected those of MMLU",
             folder.string());
    }
}

} // namespace

MultipleChoiceSet shipped_multiple_choice() {
    const ShippedText shipped = shipped_text("questions/general.jsonl");
    Collector collector;
    read_json(shipped.text, shipped.name, collector);
    return collector.take(shipped.name);
}

MultipleChoiceSet load_multiple_choice(const fs::path & path) {
    Collector collector;
    if (fs::is_directory(path)) {
        read_mmlu_folder(path, collector);
    } else if (path.extension() == ".csv") {
        read_mmlu_file(path, "", collector);
    } else if (path.extension() == ".jsonl" || path.extension() == ".json") {
        read_json(read_file(path), path.string(), collector);
    } else {
        fail(ErrorKind::bad_input, "{}: expected questions in a .jsonl file, a .csv file of MMLU or a folder of these",
             path.string());
    }
    return collector.take(path.string());
}

} // namespace valuelens
