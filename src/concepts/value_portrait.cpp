#include "concepts/value_portrait.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <unordered_set>

#include "base/file.h"
#include "base/text.h"
#include "concepts/dictionary.h"
#include "concepts/json_lines.h"
#include "concepts/query_formats.h"
#include "concepts/unique_ids.h"

namespace valuelens {

using nlohmann::json;

namespace {

constexpr std::string_view schema =
    R"({"content": {"title", "text"}, "portrait_id"?, "outputs": [{"content", "id"?, "correlations": [["Power", 0.19], ...]}]} as in query-response-tagged.json)";

class Reader {
public:
    explicit Reader(const ConceptSet & concepts) : concepts_(concepts.concepts.size()) {
        for (std::size_t i = 0; i < concepts.concepts.size(); ++i) {
            position_.emplace(folded_name(concepts.concepts[i].id), i);
            position_.emplace(folded_name(concepts.concepts[i].name), i);
        }
    }

    void add(const JsonRecord & record) {
        const RawQuery query = parse_value_portrait(record);
        const std::string query_id = query.id.value_or(query.fallback_id);
        const auto outputs = record.object.find("outputs");
        if (outputs == record.object.end() || !outputs->is_array() || outputs->empty()) {
            record.bad("\"outputs\" is missing or no array of replies; expected {}", record.schema);
        }
        std::unordered_set<std::string> texts;
        for (std::size_t i = 0; i < outputs->size(); ++i) {
            const json & output = (*outputs)[i];
            const std::string where = fmt::format("{}: reply {}", record.where, i);
            if (!output.is_object()) {
                fail(ErrorKind::bad_input, "{}: is a JSON {}, expected an object, {}", where, output.type_name(),
                     schema);
            }
            const JsonRecord reply{output, where, i, schema};
            PortraitResponse response;
            response.id =
                fmt::format("{}/{}", query_id, reply.optional_identifier("id").value_or(fmt::format("n{}", i)));
            response.query_id = query_id;
            response.query = query.text;
            response.response = reply.text("content");
            if (is_blank(response.response)) {
                reply.bad("\"content\" is empty, expected a reply");
            }
            response.correlations = correlations(reply);
            if (!texts.insert(response.response).second) {
                ++portrait_.duplicates;
                continue;
            }
            ids_.add(response.id, where);
            portrait_.responses.push_back(std::move(response));
        }
        ++portrait_.queries;
    }

    ValuePortrait take() { return std::move(portrait_); }

private:
    std::vector<double> correlations(const JsonRecord & reply) {
        const auto tags = reply.object.find("correlations");
        if (tags == reply.object.end() || !tags->is_array()) {
            reply.bad("\"correlations\" is missing or no array; expected {}", reply.schema);
        }
        std::vector<double> values(concepts_, std::numeric_limits<double>::quiet_NaN());
        for (const json & tag : *tags) {
            if (!tag.is_array() || tag.size() != 2 || !tag[0].is_string() || !tag[1].is_number()) {
                reply.bad("\"correlations\" holds {}, expected a name and a number, as [\"Power\", 0.19]", tag.dump());
            }
            const std::string name = tag[0].get<std::string>();
            const double correlation = tag[1].get<double>();
            if (!(std::abs(correlation) <= 1.0)) {
                reply.bad("the correlation with \"{}\" is {}, expected -1 to 1", name, correlation);
            }
            const auto found = position_.find(folded_name(name));
            if (found == position_.end()) {
                note_unmatched(name);
                continue;
            }
            double & value = values[found->second];
            if (!std::isnan(value)) {
                reply.bad("the correlation with \"{}\" is given twice", name);
            }
            value = correlation;
        }
        return values;
    }

    void note_unmatched(const std::string & name) {
        ++portrait_.unmatched_tags;
        if (std::find(portrait_.unmatched.begin(), portrait_.unmatched.end(), name) == portrait_.unmatched.end()) {
            portrait_.unmatched.push_back(name);
        }
    }

    std::size_t concepts_;
    std::unordered_map<std::string, std::size_t> position_;
    ValuePortrait portrait_;
    UniqueIds ids_;
};

} // namespace

ValuePortrait load_value_portrait(const std::filesystem::path & path, const ConceptSet & concepts) {
    Reader reader(concepts);
    for_each_json_record(read_file(path), path.string(), schema,
                         [&](const JsonRecord & record) { reader.add(record); });
    ValuePortrait portrait = reader.take();
    for (std::size_t i = 0; i < concepts.concepts.size(); ++i) {
        const bool tagged =
            std::any_of(portrait.responses.begin(), portrait.responses.end(),
                        [&](const PortraitResponse & response) { return !std::isnan(response.correlations[i]); });
        if (!tagged) {
            portrait.without_tag.push_back(concepts.concepts[i].id);
        }
    }
    if (portrait.without_tag.size() == concepts.concepts.size()) {
        fail(ErrorKind::bad_input, "{}: no reply is tagged with any concept of {} (the tags are: {})", path.string(),
             concepts.name, fmt::join(portrait.unmatched, ", "));
    }
    return portrait;
}

} // namespace valuelens
