#include "concepts/requests.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "concepts/csv_table.h"
#include "concepts/json_lines.h"
#include "concepts/shipped.h"
#include "concepts/unique_ids.h"

namespace valuelens {
namespace {

constexpr std::string_view schema = R"({"text", "id"?, "category"?, "context"?})";

/// Adds a request unless its prompt was there before, and refuses an id that was.
class Collector {
public:
    void add(ModelRequest && request, const std::string & where) {
        ++records_;
        if (is_blank(request.text)) {
            fail(ErrorKind::bad_input, "{}: the request is empty", where);
        }
        if (request.id.empty()) {
            request.id = fmt::format("{}", records_);
        }
        ids_.add(request.id, where);
        if (!prompts_.insert(request.prompt()).second) {
            ++set_.duplicates;
            return;
        }
        set_.requests.push_back(std::move(request));
    }

    void drop_copyright() {
        ++records_;
        ++set_.copyright;
    }

    RequestSet take(const std::string & name) {
        if (set_.requests.empty()) {
            fail(ErrorKind::bad_input, "{}: holds no request to use ({} of copyright were left out)", name,
                 set_.copyright);
        }
        return std::move(set_);
    }

private:
    RequestSet set_;
    std::size_t records_ = 0;
    UniqueIds ids_;
    std::unordered_set<std::string> prompts_;
};

RequestSet parse_json(std::string_view text, const std::string & name) {
    Collector collector;
    for_each_json_record(text, name, schema, [&](const JsonRecord & record) {
        collector.add({record.optional_identifier("id").value_or(""), record.optional_text("category").value_or(""),
                       record.text("text"), record.optional_text("context").value_or("")},
                      record.where);
    });
    return collector.take(name);
}

/// Where a CSV has what.
struct Columns {
    std::size_t text = 0;
    std::optional<std::size_t> id;
    std::optional<std::size_t> category;
    std::optional<std::size_t> kind;
    std::optional<std::size_t> context;
};

Columns find_columns(const CsvHeader & header) {
    Columns columns;
    columns.text = header.need({"goal", "behavior"});
    columns.id = header.find({"behaviorid"});
    columns.category = header.find({"semanticcategory"});
    columns.kind = header.find({"functionalcategory"});
    columns.context = header.find({"contextstring"});
    return columns;
}

RequestSet parse_csv(std::string_view text, const std::string & name) {
    Collector collector;
    Columns columns;
    for_each_csv_record(
        text, name, [&](const CsvHeader & header) { columns = find_columns(header); },
        [&](const std::vector<std::string> & cells, const std::string & where) {
            const auto cell = [&](const std::optional<std::size_t> & column) {
                return column ? std::string(trimmed(cells[*column])) : std::string();
            };
            if (cell(columns.kind) == "copyright") {
                collector.drop_copyright();
                return;
            }
            collector.add({cell(columns.id), cell(columns.category), cell(columns.text), cell(columns.context)}, where);
        });
    return collector.take(name);
}

RequestSet shipped(std::string_view path) {
    const ShippedText text = shipped_text(path);
    return parse_json(text.text, text.name);
}

} // namespace

std::string ModelRequest::prompt() const {
    return context.empty() ? text : context + "\n\n---\n\n" + text;
}

RequestSet shipped_refusable_requests() {
    return shipped("compliance/refusable.jsonl");
}

RequestSet shipped_benign_requests() {
    return shipped("compliance/benign.jsonl");
}

RequestSet load_requests(const std::filesystem::path & path) {
    const std::string text = read_file(path);
    return path.extension() == ".csv" ? parse_csv(text, path.string()) : parse_json(text, path.string());
}

} // namespace valuelens
