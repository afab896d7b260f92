#include "concepts/dilemmas.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "concepts/csv_table.h"
#include "concepts/json_lines.h"
#include "concepts/shipped.h"
#include "concepts/unique_ids.h"

namespace valuelens {

using nlohmann::json;

namespace {

constexpr std::string_view schema =
    R"({"id", "situation", "question", "values": ["A", "B"], "sides": {"A": "...", "B": "..."}})";

std::string filled_text(const JsonRecord & record, const char * key) {
    std::string text = record.text(key);
    if (is_blank(text)) {
        record.bad("\"{}\" is empty", key);
    }
    return text;
}

std::vector<std::string> parse_values(const JsonRecord & record, const std::vector<std::string> * known) {
    const auto list = record.object.find("values");
    if (list == record.object.end() || !list->is_array() || list->size() != 2 || !(*list)[0].is_string() ||
        !(*list)[1].is_string() || (*list)[0] == (*list)[1]) {
        record.bad("\"values\" must be an array of two different values; expected {}", record.schema);
    }
    auto values = list->get<std::vector<std::string>>();
    for (const std::string & value : values) {
        if (known != nullptr && std::find(known->begin(), known->end(), value) == known->end()) {
            record.bad("\"values\" names \"{}\", which is not in the concept set; known: {}", value,
                       fmt::join(*known, ", "));
        }
    }
    return values;
}

Dilemma parse_dilemma(const JsonRecord & record, const std::vector<std::string> * known) {
    Dilemma dilemma;
    dilemma.id = record.identifier("id");
    dilemma.situation = filled_text(record, "situation");
    dilemma.question = filled_text(record, "question");
    const std::vector<std::string> values = parse_values(record, known);
    const auto sides = record.object.find("sides");
    if (sides == record.object.end() || !sides->is_object() || sides->size() != values.size()) {
        record.bad("\"sides\" must be an object with one text for each of \"values\"; expected {}", record.schema);
    }
    const JsonRecord side{*sides, record.where + ": \"sides\"", record.number, record.schema};
    for (const std::string & value : values) {
        dilemma.sides.push_back({value, filled_text(side, value.c_str())});
    }
    return dilemma;
}

/// Adds a dilemma unless its text was there before, and refuses an id that was.
class Collector {
public:
    void add(Dilemma && dilemma, const std::string & where) {
        if (!texts_.insert(dilemma.prompt()).second) {
            ++set_.duplicates;
            return;
        }
        ids_.add(dilemma.id, where);
        set_.dilemmas.push_back(std::move(dilemma));
    }

    DilemmaSet take() { return std::move(set_); }

private:
    DilemmaSet set_;
    UniqueIds ids_;
    std::unordered_set<std::string> texts_;
};

DilemmaSet parse_json(std::string_view text, const std::string & name, const std::vector<std::string> * known) {
    Collector collector;
    for_each_json_record(text, name, schema,
                         [&](const JsonRecord & record) { collector.add(parse_dilemma(record, known), record.where); });
    return collector.take();
}

DilemmaSet parse_daily_dilemmas(std::string_view text, const std::string & name) {
    Collector collector;
    std::size_t id_column = 0;
    std::size_t text_column = 0;
    for_each_csv_record(
        text, name,
        [&](const CsvHeader & header) {
            text_column = header.need({"dilemma_situation"});
            const auto dilemma_id = header.find({"dilemma_idx"});
            id_column = dilemma_id ? *dilemma_id : header.need({"idx"});
        },
        [&](const std::vector<std::string> & cells, const std::string & where) {
            Dilemma dilemma;
            dilemma.id = trimmed(cells[id_column]);
            dilemma.situation = trimmed(cells[text_column]);
            if (dilemma.id.empty() || dilemma.situation.empty()) {
                fail(ErrorKind::bad_input, "{}: the id or \"dilemma_situation\" is empty", where);
            }
            collector.add(std::move(dilemma), where);
        });
    return collector.take();
}

} // namespace

std::string Dilemma::prompt() const {
    return question.empty() ? situation : situation + " " + question;
}

DilemmaSet shipped_dilemmas() {
    const ShippedText shipped = shipped_text("dilemmas/dilemmas.jsonl");
    return parse_json(shipped.text, shipped.name, nullptr);
}

DilemmaSet load_dilemmas(const std::filesystem::path & path, const std::vector<std::string> & values) {
    const std::string text = read_file(path);
    return path.extension() == ".csv" ? parse_daily_dilemmas(text, path.string())
                                      : parse_json(text, path.string(), &values);
}

} // namespace valuelens
